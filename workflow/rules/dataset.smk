# Recordings that the workflow makes or fetches itself, where the configuration asks for them; and checking any dataset.


include: "../functions/dataset.smk"


if plan.config["dataset"]["source"] == "made_up":

    rule make_demo_dataset:
        output:
            f"{DATASET}/{{section}}/made_up.json",
        log:
            f"{RESULTS}/logs/make_demo_dataset/{{section}}.log",
        benchmark:
            f"{RESULTS}/logs/make_demo_dataset/{{section}}.benchmark.tsv"
        localrule: True
        conda:
            "../../environment.yml"
        params:
            job=made_up_job,
        shell:
            "python scripts/make_demo_dataset.py --record {output:q} --section {wildcards.section:q}"
            " --job {params.job:q} 2> {log:q}"


if plan.source.downloads:

    # Archives come one after the other. Said here: `resources` in the default profile would take the place of those in
    # any other profile.
    workflow.register_resource("downloads", 1)

    # An archive is no input of its own: one that is missing, and needed for the features of one section, would have
    # Snakemake make the features of its other sections again, and train on them. So each features file has its own
    # mark that the archive is there, made just before and removed just after.
    rule download_archive:
        output:
            temp(f"{FEATURES}.archive"),
        log:
            f"{FEATURES}.download_archive.log",
        benchmark:
            f"{FEATURES}.download_archive.benchmark.tsv"
        priority: archive_position
        localrule: True
        conda:
            "../../environment.yml"
        resources:
            downloads=1,
        params:
            dataset=dataset_place,
        shell:
            "python scripts/download_archive.py --dataset {params.dataset:q} --section {wildcards.section:q}"
            " --output {output:q} 2> {log:q}"

    rule remove_archive:
        input:
            archive_features,
        output:
            touch(f"{plan.features_root}/{{archive}}.removed"),
        log:
            f"{plan.features_root}/{{archive}}.remove_archive.log",
        benchmark:
            f"{plan.features_root}/{{archive}}.remove_archive.benchmark.tsv"
        wildcard_constraints:
            archive="[^/]+\\.zip",
        priority: 1000
        localrule: True
        conda:
            "../../environment.yml"
        params:
            dataset=dataset_place,
        shell:
            "python scripts/remove_archive.py --dataset {params.dataset:q} --archive={wildcards.archive:q} 2> {log:q}"


rule check_dataset:
    log:
        f"{RESULTS}/logs/check_dataset.log",
    benchmark:
        f"{RESULTS}/logs/check_dataset.benchmark.tsv"
    conda:
        "../../environment.yml"
    params:
        dataset=dataset_place,
        variants=formats_asked_for,
    shell:
        "python scripts/check_dataset.py --dataset {params.dataset:q} --variants {params.variants:q} 2> {log:q}"
