# One model for each scope: a section, or all sections that share it (train_per). Networks and classical models differ
# in the kind of file that holds them and in what may give them a GPU (profiles name train_model), so they are two rules
# with one body.


include: "../functions/training.smk"


rule train_model:
    input:
        features=scope_features,
    output:
        model=f"{TRAINED}/model.pth",
        losses=f"{TRAINED}/losses.parquet",
        record=f"{TRAINED}/training.json",
    log:
        f"{TRAINED}/train_model.log",
    benchmark:
        f"{TRAINED}/train_model.benchmark.tsv"
    wildcard_constraints:
        model=NETWORKS,
    conda:
        "../../environment.yml"
    threads: THREADS
    resources:
        mem_mb=model_memory,
        runtime=training_minutes,
    params:
        job=training_job,
        compute=compute_options,
    shell:
        "python scripts/train_model.py --features {input.features:q} --job {params.job:q}"
        " --model-file {output.model:q} --losses {output.losses:q} --record {output.record:q}"
        " {params.compute} 2> {log:q}"


use rule train_model as train_classical_model with:
    output:
        model=f"{TRAINED}/model.npz",
        losses=f"{TRAINED}/losses.parquet",
        record=f"{TRAINED}/training.json",
    wildcard_constraints:
        model=ESTIMATORS,
