"""Reading a configuration: refused with all that is wrong with it at once, or with its defaults filled in."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from mimii.common.declarations import canonical, problems
from mimii.common.errors import UserError
from mimii.common.problems import Problem, refuse
from mimii.data.lookup import source_names
from mimii.planning.checking import config_problems, unreadable


@cache
def schema() -> dict[str, Any]:
    """`config.schema.yaml`, with the names of the datasets that have a file in `data/sources/`."""
    shape: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "config.schema.yaml").read_text(encoding="utf-8"))
    shape["properties"]["dataset"]["properties"]["source"]["enum"] = source_names()
    return shape


def seed_schema() -> Mapping[str, Any]:
    """What a seed may be, in a configuration, in a typed path and on a command line."""
    rule: Mapping[str, Any] = schema()["properties"]["seeds"]["items"]
    return rule


def parse_seed(text: str) -> int:
    """The seed of a path. Raises UserError where it is none, or would not be spelt so."""
    seed = int(text) if text.isdecimal() else text
    if faults := problems({"seed": seed}, {"seed": seed_schema()}):
        raise UserError(f"seed={text}: {faults[0].text}")
    if str(seed) != text:
        raise UserError(f"seed={text} is written seed={seed}")
    return int(seed)


def read_config(
    raw: Mapping[str, Any], dataset_problems: Callable[[Mapping[str, Any]], Iterable[Problem]] | None = None
) -> dict[str, Any]:
    """The configuration with its defaults filled in. Raises ProblemsError, with all that is wrong with it.

    dataset_problems: asked, where something else is wrong already, what is wrong with the dataset itself.
    """
    refuse(unreadable(raw))
    config = _filled(dict(raw), schema())
    faults, dataset = config_problems(raw, config, schema())
    if faults and dataset and dataset_problems:
        faults += dataset_problems(dataset)
    refuse(faults)
    for key, path in config["paths"].items():
        config["paths"][key] = None if path is None else str(PurePosixPath(path))
    return config


def _filled(value: Any, schema_part: Mapping[str, Any]) -> Any:
    """`value` with the schema's defaults, nested ones too, numbers in one spelling, and lists where one is meant."""
    value = _as_meant(value, schema_part)
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


def _as_meant(value: Any, schema_part: Mapping[str, Any]) -> Any:
    """`normal: healthy` as [healthy], and `models: [vae, pca]` as {vae: {}, pca: {}}."""
    if schema_part is schema()["properties"]["models"]:
        names = [value] if isinstance(value, str) else value
        plain = isinstance(names, list) and all(isinstance(name, str) for name in names)
        return {name: {} for name in names} if plain and len(set(names)) == len(names) else value
    rule = schema()["$defs"].get(str(schema_part.get("$ref")).removeprefix("#/$defs/"), schema_part)
    texts = rule.get("type") == "array" and rule["items"].get("type") != "integer"
    return [value] if texts and isinstance(value, str) else value
