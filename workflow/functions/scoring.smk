# What the rules of rules/scoring.smk ask about their jobs.


def trained_file(name):
    """A file of the training whose model scores a section."""

    @ask
    def of_scope(wildcards):
        variant = plan.variant(wildcards.model, wildcards.variant)
        scope = Section.parse(wildcards.section).scope(variant.train_per)
        file = plan.model_file(wildcards.model) if name == "model" else name
        return f"{plan.runs_root}/{wildcards.model}/{wildcards.variant}/seed={wildcards.seed}/{scope}/{file}"

    return of_scope


@ask
def scoring_job(wildcards):
    section = Section.parse(wildcards.section)
    return job_parameters.scoring_job(plan, wildcards.model, section)


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
def external_files(wildcards):
    section = Section.parse(wildcards.section)
    return plan.external_files(wildcards.external, section)


@ask
def external_features(wildcards):
    """Features of any configured model say which clips the section has."""
    return plan.features_file(plan.variants[0], Section.parse(wildcards.section))


@ask
def external_job(wildcards):
    section = Section.parse(wildcards.section)
    return job_parameters.external_job(plan, wildcards.external, section)


# An ensemble is made of its members' scores.


@ask
def member_files(wildcards):
    section = Section.parse(wildcards.section)
    runs = plan.member_runs(wildcards.ensemble, int(wildcards.seed), section)
    files = [
        (
            f"{run.path}/scores.parquet",
            f"{run.path}/scoring.json",
            f"{run.training_path}/training.json",
        )
        for run in runs
    ]
    return [f"{plan.runs_root}/{file}" for of_run in files for file in of_run]


@ask
def ensemble_job(wildcards):
    section = Section.parse(wildcards.section)
    return job_parameters.ensemble_job(
        plan, wildcards.ensemble, wildcards.members, wildcards.seed, section
    )
