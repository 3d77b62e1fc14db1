# One CSV of every configured run; one of each model's; one of each study's.


def metrics_of(**which):
    return [f"{plan.runs_root}/{run.path}/metrics.json" for run in plan.runs(**which)]


@ask
def all_metrics(wildcards):
    return metrics_of()


@ask
def model_metrics(wildcards):
    return metrics_of(model=wildcards.model)


@ask
def study_metrics(wildcards):
    return metrics_of(study=wildcards.study)


@ask
def all_merged(wildcards):
    return job_parameters.merge_job(plan)


@ask
def model_merged(wildcards):
    return job_parameters.merge_job(plan, model=wildcards.model)


@ask
def study_merged(wildcards):
    return job_parameters.merge_job(plan, study=wildcards.study)


rule merge_results:
    input:
        all_metrics,
    output:
        in_report(RESULTS_CSV, EVERY_RUN),
    log:
        f"{RESULTS}/logs/merge_results.log",
    benchmark:
        f"{RESULTS}/logs/merge_results.benchmark.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        job=all_merged,
        runs=runs_place,
    shell:
        "python scripts/merge_results.py --runs {params.runs:q} --job {params.job:q} --output {output:q}"
        " 2> {log:q}"


use rule merge_results as merge_model with:
    input:
        model_metrics,
    output:
        f"{RESULTS}/models/{{model}}.csv",
    log:
        f"{RESULTS}/logs/merge_model/{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/merge_model/{{model}}.benchmark.tsv"
    params:
        job=model_merged,
        runs=runs_place,


use rule merge_results as merge_study with:
    input:
        study_metrics,
    output:
        f"{RESULTS}/studies/{{study}}.csv",
    log:
        f"{RESULTS}/logs/merge_study/{{study}}.log",
    benchmark:
        f"{RESULTS}/logs/merge_study/{{study}}.benchmark.tsv"
    params:
        job=study_merged,
        runs=runs_place,
