"""What is wrong with a configuration: found part by part, so that nothing wrong hides anything else that is."""

import itertools
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from mimii.common.declarations import problems
from mimii.common.problems import Problem
from mimii.common.suggestions import unknown
from mimii.data.recordings import Format
from mimii.detectors.declaration import check_model_settings, model_declaration, model_names
from mimii.features.settings import (
    check_feature_settings,
    extractor_of,
    feature_declarations,
    foreign_settings,
    frame_count,
    frame_step,
    frame_values,
)
from mimii.planning.checkpoints import checkpoint_contradictions
from mimii.planning.variants import base_variants, ensemble_settings, models_of, overrides_in, study_variants
from mimii.runs.run import EXTERNAL, Variant

TOP = "top level"
# Folders of the workflow's own.
SOURCE_PARTS = (".git", ".snakemake", "benchmarks", "config", "docs", "profiles", "scripts", "src", "tests", "workflow")
DEEPEST = 20
LARGEST = 2**63
LONGEST_TEXT = 1000
MOST_VARIANTS = 10_000

# Keys of earlier versions, and what is in their place.
GONE = {
    "metrics.pooling": "there is no key 'pooling' any more: results.csv has the metrics of the mean of a clip's window "
    "scores, and metrics.csv beside it those of every other score; leave the key out",
}


def config_problems(
    raw: Mapping[str, Any], config: Mapping[str, Any], schema: Mapping[str, Any]
) -> tuple[list[Problem], Mapping[str, Any]]:
    """All that is wrong with a configuration but its recordings, and its `dataset` where nothing is wrong with that.

    raw: as it was given; config: with its defaults.
    """
    errors = list(Draft202012Validator(schema).iter_errors(config))
    faults = [*_odd_values(raw), *itertools.chain.from_iterable(map(_in_words, errors))]
    sound = _sound_parts(config, errors)
    faults += [*_settings_problems(sound), *_paths_problems(sound), *_word_problems(sound["dataset"])]
    dataset = {} if any(fault.where.startswith("dataset") for fault in faults) else sound["dataset"]
    return faults, dataset


def unreadable(value: Any, where: str = "", depth: int = 0) -> Iterator[Problem]:
    """What cannot even be looked at, or shown: endless nesting and endless numbers."""
    if depth > DEEPEST:
        yield Problem(f"{where[:100]}...", "nested too deeply, or in itself")
    elif isinstance(value, Mapping | list):
        for key, part in _parts(value):
            yield from unreadable(part, f"{where}.{key}".lstrip("."), depth + 1)
    elif isinstance(value, int) and abs(value) > LARGEST:
        yield Problem(where, f"a number of {value.bit_length()} bits is too large")


