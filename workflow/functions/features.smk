# What the rules of rules/features.smk ask about their jobs.

# Folders of features are named by the settings that differ from the defaults.
EMBEDDINGS = "[^/]*extractor=audio_transformer[^/]*"
LOG_MELS = "(?![^/]*extractor=)[^/]+"


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


def checkpoint_of(wildcards):
    return plan.checkpoint_folder(plan.features_settings(wildcards.features))


# Where a checkpoint lies is no part of what its embeddings depend on: what it holds is, and that is in the job.
@ask
def network_options(wildcards, resources):
    return f"--checkpoint {quote(checkpoint_of(wildcards))} {compute_options(wildcards, resources)}"


@ask
def embedding_memory(wildcards, attempt):
    files = Path(checkpoint_of(wildcards)).glob("*.safetensors")
    weights_mb = sum(file.stat().st_size for file in files) / 1e6
    return needs.increase(needs.EMBEDDING + needs.PER_WEIGHTS_MB * weights_mb, attempt)


@ask
def embedding_minutes(wildcards, attempt):
    return needs.increase(needs.EMBEDDING_MINUTES, attempt)
