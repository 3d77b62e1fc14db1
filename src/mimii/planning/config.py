"""Reading a configuration: every error at once, in the words of the person who wrote it."""

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError

from mimii.common.declarations import canonical, problems, resolve
from mimii.common.errors import UserError
from mimii.common.slugs import slug
from mimii.common.suggestions import unknown
from mimii.data.lookup import source_names
from mimii.data.recordings import Format
from mimii.detectors.declaration import check_model_settings, model_declaration, model_names
from mimii.features.settings import check_feature_settings, feature_declarations
from mimii.runs.run import Variant

DEEPEST = 20
LARGEST = 2**63
LONGEST_TEXT = 1000
LONGEST_LINE = 300
MOST_VARIANTS = 10_000


@cache
def schema() -> dict[str, Any]:
    """`config.schema.yaml`, with the names of the datasets that have a file in `data/sources/`."""
    found: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "config.schema.yaml").read_text())
    found["properties"]["dataset"]["properties"]["source"]["enum"] = source_names()
    return found


def read_config(
    raw: Mapping[str, Any], dataset_problems: Callable[[Mapping[str, Any]], Iterable[str]] | None = None
) -> dict[str, Any]:
    """The configuration with its defaults filled in. Raises one UserError that lists all that is wrong with it.

    dataset_problems: asked, where something else is wrong already, what is wrong with the dataset itself.
    """
    refuse([*_unreadable(raw)])
    config = _filled(dict(raw), schema())
    errors = list(Draft202012Validator(schema()).iter_errors(config))
    found = [*_odd_values(raw), *map(_in_words, errors)]
    # What is wrong with one part must not hide what is wrong with another.
    sound = _sound_parts(config, errors)
    found += [*_settings_problems(sound), *_paths_problems(sound)]
    if found and dataset_problems and sound["dataset"] and not any(line.startswith("dataset") for line in found):
        found += dataset_problems(sound["dataset"])
    refuse(found)
    for key, path in config["paths"].items():
        config["paths"][key] = None if path is None else str(PurePosixPath(path))
    return config


