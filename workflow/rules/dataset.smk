# Recordings that the workflow makes itself, where the configuration asks for them.

if plan.config["dataset"]["source"] == "made_up":
    MADE_UP = plan.config["dataset"]["made_up"]

    rule make_demo_dataset:
        output:
            directory(f"{DATASET}/{{section}}"),
        log:
            f"{RESULTS}/logs/make_demo_dataset/{{section}}.log",
        benchmark:
            f"{RESULTS}/logs/make_demo_dataset/{{section}}.benchmark.tsv"
        conda:
            "../../environment.yml"
        params:
            job=made_up_job,
        shell:
            "python scripts/make_demo_dataset.py --folder {output:q} --section {wildcards.section:q}"
            " --job {params.job:q} 2> {log:q}"