def _odd_values(value: Any, where: str = "") -> Iterator[Problem]:
    """What YAML can hold and a configuration cannot mean: keys that are no text, NaN, dates, control characters."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                yield Problem(where or TOP, f"key {key!r} is not a text; put it into quotes")
    if isinstance(value, Mapping | list):
        for key, part in _parts(value):
            yield from _odd_values(part, f"{where}.{key}".lstrip("."))
    elif isinstance(value, str):
        if not value.isprintable() or len(value) > LONGEST_TEXT:
            text = f"{value[:50]!r} is longer than {LONGEST_TEXT} characters, or holds a control character"
            yield Problem(where, text)
    elif isinstance(value, float) and not math.isfinite(value):
        yield Problem(where, f"{value} is not a finite number")
    elif not isinstance(value, bool | int | float | None):
        yield Problem(where, f"{value!r} is a {type(value).__name__}; put it into quotes")


def _parts(value: Mapping[Any, Any] | list[Any]) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, Mapping) else enumerate(value)


def _sound_parts(config: Mapping[str, Any], errors: Iterable[ValidationError]) -> dict[str, Any]:
    """The configuration without the parts that do not fit the schema, and without keys that are no text."""
    sound: dict[str, Any] = {"dataset": {}, "models": {}}
    for part, value in config.items():
        named = isinstance(value, Mapping)
        sound[part] = {key: one for key, one in value.items() if isinstance(key, str)} if named else value
    for error in errors:
        match list(error.absolute_path):
            case ["models" | "studies" | "external_scores" | "ensembles" as part, entry, *_]:
                sound[part] = {key: value for key, value in sound[part].items() if key != entry}
            case ["models" | "studies" | "external_scores" | "ensembles" | "features" | "settings" as part]:
                # The names of entries have errors of their own; what is no mapping at all cannot be looked at.
                names = sound[part] if error.validator == "propertyNames" else {}
                sound[part] = {key: value for key, value in names.items() if key != error.instance}
            case ["dataset" | "paths" as part, *_]:
                sound[part] = {}
    return sound


def _in_words(error: ValidationError) -> list[Problem]:
    where = ".".join(str(part) for part in error.absolute_path) or TOP
    rule: Any = error.schema
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        known = rule["properties"]
        return [
            Problem(where, GONE.get(f"{where}.{key}") or _misplaced(where, key, value) or unknown("key", key, known))
            for key, value in instance.items()
            if key not in known
        ]
    if error.validator == "oneOf" and isinstance(instance, list):
        # The last of the alternatives is a list.
        last = len(rule["oneOf"]) - 1
        within = (_in_words(inner) for inner in error.context or () if inner.schema_path[0] == last)
        return list(itertools.chain.from_iterable(within))
    if instance is None:
        text = "holds nothing; give it a value, or leave the key out"
    elif where == "seeds" and isinstance(instance, int) and not isinstance(instance, bool):
        text = f"{instance} may be one seed or how many; write [{instance}] for the seed {instance}, or list them all, "
        text += f"as {[*range(42, 42 + min(max(instance, 2), 5))]}"
    elif error.validator in ("pattern", "oneOf", "type") and "description" in rule:
        text = f"{instance!r} is not {rule['description']}"
    elif error.validator == "enum":
        text = unknown("value", instance, map(str, rule["enum"]))
    else:
        text = error.message
    return [Problem(where, text)]


def _misplaced(where: str, key: str, value: Any) -> str | None:
    """Where a setting belongs that stands at the top; None where it is no setting, or stands elsewhere."""
    if where != TOP:
        return None
    if key in feature_declarations():
        return f"{key!r} is a setting of the features; write features: {{{key}: {value}}}"
    if any(key in model_declaration(name).settings for name in model_names()):
        return f"{key!r} is a setting of models; write settings: {{{key}: {value}}}"
    return None


def _settings_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    common = [*_common_problems(config)]
    models = {name: [*_model_problems(name, config["models"][name])] for name in config["models"]}
    studies = {
        name: [*_study_problems(name, declared, config["features"])] for name, declared in config["studies"].items()
    }
    yield from itertools.chain(common, *models.values(), *studies.values())
    if common:
        return
    # Of settings that are each in range: do they go together?
    sound = {name for name, faults in models.items() if not faults}
    yield from _contradictions(
        {
            **config,
            "models": {name: own for name, own in config["models"].items() if name in sound},
            "studies": {
                name: declared
                for name, declared in config["studies"].items()
                if not studies[name] and sound.issuperset(set(models) & set(models_of(declared)))
            },
        }
    )


def _contradictions(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Contradictions in each variant's settings; what several variants have in common is said of the first alone."""
    places = [(f"models.{variant.model}", variant) for variant in base_variants(config)]
    places += [
        (f"studies.{study}", variant) for study in config["studies"] for variant in study_variants(config, study)
    ]
    of_features: dict[str, str] = {}
    of_models: dict[tuple[str, str], str] = {}
    checked = set()
    for where, variant in places:
        if variant.features_name not in checked:
            checked.add(variant.features_name)
            for text in (*check_feature_settings(variant.features), *checkpoint_contradictions(variant.features)):
                of_features.setdefault(text, where)
        for text in check_model_settings(variant.model, variant.settings, frame_values(variant.features)):
            of_models.setdefault((variant.model, text), where)
    for text, where in of_features.items():
        yield Problem("features", text) if where.startswith("models.") else Problem(where, f"features: {text}")
    for (model, text), where in of_models.items():
        yield Problem(where, text if where.startswith("models.") else f"{text} (model {model})")


def format_problems(variants: Iterable[Variant], known: Format | None) -> Iterator[Problem]:
    """Why recordings of a known format cannot be used with the settings of these variants."""
    if known is None:
        return
    for variant in variants:
        features, frames = variant.features, variant.settings["frames"]
        yield from (Problem("features", text) for text in _format_contradictions(features, known))
        if frames is not None and frames > (clip := frame_count(features, known.samples, known.rate)):
            yield Problem(
                f"{variant.model}, {variant.name}",
                f"frames {frames} is more than the {clip} frames of a recording "
                f"({known.samples} samples at {known.rate} Hz, a frame every {frame_step(features):.4g} s); "
                f"lower frames or {'hop_length' if 'hop_length' in features else 'frame_seconds'}",
            )


