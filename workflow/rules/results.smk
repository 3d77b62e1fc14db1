# One CSV of every configured run; one of each model's, ensemble's or external scores'; one of each study's.


include: "../functions/results.smk"


rule merge_results:
    input:
        all_metrics,
    output:
        csv=in_report(RESULTS_CSV, EVERY_RUN),
        metrics=metrics_csv(RESULTS_CSV),
        record=record_of(RESULTS_CSV),
    log:
        f"{RESULTS}/logs/merge_results.log",
    benchmark:
        f"{RESULTS}/logs/merge_results.benchmark.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        job=all_merged,
        argument=all_merged_argument,
        runs=runs_place,
        features=features_place,
    shell:
        "python scripts/merge_results.py --runs {params.runs:q} --features {params.features:q}"
        " --job {params.argument:q} --output {output.csv:q} 2> {log:q}"


use rule merge_results as merge_model with:
    input:
        model_metrics,
    output:
        csv=f"{RESULTS}/models/{{model}}.csv",
        metrics=metrics_csv(f"{RESULTS}/models/{{model}}.csv"),
        record=record_of(f"{RESULTS}/models/{{model}}.csv"),
    log:
        f"{RESULTS}/logs/merge_model/{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/merge_model/{{model}}.benchmark.tsv"
    wildcard_constraints:
        model="|".join([NETWORKS, ESTIMATORS, *plan.external, *plan.ensembles]),
    params:
        job=model_merged,
        argument=model_merged_argument,
        runs=runs_place,
        features=features_place,


use rule merge_results as merge_study with:
    input:
        study_metrics,
    output:
        csv=f"{RESULTS}/studies/{{study}}.csv",
        metrics=metrics_csv(f"{RESULTS}/studies/{{study}}.csv"),
        record=record_of(f"{RESULTS}/studies/{{study}}.csv"),
    log:
        f"{RESULTS}/logs/merge_study/{{study}}.log",
    benchmark:
        f"{RESULTS}/logs/merge_study/{{study}}.benchmark.tsv"
    params:
        job=study_merged,
        argument=study_merged_argument,
        runs=runs_place,
        features=features_place,
