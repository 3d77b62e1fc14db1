# What the rules of rules/training.smk ask about their jobs.


@ask
def training_job(wildcards):
    section = Section.parse(wildcards.section)
    return job_parameters.training_job(
        plan, wildcards.model, wildcards.variant, wildcards.seed, section
    )


@ask
def other_features(wildcards):
    """Of the sections that a model is trained on together with its own."""
    variant = plan.variant(wildcards.model, wildcards.variant)
    others = plan.trained_with(variant, Section.parse(wildcards.section))
    return [plan.features_file(variant, section) for section in others]


@ask
def training_minutes(wildcards, input, attempt):
    variant = plan.variant(wildcards.model, wildcards.variant)
    defaults = plan.variant(wildcards.model, "default").settings
    return needs.training_minutes(
        variant.model, variant.settings, defaults, features_mb(input), attempt
    )
