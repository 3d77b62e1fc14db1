# What the rules of rules/features.smk ask about their jobs.


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
