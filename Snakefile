# Anomalous sound detection on MIMII: features -> models -> clip scores -> metrics -> one CSV.
# A table of contents; the rules stand in workflow/rules, what they call in scripts/ and src/mimii.
from mimii.planning.config_file import check_files
from snakemake.utils import min_version

min_version("9.19")

# Before Snakemake reads them: it keeps silent about keys that stand twice, and about the line of an error.
check_files(["config/config.yaml", *workflow.overwrite_configfiles])


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/scoring.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/report.smk"


report: "workflow/report/workflow.rst"


# Snakemake removes results.csv before merge_results runs, which may refuse.
onstart:
    with exit_on_user_error():
        plan.check_folders(writable=True)
        keep_previous(RESULTS, RESULTS_CSV)
    gc.enable()


onerror:
    kept = previous_csv(RESULTS, RESULTS_CSV)
    if kept.exists() and not Path(RESULTS_CSV).exists():
        print(f"The last {RESULTS_CSV} is kept: {kept}")


rule all:
    default_target: True
    input:
        everything_configured,
        archives_removed,
