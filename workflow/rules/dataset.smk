# Recordings that the workflow makes or fetches itself, where the configuration asks for them; and checking any dataset.


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


if plan.config["dataset"]["source"] == "made_up":

    rule make_demo_dataset:
        output:
            f"{DATASET}/{{section}}/made_up.json",
        log:
            f"{RESULTS}/logs/make_demo_dataset/{{section}}.log",
        benchmark:
            f"{RESULTS}/logs/make_demo_dataset/{{section}}.benchmark.tsv"
        localrule: True
        conda:
            "../../environment.yml"
        params:
            job=made_up_job,
        shell:
            "python scripts/make_demo_dataset.py --record {output:q} --section {wildcards.section:q}"
            " --job {params.job:q} 2> {log:q}"


if plan.source.downloads:

    # Archives come one after the other. Said here: `resources` in the default profile would take the place of those in
    # any other profile.
    workflow.register_resource("downloads", 1)

    # An archive is no input of its own: one that is missing, and needed for the features of one section, would have
    # Snakemake make the features of its other sections again, and train on them. So each features file has its own
    # mark that the archive is there, made just before and removed just after.
    rule download_archive:
        output:
            temp(f"{FEATURES}.archive"),
        log:
            f"{FEATURES}.download_archive.log",
        benchmark:
            f"{FEATURES}.download_archive.benchmark.tsv"
        priority: archive_position
        localrule: True
        conda:
            "../../environment.yml"
        resources:
            downloads=1,
        params:
            dataset=dataset_place,
        shell:
            "python scripts/download_archive.py --dataset {params.dataset:q} --section {wildcards.section:q}"
            " --output {output:q} 2> {log:q}"

    rule remove_archive:
        input:
            archive_features,
        output:
            touch(f"{plan.features_root}/{{archive}}.removed"),
        log:
            f"{plan.features_root}/{{archive}}.remove_archive.log",
        benchmark:
            f"{plan.features_root}/{{archive}}.remove_archive.benchmark.tsv"
        wildcard_constraints:
            archive="[^/]+\\.zip",
        priority: 1000
        localrule: True
        conda:
            "../../environment.yml"
        params:
            dataset=dataset_place,
        shell:
            "python scripts/remove_archive.py --dataset {params.dataset:q} --archive={wildcards.archive:q} 2> {log:q}"


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


rule check_dataset:
    log:
        f"{RESULTS}/logs/check_dataset.log",
    benchmark:
        f"{RESULTS}/logs/check_dataset.benchmark.tsv"
    conda:
        "../../environment.yml"
    params:
        dataset=dataset_place,
        variants=formats_asked_for,
    shell:
        "python scripts/check_dataset.py --dataset {params.dataset:q} --variants {params.variants:q} 2> {log:q}"
