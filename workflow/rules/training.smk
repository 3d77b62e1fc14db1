# One model per run. Networks and classical models differ in the kind of file that holds them and in what may give
# them a GPU (profiles name train_model), so they are two rules with one body.


include: "../functions/training.smk"


rule train_model:
    input:
        features=run_features,
        others=other_features,
    output:
        model=f"{RUN}/model.pth",
        losses=f"{RUN}/losses.parquet",
        record=f"{RUN}/training.json",
    log:
        f"{RUN}/train_model.log",
    benchmark:
        f"{RUN}/train_model.benchmark.tsv"
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
        "python scripts/train_model.py --features {input.features:q} --others {input.others:q} --job {params.job:q}"
        " --model-file {output.model:q} --losses {output.losses:q} --record {output.record:q}"
        " {params.compute} 2> {log:q}"


use rule train_model as train_classical_model with:
    output:
        model=f"{RUN}/model.skops",
        losses=f"{RUN}/losses.parquet",
        record=f"{RUN}/training.json",
    wildcard_constraints:
        model=ESTIMATORS,
