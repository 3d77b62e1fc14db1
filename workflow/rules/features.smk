# One parquet file per section: a row per clip, its frames unstacked; beside it what extraction cost. Log-mels and
# embeddings differ in what they need of a machine, and in what may give them a GPU (profiles name extract_embeddings), so
# they are two rules with one body.


include: "../functions/features.smk"


rule extract_features:
    input:
        section_inputs,
    output:
        features=f"{FEATURES}.parquet",
        record=f"{FEATURES}.extraction.json",
    log:
        f"{FEATURES}.extract_features.log",
    benchmark:
        f"{FEATURES}.extract_features.benchmark.tsv"
    wildcard_constraints:
        features=LOG_MELS,
    priority: 100
    conda:
        "../../environment.yml"
    resources:
        mem_mb=extraction_memory,
    params:
        job=features_job,
        dataset=dataset_place,
        network="",
    shell:
        "python scripts/extract_features.py --dataset {params.dataset:q} --job {params.job:q}"
        " {params.network} --output {output.features:q} --record {output.record:q} 2> {log:q}"


use rule extract_features as extract_embeddings with:
    log:
        f"{FEATURES}.extract_embeddings.log",
    benchmark:
        f"{FEATURES}.extract_embeddings.benchmark.tsv"
    wildcard_constraints:
        features=EMBEDDINGS,
    threads: THREADS
    resources:
        mem_mb=embedding_memory,
        runtime=embedding_minutes,
    params:
        job=features_job,
        dataset=dataset_place,
        network=network_options,
