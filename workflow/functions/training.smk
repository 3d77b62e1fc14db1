# What the rules of rules/training.smk ask about their jobs.


@ask
def training_job(wildcards):
    return job_parameters.training_job(
        plan, wildcards.model, wildcards.variant, wildcards.seed, wildcards.scope
    )


@ask
def scope_features(wildcards):
    """Of each section whose training clips the model sees."""
    variant = plan.variant(wildcards.model, wildcards.variant)
    sections = plan.sections_of_scope(variant, wildcards.scope)
    return [plan.features_file(variant, section) for section in sections]


@ask
def training_minutes(wildcards, input, attempt):
    variant = plan.variant(wildcards.model, wildcards.variant)
    defaults = plan.variant(wildcards.model, "default").settings
    return needs.training_minutes(
        variant.model, variant.settings, defaults, features_mb(input), attempt
    )