def _format_contradictions(features: Mapping[str, Any], known: Format) -> Iterator[str]:
    """Why recordings of a known format cannot be used with settings of the features."""
    if features["channel"] != "mean" and features["channel"] >= known.channels:
        yield (
            f"channel {features['channel']}, counted from 0, but the recordings have {known.channels}; "
            "choose one that is there, or mean"
        )
    if features["extractor"] != "log_mel":
        return
    samples = math.ceil(known.samples * features["sample_rate"] / known.rate)
    if known.rate != features["sample_rate"] and not features["resample"]:
        yield (
            f"sample_rate {features['sample_rate']} Hz, but the recordings have {known.rate} Hz; "
            f"set resample: true, or sample_rate: {known.rate}"
        )
    if features["padding"] == "reflect" and samples <= features["n_fft"] // 2:
        yield (
            f"half of n_fft {features['n_fft']} is more than the {samples} samples of a recording; "
            "lower n_fft, or set padding: constant"
        )


def _common_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    features = config["features"]
    yield from (fault.within("features") for fault in problems(features, feature_declarations()))
    yield from (Problem("features", text) for text in foreign_settings(features, extractor_of(features)))
    studied = (name for declared in config["studies"].values() for name in models_of(declared))
    names = [name for name in dict.fromkeys([*config["models"], *studied]) if name in model_names()]
    for key, value in config["settings"].items():
        declaring = [name for name in model_names() if key in model_declaration(name).settings]
        if not declaring:
            known = {setting for name in model_names() for setting in model_declaration(name).settings}
            yield Problem("settings", unknown("setting", key, known))
        for name in declaring:
            if name in names:
                for fault in problems({key: value}, model_declaration(name).settings):
                    yield Problem(f"settings.{key}", f"{fault.text} (model {name})")
    for name in config["external_scores"]:
        if name in model_names():
            yield Problem(f"external_scores.{name}", "a model of this benchmark has that name; choose another")
    yield from _alike("studies", config["studies"])
    for name, declared in config["ensembles"].items():
        if name in model_names() or name in config["external_scores"]:
            yield Problem(f"ensembles.{name}", "a model or external scores have that name; choose another")
        for model, variant, _ in (member.partition("/") for member in declared["members"]):
            members = [*config["external_scores"], *(names if variant else config["models"])]
            if model not in members:
                yield Problem(f"ensembles.{name}.members", unknown("configured model", model, members))
    yield from _alike("external_scores", [*config["external_scores"], *config["ensembles"]])


def member_problems(config: Mapping[str, Any], variants: Iterable[Variant]) -> Iterator[Problem]:
    """What is wrong with members of ensembles whose models are configured. variants: all that are configured."""
    known = [f"{variant.model}/{variant.name}" for variant in variants]
    known += [f"{name}/{EXTERNAL}" for name in config["external_scores"]]
    for name in config["ensembles"]:
        settings = ensemble_settings(config, name)
        members = settings["members"]
        for member in members:
            if member not in known:
                yield Problem(f"ensembles.{name}.members", unknown("configured variant", member, known))
        if twice := [member for member in dict.fromkeys(members) if members.count(member) > 1]:
            yield Problem(f"ensembles.{name}.members", f"{', '.join(twice)} is named twice; leave one out")
        if settings["how"] != "rank" and any(member.endswith(f"/{EXTERNAL}") for member in members):
            yield Problem(
                f"ensembles.{name}", "external scores have no held-out clips to standardise by; set how: rank"
            )


def _model_problems(name: str, own: Mapping[str, Any] | None) -> Iterator[Problem]:
    if name not in model_names():
        yield Problem("models", unknown("model", name, model_names()))
        return
    yield from (fault.within(f"models.{name}") for fault in problems(own or {}, model_declaration(name).settings))