def refuse(found: Iterable[str]) -> None:
    """Raise one UserError that lists what was found, if anything was."""
    lines = dict.fromkeys(line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..." for line in found)
    if lines:
        listed = "\n".join(f"  - {line}" for line in lines)
        raise UserError(f"the configuration has {len(lines)} error(s):\n{listed}")


def _unreadable(value: Any, where: str = "", depth: int = 0) -> Iterator[str]:
    """What cannot even be looked at, or shown: endless nesting and endless numbers."""
    if depth > DEEPEST:
        yield f"{where[:100]}...: nested too deeply, or in itself"
    elif isinstance(value, Mapping | list):
        for key, part in _parts(value):
            yield from _unreadable(part, f"{where}.{key}".lstrip("."), depth + 1)
    elif isinstance(value, int) and abs(value) > LARGEST:
        yield f"{where}: a number of {value.bit_length()} bits is too large"


def _odd_values(value: Any, where: str = "") -> Iterator[str]:
    """What YAML can hold and a configuration cannot mean: keys that are no text, NaN, dates, control characters."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                yield f"{where or 'top level'}: key {key!r} is not a text; put it into quotes"
    if isinstance(value, Mapping | list):
        for key, part in _parts(value):
            yield from _odd_values(part, f"{where}.{key}".lstrip("."))
    elif isinstance(value, str):
        if not value.isprintable() or len(value) > LONGEST_TEXT:
            yield f"{where}: {value[:50]!r} is longer than {LONGEST_TEXT} characters, or holds a control character"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where}: {value} is not a finite number"
    elif not isinstance(value, bool | int | float | None):
        yield f"{where}: {value!r} is a {type(value).__name__}; put it into quotes"


def _parts(value: Mapping[Any, Any] | list[Any]) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, Mapping) else enumerate(value)


def _sound_parts(config: Mapping[str, Any], errors: Iterable[ValidationError]) -> dict[str, Any]:
    """The configuration without the parts that do not fit the schema."""
    sound: dict[str, Any] = {"dataset": {}, "models": {}, **config}
    for error in errors:
        match list(error.absolute_path):
            case ["models" | "studies" | "external_scores" as part, entry, *_]:
                sound[part] = {key: value for key, value in sound[part].items() if key != entry}
            case ["models" | "studies" | "external_scores" | "features" | "settings" as part]:
                # The names of entries have errors of their own; what is no mapping at all cannot be looked at.
                names = sound[part] if error.validator == "propertyNames" else {}
                sound[part] = {key: value for key, value in names.items() if key != error.instance}
            case ["dataset" | "paths" as part, *_]:
                sound[part] = {}
    return sound


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
    if instance is None:
        return f"{where}: holds nothing; give it a value, or leave the key out"
    if error.validator == "pattern" and "description" in rule:
        return f"{where}: {instance!r} is not {rule['description']}"
    if error.validator == "enum":
        return f"{where}: {unknown('value', instance, map(str, rule['enum']))}"
    if error.validator == "oneOf" and rule["oneOf"][0].get("const") == "all":
        if isinstance(instance, list):
            return "; ".join(_in_words(inner) for inner in error.context if inner.validator != "const")
        return f"{where}: expected `all` or a list of names such as [fan, pump], found {instance!r}"
    return f"{where}: {error.message}"


def _settings_problems(config: Mapping[str, Any]) -> Iterator[str]:
    common = [*_common_problems(config)]
    models = {name: [*_model_problems(name, config["models"][name])] for name in config["models"]}
    studies = {name: [*_study_problems(name, declared)] for name, declared in config["studies"].items()}
    yield from itertools.chain(common, *models.values(), *studies.values())
    if common:
        return
    # Of settings that are each in range: do they go together?
    sound = {name for name, found in models.items() if not found}
    yield from _contradictions(
        {
            **config,
            "models": {name: own for name, own in config["models"].items() if name in sound},
            "studies": {
                name: declared
                for name, declared in config["studies"].items()
                if not studies[name] and sound.issuperset(set(models) & set(_models_of(declared)))
            },
        }
    )


def _contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    """Of every variant; what several of them have in common is said of the first."""
    places = [(f"models.{variant.model}", variant) for variant in base_variants(config)]
    places += [
        (f"studies.{study}", variant) for study in config["studies"] for variant in study_variants(config, study)
    ]
    of_features: dict[str, str] = {}
    of_models: dict[tuple[str, str], str] = {}
    seen = set()
    for where, variant in places:
        if variant.features_name not in seen:
            seen.add(variant.features_name)
            for line in check_feature_settings(variant.features):
                of_features.setdefault(line, where)
        for line in check_model_settings(variant.model, variant.settings, variant.features["n_mels"]):
            of_models.setdefault((variant.model, line), where)
    for line, where in of_features.items():
        yield line if where.startswith("models.") else f"{where}: {line}"
    for (model, line), where in of_models.items():
        yield f"{where}: {line}" + ("" if where.startswith("models.") else f" (model {model})")


def format_problems(variants: Iterable[Variant], known: Format | None) -> Iterator[str]:
    """Why recordings of a known format cannot be used with the settings of these variants."""
    if known is None:
        return
    for variant in variants:
        features, frames = variant.features, variant.settings["frames"]
        samples = math.ceil(known.samples * features["sample_rate"] / known.rate)
        clip = 1 + samples // features["hop_length"]
        if known.rate != features["sample_rate"] and not features["resample"]:
            yield (
                f"features: sample_rate {features['sample_rate']} Hz, but the recordings have {known.rate} Hz; "
                f"set resample: true, or sample_rate: {known.rate}"
            )
        if features["channel"] != "mean" and features["channel"] >= known.channels:
            yield (
                f"features: channel {features['channel']}, counted from 0, but the recordings have {known.channels}; "
                "choose one that is there, or mean"
            )
        if features["padding"] == "reflect" and samples <= features["n_fft"] // 2:
            yield (
                f"features: half of n_fft {features['n_fft']} is more than the {samples} samples of a recording; "
                "lower n_fft, or set padding: constant"
            )
        if frames is not None and frames > clip:
            yield (
                f"{variant.model}, {variant.name}: frames {frames} is more than the {clip} frames of a recording "
                f"({samples} samples, hop_length {features['hop_length']}); lower frames or hop_length"
            )


def _common_problems(config: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"features.{line}" for line in problems(config["features"], feature_declarations()))
    studied = (name for declared in config["studies"].values() for name in _models_of(declared))
    names = [name for name in dict.fromkeys([*config["models"], *studied]) if name in model_names()]
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
    yield from _alike("studies", config["studies"])
    yield from _alike("external_scores", config["external_scores"])


def _model_problems(name: str, own: Mapping[str, Any] | None) -> Iterator[str]:
    if name not in model_names():
        yield f"models: {unknown('model', name, model_names())}"
        return
    yield from (f"models.{name}.{line}" for line in problems(own or {}, model_declaration(name).settings))


def _study_problems(study: str, declared: Mapping[str, Any]) -> Iterator[str]:
    where = f"studies.{study}"
    if "vary" in declared and "variants" in declared:
        yield f"{where}: `vary` (a grid) and `variants` (a list) exclude each other"
    if not any(declared.get(key) for key in ("vary", "variants", "set")):
        yield f"{where}: changes nothing; name settings under `vary`, `variants` or `set`"
    if both := set(declared.get("vary", {})) & set(declared.get("set", {})):
        yield f"{where}: {', '.join(sorted(map(str, both)))} is both in `vary` and in `set`"
    if (size := math.prod(map(len, declared.get("vary", {}).values()))) > MOST_VARIANTS:
        yield f"{where}.vary: a grid of {size} variants; at most {MOST_VARIANTS} are possible"
        return
    for model in _models_of(declared):
        if model not in model_names():
            yield f"{where}.model: {unknown('model', model, model_names())}"
            continue
        known = {**feature_declarations(), **model_declaration(model).settings}
        for overrides in _overrides(declared):
            yield from (f"{where}: {line} (model {model})" for line in problems(overrides, known))


def _alike(where: str, names: Iterable[str]) -> Iterator[str]:
    """Names that would be one file where upper and lower case are the same."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            yield f"{where}: {other} and {name} differ in upper and lower case alone; rename one"


def _paths_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Paths may lead anywhere, but they go through Snakemake's patterns, command lines and file systems."""
    paths = {f"paths.{key}": path for key, path in config["paths"].items() if path is not None}
    paths |= {f"external_scores.{name}": path for name, path in config["external_scores"].items()}
    if config["dataset"]:
        paths["dataset.root"] = config["dataset"]["root"]
    for key, path in paths.items():
        if re.search(r"[{}]", path):
            yield f"{key}: {path!r} holds a brace, which Snakemake takes for a pattern"
        if path.startswith(("-", "~")):
            yield f"{key}: {path!r} starts with {path[0]!r}; write ./{path}, or the whole path of your home folder"
        if any(len(part.encode("utf-8", "replace")) > 255 for part in path.split("/")):
            yield f"{key}: a name in {path[:50]!r}... is longer than 255 bytes"
        if path != path.strip():
            yield f"{key}: {path!r} begins or ends with a space"
    results, csv = paths.get("paths.results"), paths.get("paths.csv")
    if results and csv:
        for part in ("models", "studies"):
            if PurePosixPath(csv).is_relative_to(PurePosixPath(results, part)):
                yield f"paths.csv: {csv!r} is among the CSVs of {part}; choose another folder"


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
