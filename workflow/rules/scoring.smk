# From a trained model to scores of clips, and from those to a row of the CSV.


include: "../functions/scoring.smk"


rule score_clips:
    input:
        features=run_features,
        model=trained_file("model"),
        record=trained_file("training.json"),
    output:
        scores=f"{RUN}/scores.parquet",
        record=f"{RUN}/scoring.json",
    log:
        f"{RUN}/score_clips.log",
    benchmark:
        f"{RUN}/score_clips.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: THREADS
    resources:
        mem_mb=model_memory,
        runtime=scoring_minutes,
    params:
        job=scoring_job,
        compute=compute_options,
    shell:
        "python scripts/score_clips.py --features {input.features:q} --model-file {input.model:q}"
        " --training {input.record:q} --job {params.job:q} --scores {output.scores:q} --record {output.record:q}"
        " {params.compute} 2> {log:q}"


rule compute_metrics:
    input:
        scores=f"{RUN}/scores.parquet",
        training=trained_file("training.json"),
        scoring=f"{RUN}/scoring.json",
    output:
        f"{RUN}/metrics.json",
    log:
        f"{RUN}/compute_metrics.log",
    benchmark:
        f"{RUN}/compute_metrics.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=metrics_memory,
        runtime=metrics_minutes,
    params:
        job=metrics_job,
    shell:
        "python scripts/compute_metrics.py --scores {input.scores:q} --training {input.training:q}"
        " --scoring {input.scoring:q} --job {params.job:q} --output {output:q} 2> {log:q}"


rule import_scores:
    input:
        source=external_files,
        features=external_features,
    output:
        scores=f"{EXTERNAL_RUN}/scores.parquet",
        training=f"{EXTERNAL_RUN}/training.json",
        scoring=f"{EXTERNAL_RUN}/scoring.json",
    log:
        f"{EXTERNAL_RUN}/import_scores.log",
    benchmark:
        f"{EXTERNAL_RUN}/import_scores.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=metrics_memory,
        runtime=metrics_minutes,
    params:
        job=external_job,
    shell:
        "python scripts/import_scores.py --source {input.source:q} --features {input.features:q}"
        " --job {params.job:q} --scores {output.scores:q} --training {output.training:q}"
        " --scoring {output.scoring:q} 2> {log:q}"


use rule compute_metrics as compute_external_metrics with:
    input:
        scores=f"{EXTERNAL_RUN}/scores.parquet",
        training=f"{EXTERNAL_RUN}/training.json",
        scoring=f"{EXTERNAL_RUN}/scoring.json",
    output:
        f"{EXTERNAL_RUN}/metrics.json",
    log:
        f"{EXTERNAL_RUN}/compute_metrics.log",
    benchmark:
        f"{EXTERNAL_RUN}/compute_metrics.benchmark.tsv"


rule combine_scores:
    input:
        members=member_files,
    output:
        scores=f"{ENSEMBLE_RUN}/scores.parquet",
        training=f"{ENSEMBLE_RUN}/training.json",
        scoring=f"{ENSEMBLE_RUN}/scoring.json",
    log:
        f"{ENSEMBLE_RUN}/combine_scores.log",
    benchmark:
        f"{ENSEMBLE_RUN}/combine_scores.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=metrics_memory,
        runtime=metrics_minutes,
    params:
        job=ensemble_job,
        runs=runs_place,
    shell:
        "python scripts/combine_scores.py --runs {params.runs:q} --job {params.job:q} --scores {output.scores:q}"
        " --training {output.training:q} --scoring {output.scoring:q} 2> {log:q}"


use rule compute_metrics as compute_ensemble_metrics with:
    input:
        scores=f"{ENSEMBLE_RUN}/scores.parquet",
        training=f"{ENSEMBLE_RUN}/training.json",
        scoring=f"{ENSEMBLE_RUN}/scoring.json",
    output:
        f"{ENSEMBLE_RUN}/metrics.json",
    log:
        f"{ENSEMBLE_RUN}/compute_metrics.log",
    benchmark:
        f"{ENSEMBLE_RUN}/compute_metrics.benchmark.tsv"
