"""What the result of each kind of job depends on beside its input files, as one canonical JSON string.

Snakemake compares these strings to see whether a job has to run again; the job's script reads its own.
"""

from collections.abc import Mapping
from typing import Any

from mimii.common import fingerprints
from mimii.common.canonical import to_json
from mimii.common.declarations import resolve
from mimii.common.errors import UserError
from mimii.data.sections import Section
from mimii.data.selection import FILTERS
from mimii.detectors.declaration import model_declaration
from mimii.features.settings import resolve_features
from mimii.paper import entries
from mimii.planning.config import parse_seed
from mimii.planning.plan import Plan
from mimii.planning.variants import ensemble_runs, external_runs, overrides_of, runs_of, study_variants, variant_of
from mimii.runs.run import Run, ensemble_variant_name


def made_up_job(plan: Plan) -> str:
    """Settings and code of made-up recordings; which sections there are is no setting of any one of them."""
    recordings = {key: value for key, value in plan.config["dataset"]["made_up"].items() if key not in FILTERS}
    return to_json({**recordings, "code": fingerprints.fingerprint("mimii.data.made_up.recordings")})


def features_job(plan: Plan, features_name: str, section: Section) -> str:
    """Settings, clips and code of a section's features."""
    settings = plan.features_settings(features_name)
    return to_json(
        {
            "settings": settings,
            "section": section.path,
            "listed": plan.listed(section),
            "on_bad_clip": plan.config["dataset"]["on_bad_clip"],
            "code": fingerprints.features_code(plan.source.name, settings["extractor"]),
        }
    )


def training_job(plan: Plan, model: str, variant: str, seed: str, scope: str) -> str:
    """All that names a training, its settings and its code. Raises UserError where a name means nothing."""
    configured = plan.variant(model, variant)
    return to_json(
        {
            "model": model,
            "variant": variant,
            "seed": parse_seed(seed),
            "scope": scope,
            "settings": configured.settings,
            "features": configured.features,
            "code": fingerprints.training_code(model),
            "recordings": {section.path: plan.listed(section) for section in plan.sections_of_scope(configured, scope)},
        }
    )


def scoring_job(plan: Plan, model: str, section: Section) -> str:
    """Whose clips are scored, scoring settings and the code that scores."""
    scoring = {"scoring": plan.config["scoring"], "code": fingerprints.scoring_code(model)}
    return to_json({"model": model, "section": section.path, **scoring})


def metrics_job(plan: Plan) -> str:
    """Metrics settings and code."""
    return to_json({"metrics": plan.config["metrics"], "code": fingerprints.metrics_code()})


def study_job(plan: Plan, study: str) -> str:
    """What the table of a study shows, and the code that writes it."""
    declared = plan.config["studies"][study]
    varied = [*declared.get("vary", {}), *(key for variant in declared.get("variants", []) for key in variant)]
    return to_json(
        {
            "study": study,
            "variants": [[variant.model, variant.name] for variant in study_variants(plan.config, study)],
            "varied": list(dict.fromkeys(varied)),
            "code": fingerprints.fingerprint("mimii.paper.study_tables"),
        }
    )


def statistics_job(plan: Plan) -> str:
    """What is compared, and the code that compares it."""
    return to_json({"variants": plan.compared, "code": fingerprints.fingerprint("mimii.evaluation.compared")})


def tables_job(plan: Plan) -> str:
    """What is compared, and the code that writes the tables."""
    code = fingerprints.fingerprint("mimii.paper.results", *entries.modules("tables"))
    return to_json({"variants": plan.compared, "domains": plan.domains, "code": code})


def figures_job(plan: Plan) -> str:
    """What is compared, and the code that draws it."""
    code = fingerprints.fingerprint("mimii.paper.results", *entries.modules("figures"))
    return to_json({"variants": plan.compared, "domains": plan.domains, "code": code})


def clips_job(plan: Plan, model: str) -> str:
    """The code that draws a model's clips."""
    return to_json({"code": fingerprints.fingerprint("mimii.paper.clip_figures", f"mimii.models.{model}")})


def heard_clips_job(plan: Plan, model: str) -> str:
    """How many clips of a model the page shows, and the code that gathers them."""
    code = fingerprints.fingerprint("mimii.paper.page.listening", f"mimii.models.{model}")
    return to_json({"count": plan.config["report"]["clips"]["count"], "code": code})


