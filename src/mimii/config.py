"""Reading a configuration: every error at once, in the words of the person who wrote it."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError

from mimii.errors import UserError
from mimii.feature_settings import check_feature_settings
from mimii.names import model_names, unknown
from mimii.settings import (
    canonical,
    feature_declarations,
    model_declaration,
    problems,
    resolve,
    slug,
)


@dataclass(frozen=True)
class Variant:
    """A model with all of its settings and those of its features; `name` is the slug of what differs."""

    model: str
    name: str
    settings: Mapping[str, Any]
    features: Mapping[str, Any]
    features_name: str


@cache
def schema() -> dict[str, Any]:
    """`config.schema.yaml`."""
    return yaml.safe_load((Path(__file__).parent / "config.schema.yaml").read_text())


def read_config(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with its defaults filled in. Raises one UserError that lists all that is wrong with it."""
    config = _filled(dict(raw), schema())
    found = [_in_words(error) for error in Draft202012Validator(schema()).iter_errors(config)]
    if not found:
        found = [*_settings_problems(config), *_studies_problems(config)]
    if not found:
        found = [problem for variant in all_variants(config) for problem in check_feature_settings(variant.features)]
    if found:
        listed = "\n".join(f"  - {line}" for line in dict.fromkeys(found))
        raise UserError(f"the configuration has {len(set(found))} error(s):\n{listed}")
    return config


def _filled(value: Any, schema_part: Mapping[str, Any]) -> Any:
    """`value` with the schema's defaults, nested ones too, and numbers in one spelling."""
    properties = schema_part.get("properties")
    if properties and isinstance(value, Mapping):
        filled = dict(value)
        for key, part in properties.items():
            if key in filled:
                filled[key] = _filled(filled[key], part)
            elif "default" in part:
                filled[key] = _filled(part["default"], part)
        return filled
    return canonical(value, schema_part)


def _in_words(error: ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path) or "top level"
    rule: Any = error.schema
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        extra = [key for key in instance if key not in rule["properties"]]
        return "; ".join(f"{where}: {unknown('key', key, rule['properties'])}" for key in extra)
    if error.validator == "enum":
        return f"{where}: {unknown('value', instance, map(str, rule['enum']))}"
    if error.validator == "oneOf" and rule["oneOf"][0].get("const") == "all":
        return f"{where}: expected `all` or a list of names such as [fan, pump], found {instance!r}"
    return f"{where}: {error.message}"


def _settings_problems(config: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"features.{line}" for line in problems(config["features"], feature_declarations()))
    names = [name for name in config["models"] if name in model_names()]
    yield from (f"models: {unknown('model', name, model_names())}" for name in config["models"] if name not in names)
    for key, value in config["settings"].items():
        declaring = [name for name in model_names() if key in model_declaration(name).settings]
        if not declaring:
            known = {setting for name in model_names() for setting in model_declaration(name).settings}
            yield f"settings: {unknown('setting', key, known)}"
        for name in declaring:
            if name in names:
                found = problems({key: value}, model_declaration(name).settings)
                yield from (f"settings.{line} (model {name})" for line in found)
    for name in config["external_scores"]:
        if name in model_names():
            yield f"external_scores.{name}: a model of this benchmark has that name; choose another"
    for name in names:
        found = problems(config["models"][name] or {}, model_declaration(name).settings)
        yield from (f"models.{name}.{line}" for line in found)


def _studies_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for study, declared in config["studies"].items():
        where = f"studies.{study}"
        if "vary" in declared and "variants" in declared:
            yield f"{where}: `vary` (a grid) and `variants` (a list) exclude each other"
        for model in _models_of(declared):
            if model not in model_names():
                yield f"{where}.model: {unknown('model', model, model_names())}"
                continue
            known = {**feature_declarations(), **model_declaration(model).settings}
            for overrides in _overrides(declared):
                yield from (f"{where}: {line} (model {model})" for line in problems(overrides, known))


def _models_of(study: Mapping[str, Any]) -> list[str]:
    return [study["model"]] if isinstance(study["model"], str) else study["model"]


def _overrides(study: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
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
    declared, declared_features = model_declaration(model).settings, feature_declarations()
    common = {key: value for key, value in config["settings"].items() if key in declared}
    own = config["models"].get(model) or {}
    for_model = {key: value for key, value in overrides.items() if key in declared}
    for_features = {key: value for key, value in overrides.items() if key in declared_features}
    return variant_of(
        model,
        resolve(declared, common, own, for_model),
        resolve(declared_features, config["features"], for_features),
    )


def base_variants(config: Mapping[str, Any]) -> list[Variant]:
    """One for each configured model, in the configured order."""
    return [_configured(config, model, {}) for model in config["models"]]


def study_variants(config: Mapping[str, Any], study: str) -> list[Variant]:
    """A study's variants, in the configured order, each once."""
    declared = config["studies"][study]
    found = [
        _configured(config, model, overrides) for overrides in _overrides(declared) for model in _models_of(declared)
    ]
    return list({(variant.model, variant.name): variant for variant in found}.values())


def all_variants(config: Mapping[str, Any]) -> list[Variant]:
    """The configured models' and every study's, each once."""
    studies = (study_variants(config, study) for study in config["studies"])
    found = itertools.chain(base_variants(config), *studies)
    return list({(variant.model, variant.name): variant for variant in found}.values())
