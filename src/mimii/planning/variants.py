"""Variants: which settings each configured model and each study runs with, and what that is called."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mimii.common.declarations import resolve
from mimii.common.slugs import slug
from mimii.data.sections import Section
from mimii.detectors.declaration import model_declaration
from mimii.features.settings import feature_declarations, resolve_features
from mimii.runs.run import EXTERNAL, Run, Variant, ensemble_variant_name


def models_of(study: Mapping[str, Any]) -> list[str]:
    return [study["model"]] if isinstance(study["model"], str) else study["model"]


def overrides_in(study: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What each of the study's variants sets, in the configured order."""
    fixed = study.get("set", {})
    if "variants" in study:
        yield from ({**fixed, **variant} for variant in study["variants"])
    else:
        vary = study.get("vary", {})
        for values in itertools.product(*vary.values()):
            yield {**fixed, **dict(zip(vary, values, strict=True))}


def variant_of(model: str, settings: Mapping[str, Any], features: Mapping[str, Any]) -> Variant:
    """The variant with these resolved settings."""
    declared, declared_features = model_declaration(model).settings, feature_declarations()
    name = slug({**features, **settings}, {**declared_features, **declared})
    return Variant(model, name, settings, features, slug(features, declared_features))


def overrides_of(variant: Variant) -> dict[str, Any]:
    """Only what differs from the declared defaults."""
    defaults = resolve({**feature_declarations(), **model_declaration(variant.model).settings})
    values = {**variant.features, **variant.settings}
    return {key: value for key, value in values.items() if value != defaults[key]}


def _configured(config: Mapping[str, Any], model: str, overrides: Mapping[str, Any]) -> Variant:
    declared = model_declaration(model).settings
    common = {key: value for key, value in config["settings"].items() if key in declared}
    own = config["models"].get(model) or {}
    for_model = {key: value for key, value in overrides.items() if key in declared}
    settings = resolve(declared, common, own, for_model)
    return variant_of(model, settings, resolve_features(config["features"], overrides))


def base_variants(config: Mapping[str, Any]) -> list[Variant]:
    """One for each configured model, in the configured order."""
    return [_configured(config, model, {}) for model in config["models"]]


def study_variants(config: Mapping[str, Any], study: str) -> list[Variant]:
    """A study's variants, in the configured order, each once."""
    declared = config["studies"][study]
    variants = [
        _configured(config, model, overrides) for overrides in overrides_in(declared) for model in models_of(declared)
    ]
    return list({(variant.model, variant.name): variant for variant in variants}.values())


def all_variants(config: Mapping[str, Any]) -> list[Variant]:
    """The configured models' and every study's, each once."""
    studies = (study_variants(config, study) for study in config["studies"])
    variants = itertools.chain(base_variants(config), *studies)
    return list({(variant.model, variant.name): variant for variant in variants}.values())


def seeds_of(model: str, seeds: Sequence[int]) -> Sequence[int]:
    """The seeds that a model runs with: the first alone where it draws nothing from it."""
    return seeds if model_declaration(model).stochastic else seeds[:1]


def runs_of(variants: Iterable[Variant], seeds: Sequence[int], sections: Sequence[Section]) -> Iterator[Run]:
    """Each variant with each of its seeds on each section; in that order."""
    for variant in variants:
        for seed in seeds_of(variant.model, seeds):
            yield from (Run(variant, seed, section) for section in sections)


def external_runs(names: Iterable[str], sections: Sequence[Section]) -> Iterator[Run]:
    """External scores on each section; they have no seed."""
    for name in names:
        yield from (Run(external_variant(name), None, section) for section in sections)


def ensemble_variant(name: str, settings: Mapping[str, Any]) -> Variant:
    """What stands for a model where the configuration names an ensemble. settings: `ensemble_settings`."""
    return Variant(name, ensemble_variant_name(settings), settings, {}, "")


def ensemble_settings(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """How an ensemble comes to its scores, and its members: `model/variant` of each, as the configuration has them
    where they are named without a variant; `name/external` of external scores.
    """
    declared = config["ensembles"][name]
    variants = {variant.model: variant.name for variant in base_variants(config)}
    variants |= dict.fromkeys(config["external_scores"], EXTERNAL)
    members = [member if "/" in member else f"{member}/{variants[member]}" for member in declared["members"]]
    return {"how": declared.get("how", "standardised"), "members": members}


def ensemble_seeds(settings: Mapping[str, Any], seeds: Sequence[int]) -> Sequence[int]:
    """The seeds that an ensemble has: the first alone where no member draws anything from it."""
    members = [member.split("/") for member in settings["members"]]
    return max((seeds[:1] if variant == EXTERNAL else seeds_of(model, seeds) for model, variant in members), key=len)


def ensemble_runs(
    ensembles: Mapping[str, Mapping[str, Any]], seeds: Sequence[int], sections: Sequence[Section]
) -> Iterator[Run]:
    """Each ensemble with each of its seeds on each section. ensembles: settings of each by its name."""
    for name, settings in ensembles.items():
        for seed in ensemble_seeds(settings, seeds):
            yield from (Run(ensemble_variant(name, settings), seed, section) for section in sections)


def external_variant(name: str) -> Variant:
    """What stands for a model where the configuration names external scores."""
    return Variant(name, EXTERNAL, {}, {}, "")
