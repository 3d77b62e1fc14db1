# One parquet file per section: a row per clip, its log-mel unstacked.


include: "../functions/features.smk"


rule extract_features:
    input:
        section_inputs,
    output:
        f"{FEATURES}.parquet",
    log:
        f"{FEATURES}.extract_features.log",
    benchmark:
        f"{FEATURES}.extract_features.benchmark.tsv"
    priority: 100
    conda:
        "../../environment.yml"
    resources:
        mem_mb=extraction_memory,
    params:
        job=features_job,
        dataset=dataset_place,
    shell:
        "python scripts/extract_features.py --dataset {params.dataset:q} --job {params.job:q}"
        " --output {output:q} 2> {log:q}"
