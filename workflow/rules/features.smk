# One parquet file per section: a row per clip, its log-mel unstacked.


@ask
def section_inputs(wildcards):
    if plan.source.downloads:
        return f"{FEATURES}.archive"
    return plan.source.inputs(Section.parse(wildcards.section))


@ask
def features_job(wildcards):
    section = Section.parse(wildcards.section)
    return job_parameters.features_job(plan, wildcards.features, section)


@ask
def extraction_memory(wildcards, attempt):
    return needs.increase(needs.EXTRACTION, attempt)


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