def page_job(plan: Plan) -> str:
    """What the page compares, and the code that makes it."""
    code = fingerprints.fingerprint("mimii.paper.page.board", "mimii.paper.page.assemble")
    look = fingerprints.files_fingerprint("paper/page", ".html", ".css", ".js")
    return to_json({"variants": plan.compared, "code": code, "look": look})


def baseline_job(plan: Plan) -> str:
    """The code of the check against the reference run."""
    return to_json({"code": fingerprints.fingerprint("mimii.paper.official_baseline.table")})


def external_job(plan: Plan, name: str, section: Section) -> str:
    """What names external scores, and the code that reads them."""
    code = fingerprints.fingerprint("mimii.runs.external")
    return to_json({"name": name, "section": section.path, "code": code, "recordings": plan.listed(section)})


def ensemble_job(plan: Plan, name: str, variant: str, seed: str, section: Section) -> str:
    """What names an ensemble's run, its settings, whose mean it is, and the code that takes it.

    Raises UserError where the variant is not that of the ensemble as it is configured.
    """
    configured = ensemble_variant_name(plan.ensembles[name])
    if variant != configured:
        raise UserError(f"{name}/{variant}: the configuration has {name}/{configured}")
    return to_json(
        {
            "name": name,
            "seed": parse_seed(seed),
            "section": section.path,
            "settings": plan.ensembles[name],
            "runs": [run.path for run in plan.member_runs(name, parse_seed(seed), section)],
            "code": fingerprints.fingerprint(fingerprints.ENSEMBLE_MODULE),
        }
    )


def merge_job(plan: Plan, *, model: str | None = None, study: str | None = None) -> str:
    """The table of contents of a CSV: variants x seeds x sections, and the recordings behind them."""
    variants = plan.variants_of(model=model, study=study)
    return to_json(
        {
            "variants": [
                {"model": variant.model, "name": variant.name, "overrides": overrides_of(variant)}
                for variant in variants
            ],
            "external": [name for name in plan.external if study is None and model in (None, name)],
            "ensembles": {
                name: settings for name, settings in plan.ensembles.items() if study is None and model in (None, name)
            },
            "seeds": plan.seeds,
            "sections": [section.path for section in plan.sections],
            "recordings": {section.path: plan.listed(section) for section in plan.trained_on(variants)},
            "features_code": {
                extractor: fingerprints.features_code(plan.source.name, extractor)
                for extractor in {variant.features["extractor"] for variant in variants}
            },
            "metrics": plan.config["metrics"],
            "scoring": plan.config["scoring"],
            "code": fingerprints.fingerprint("mimii.evaluation.merging"),
        }
    )


def listed_runs(contents: Mapping[str, Any]) -> list[Run]:
    """The runs that a `merge_job` lists, in its order."""
    variants = []
    for variant in contents["variants"]:
        declared, given = model_declaration(variant["model"]).settings, variant["overrides"]
        settings = resolve(declared, {key: value for key, value in given.items() if key in declared})
        variants.append(variant_of(variant["model"], settings, resolve_features(given)))
    sections = [Section.parse(section) for section in contents["sections"]]
    return [
        *runs_of(variants, contents["seeds"], sections),
        *external_runs(contents["external"], sections),
        *ensemble_runs(contents["ensembles"], contents["seeds"], sections),
    ]


def recorded_columns(contents: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the rows of each model that a `merge_job` lists must hold: present code, present settings of the metrics."""
    metrics = {**contents["metrics"], "metrics_code": fingerprints.metrics_code()}
    columns = {name: {**metrics, "training_code": None, "scoring_code": None} for name in contents["external"]}
    combining = fingerprints.fingerprint(fingerprints.ENSEMBLE_MODULE)
    columns |= {name: {**metrics, "training_code": None, "scoring_code": combining} for name in contents["ensembles"]}
    for variant in contents["variants"]:
        model = variant["model"]
        codes = {"training_code": fingerprints.training_code(model), "scoring_code": fingerprints.scoring_code(model)}
        columns[model] = {**metrics, **codes, **contents["scoring"]}
    return columns
