# One parquet file per section: a row per clip, its log-mel unstacked.


rule extract_features:
    input:
        section_inputs,
    output:
        f"{FEATURES}.parquet",
    params:
        job=features_job,
    log:
        f"{FEATURES}.extract_features.log",
    benchmark:
        f"{FEATURES}.extract_features.benchmark.tsv"
    shell:
        "{PYTHON:q} {SCRIPTS}/extract_features.py --dataset {DATASET_JSON:q} --job {params.job:q}"
        " --output {output:q} 2> {log:q}"
