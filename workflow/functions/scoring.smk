# What the rules of rules/scoring.smk ask about their jobs.


@ask
def run_model_file(wildcards):
    return f"{RUN}/{plan.model_file(wildcards.model)}"


@ask
def scoring_job(wildcards):
    return job_parameters.scoring_job(plan, wildcards.model)


@ask
def scoring_minutes(wildcards, input, attempt):
    return needs.scoring_minutes(features_mb(input), attempt)


@ask
def metrics_job(wildcards):
    return job_parameters.metrics_job(plan)


@ask
def metrics_memory(wildcards, attempt):
    return needs.increase(needs.METRICS, attempt)


@ask
def metrics_minutes(wildcards, attempt):
    return needs.increase(needs.METRICS_MINUTES, attempt)


# Scores of other code take the same way from there on.


@ask
def external_file(wildcards):
    section = Section.parse(wildcards.section)
    return plan.external_file(wildcards.external, section)


@ask
def external_features(wildcards):
    """Features of any configured model say which clips the section has."""
    return plan.features_file(plan.variants[0], Section.parse(wildcards.section))


@ask
def external_job(wildcards):
    section = Section.parse(wildcards.section)
    return job_parameters.external_job(plan, wildcards.external, section)
