# What the rules of rules/results.smk ask about their jobs.


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
