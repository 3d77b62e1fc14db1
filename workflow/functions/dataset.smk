# What the rules of rules/dataset.smk ask about their jobs.


@ask
def made_up_job(wildcards):
    return job_parameters.made_up_job(plan)


@ask
def archives_removed(wildcards):
    if not plan.source.downloads or plan.source.settings["keep_archives"]:
        return []
    return [
        f"{plan.features_root}/{archive}.removed"
        for archive in plan.source.all_archive_names()
    ]


@ask
def archive_position(wildcards):
    """Archives come one after the other: the first has the highest priority, each below that of using them."""
    section = Section.parse(wildcards.section)
    names = plan.source.all_archive_names()
    name = plan.source.archive_names(section)[0]
    return 1 + len(names) - names.index(name) if name in names else 1


@ask
def archive_features(wildcards):
    """The configured features that are made from an archive."""
    return sorted(
        {
            plan.features_file(variant, section)
            for variant in plan.variants
            for section in plan.sections
            if wildcards.archive in plan.source.archive_names(section)
        }
    )


def formats_asked_for(wildcards, resources):
    """What decides whether recordings suit the configuration: features and window, once each, the first hundred."""
    variants = {
        (variant.features_name, variant.settings.get("frames")): {
            "model": variant.model,
            "name": variant.name,
            "settings": {"frames": variant.settings.get("frames")},
            "features": variant.features,
            "features_name": variant.features_name,
        }
        for variant in plan.variants
    }
    return to_json(list(variants.values())[:100])