def _study_problems(study: str, declared: Mapping[str, Any], features: Mapping[str, Any]) -> Iterator[Problem]:
    where = f"studies.{study}"
    if "vary" in declared and "variants" in declared:
        yield Problem(where, "`vary` (a grid) and `variants` (a list) exclude each other")
    if not any(declared.get(key) for key in ("vary", "variants", "set")):
        yield Problem(where, "changes nothing; name settings under `vary`, `variants` or `set`")
    if both := set(declared.get("vary", {})) & set(declared.get("set", {})):
        yield Problem(where, f"{', '.join(sorted(map(str, both)))} is both in `vary` and in `set`")
    if (size := math.prod(map(len, declared.get("vary", {}).values()))) > MOST_VARIANTS:
        yield Problem(f"{where}.vary", f"a grid of {size} variants; at most {MOST_VARIANTS} are possible")
        return
    for model in models_of(declared):
        if model not in model_names():
            yield Problem(f"{where}.model", unknown("model", model, model_names()))
            continue
        known = {**feature_declarations(), **model_declaration(model).settings}
        for overrides in overrides_in(declared):
            yield from (Problem(where, f"{fault} (model {model})") for fault in problems(overrides, known))
            yield from (Problem(where, text) for text in foreign_settings(overrides, extractor_of(features, overrides)))


def _alike(where: str, names: Iterable[str]) -> Iterator[Problem]:
    """Names that would be one file where upper and lower case are the same."""
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.casefold(), name)
        if other != name:
            yield Problem(where, f"{other} and {name} differ in upper and lower case alone; rename one")


def _word_problems(dataset: Mapping[str, Any]) -> Iterator[Problem]:
    """Words of a dataset that would mean two things."""
    for part in ("labelled", "table"):
        words = {
            key: [word.casefold() for word in own]
            for key, own in dataset.get(part, {}).items()
            if isinstance(own, list)
        }
        for one, other in (("normal", "abnormal"), ("source", "target")):
            if both := sorted(set(words.get(one, ())) & set(words.get(other, ()))):
                yield Problem(f"dataset.{part}", f"{', '.join(both)} stands in both {one} and {other}; leave one out")


def _paths_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Paths may lead anywhere, but they go through Snakemake's patterns, command lines and file systems."""
    paths = {f"paths.{key}": path for key, path in config["paths"].items() if path is not None}
    paths |= {f"external_scores.{name}": path for name, path in config["external_scores"].items()}
    if isinstance(checkpoint := config["features"].get("checkpoint"), str):
        paths["features.checkpoint"] = checkpoint
    if config["dataset"]:
        paths["dataset.root"] = config["dataset"]["root"]
    for key, path in paths.items():
        if re.search(r"[{}]", path):
            yield Problem(key, f"{path!r} holds a brace, which Snakemake takes for a pattern")
        if path.startswith(("-", "~")):
            yield Problem(
                key, f"{path!r} starts with {path[0]!r}; write ./{path}, or the whole path of your home folder"
            )
        if any(len(part.encode("utf-8", "replace")) > 255 for part in path.split("/")):
            yield Problem(key, f"a name in {path[:50]!r}... is longer than 255 bytes")
        if path != path.strip():
            yield Problem(key, f"{path!r} begins or ends with a space")
        if path.isprintable() and not _is_a_name_here(path):
            encoding = sys.getfilesystemencoding()
            yield Problem(key, f"{path!r} cannot be written in this locale's {encoding}; set PYTHONUTF8=1")
    if all(path.isprintable() and _is_a_name_here(path) for path in paths.values()):
        yield from _places_problems({key: os.path.realpath(path) for key, path in paths.items()})


def _is_a_name_here(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _places_problems(places: Mapping[str, str]) -> Iterator[Problem]:
    """Which of the folders may not lie in which; links followed. Nothing is written among what is only read."""
    root, results, csv = (places.get(key) for key in ("dataset.root", "paths.results", "paths.csv"))
    for key in ("paths.results", "paths.features", "paths.runs", "paths.csv"):
        if root and key in places and PurePosixPath(places[key]).is_relative_to(root):
            yield Problem(key, "lies in dataset.root, among the recordings; choose another folder")
    if csv is None:
        return
    if PurePosixPath(csv).suffix != ".csv":
        yield Problem("paths.csv", f"{PurePosixPath(csv).name!r} does not end in .csv")
    for key in ("paths.features", "paths.runs"):
        if key in places and PurePosixPath(csv).is_relative_to(places[key]):
            yield Problem("paths.csv", f"lies in {key}, among files of the workflow's own; choose another folder")
    for part in SOURCE_PARTS:
        if PurePosixPath(csv).is_relative_to(Path.cwd() / part):
            yield Problem("paths.csv", f"lies in {part}/, which belongs to the workflow; choose another folder")
    for part in ("models", "studies"):
        if results and PurePosixPath(csv).is_relative_to(PurePosixPath(results, part)):
            yield Problem("paths.csv", f"is among the CSVs of {part}; choose another folder")
