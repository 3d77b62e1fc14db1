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


# An argument of a command has at most 131,072 bytes on Linux, and the job of a large merge has more: it goes by file.
def argument(job):
    if len(job) < 100_000:
        return job
    file = Path(".snakemake", "mimii", f"{sha256(job.encode()).hexdigest()}.json")
    if not file.exists():
        with written_whole(file) as temporary:
            temporary.write_text(job)
    return f"@{file.absolute()}"


@ask
def all_merged_argument(wildcards, resources):
    return argument(all_merged(wildcards))


@ask
def model_merged_argument(wildcards, resources):
    return argument(model_merged(wildcards))


@ask
def study_merged_argument(wildcards, resources):
    return argument(study_merged(wildcards))


@ask
def features_place(wildcards, resources):
    return plan.features_root


rule merge_results:
    input:
        all_metrics,
    output:
        csv=in_report(RESULTS_CSV, EVERY_RUN),
        metrics=metrics_csv(RESULTS_CSV),
        record=record_of(RESULTS_CSV),
    log:
        f"{RESULTS}/logs/merge_results.log",
    benchmark:
        f"{RESULTS}/logs/merge_results.benchmark.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        job=all_merged,
        argument=all_merged_argument,
        runs=runs_place,
        features=features_place,
    shell:
        "python scripts/merge_results.py --runs {params.runs:q} --features {params.features:q}"
        " --job {params.argument:q} --output {output.csv:q} 2> {log:q}"


use rule merge_results as merge_model with:
    input:
        model_metrics,
    output:
        csv=f"{RESULTS}/models/{{model}}.csv",
        metrics=metrics_csv(f"{RESULTS}/models/{{model}}.csv"),
        record=record_of(f"{RESULTS}/models/{{model}}.csv"),
    log:
        f"{RESULTS}/logs/merge_model/{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/merge_model/{{model}}.benchmark.tsv"
    params:
        job=model_merged,
        argument=model_merged_argument,
        runs=runs_place,
        features=features_place,


use rule merge_results as merge_study with:
    input:
        study_metrics,
    output:
        csv=f"{RESULTS}/studies/{{study}}.csv",
        metrics=metrics_csv(f"{RESULTS}/studies/{{study}}.csv"),
        record=record_of(f"{RESULTS}/studies/{{study}}.csv"),
    log:
        f"{RESULTS}/logs/merge_study/{{study}}.log",
    benchmark:
        f"{RESULTS}/logs/merge_study/{{study}}.benchmark.tsv"
    params:
        job=study_merged,
        argument=study_merged_argument,
        runs=runs_place,
        features=features_place,
