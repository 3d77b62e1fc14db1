"""Declared settings, and the slugs that name what differs from their defaults.

`features.yaml`, `network.yaml`, `estimator.yaml` and `models/<name>.yaml` declare every setting once: type, range,
default, meaning, in the vocabulary of JSON Schema. Everything here is light: planning reads it before any job runs.
"""

import hashlib
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from mimii.errors import UserError
from mimii.names import MODELS, model_names, read_declarations, unknown

PACKAGE = Path(__file__).parent
LARGEST_FLOAT = sys.float_info.max
LONGEST_SLUG = 150  # a folder's name may have 255 bytes

Settings = Mapping[str, Any]
Declarations = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ModelDeclaration:
    """What `models/<name>.yaml` says; `settings` holds those of its base too."""

    name: str
    title: str
    base: str
    paper: str
    settings: Declarations


@cache
def feature_declarations() -> Declarations:
    """Settings of the log-mel features, from `features.yaml`."""
    return read_declarations(PACKAGE / "features.yaml")["settings"]


@cache
def base_declarations(base: str) -> Declarations:
    """Settings that all models of a kind ("network", "estimator") share."""
    return read_declarations(PACKAGE / f"{base}.yaml")["settings"]


@cache
def model_declaration(name: str) -> ModelDeclaration:
    """A model's declaration, its base's settings first. Raises UserError for an unknown name."""
    if name not in model_names():
        raise UserError(unknown("model", name, model_names()))
    declared = read_declarations(MODELS / f"{name}.yaml")
    settings = {key: dict(value) for key, value in base_declarations(declared["base"]).items()}
    for key, value in (declared.get("settings") or {}).items():
        settings[key] = {**settings.get(key, {}), **value}
    return ModelDeclaration(name, declared["title"], declared["base"], declared.get("paper", ""), settings)


def types_of(schema: Mapping[str, Any]) -> list[str]:
    """The schema's types as a list."""
    declared = schema.get("type", [])
    return [declared] if isinstance(declared, str) else list(declared)


def canonical(value: Any, schema: Mapping[str, Any]) -> Any:
    """One spelling for each value: `1e-3` (a string to YAML) and 1 become numbers where a number is declared."""
    types = types_of(schema)
    if isinstance(value, str) and "number" in types + ["number"] * ("integer" in types) and "string" not in types:
        try:
            number = float(value)
        except ValueError:
            return value
        value = number if math.isfinite(number) else value
    if types == ["boolean"] and value in ("true", "false"):
        return value == "true"  # Snakemake's --config leaves nested values as text
    if isinstance(value, int | float) and not isinstance(value, bool):
        if "number" in types and abs(value) <= LARGEST_FLOAT:
            return float(value)
        if "integer" in types and (isinstance(value, int) or value.is_integer()):
            return int(value)
    if isinstance(value, list):
        return [canonical(item, schema.get("items", {})) for item in value]
    return value


def problems(values: Settings, declarations: Declarations) -> list[str]:
    """What is wrong with values given for declared settings, a line each; empty when all is well."""
    found = []
    for key, value in values.items():
        if key not in declarations:
            found.append(unknown("setting", key, declarations))
            continue
        errors = Draft202012Validator(dict(declarations[key])).iter_errors(canonical(value, declarations[key]))
        found += [f"{key}: {error.message}" for error in errors]
    return found


def resolve(declarations: Declarations, *overrides: Settings) -> dict[str, Any]:
    """Every declared setting: its default, or the last override that has it. Overrides must be valid."""
    values = {key: canonical(schema["default"], schema) for key, schema in declarations.items()}
    for override in overrides:
        values.update({key: canonical(value, declarations[key]) for key, value in override.items()})
    return values


def _spell(value: Any) -> str:
    if isinstance(value, list):
        return "-".join(_spell(item) for item in value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def _read_value(text: str, schema: Mapping[str, Any]) -> Any:
    types = types_of(schema)
    if "array" in types:
        return [_read_value(item, schema["items"]) for item in text.split("-")]
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return text if isinstance(value, dict | list) else value


def slug(values: Settings, declarations: Declarations) -> str:
    """`default`, or what differs from the declared defaults, sorted: `learning_rate=0.01,n_mels=128`.

    Too long a slug is cut and closed with a hash; `parse_slug` cannot read such a one.
    """
    defaults = resolve(declarations)
    text = ",".join(f"{key}={_spell(values[key])}" for key in sorted(values) if values[key] != defaults[key])
    if len(text) > LONGEST_SLUG:
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        text = f"{text[: LONGEST_SLUG - 17]}~{digest}"
    return text or "default"


def parse_slug(text: str, declarations: Declarations) -> dict[str, Any]:
    """All settings of a slug, defaults included. Raises UserError where `slug` would not have spelt it so."""
    if text == "default":
        return resolve(declarations)
    if "~" in text:
        raise UserError(f"variant {text!r} is cut short and cannot be read back: it must be configured")
    given: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals:
            raise UserError(f"variant {text!r}: expected setting=value, found {part!r}")
        if key in given:
            raise UserError(f"variant {text!r}: {key} is given twice")
        given[key] = _read_value(value, declarations.get(key, {}))
    if found := problems(given, declarations):
        raise UserError(f"variant {text!r}: {'; '.join(found)}")
    values = resolve(declarations, given)
    if (right := slug(values, declarations)) != text:
        raise UserError(f"variant {text!r} is written {right!r}: sorted, without settings that equal their default")
    return values


def to_json(values: Any) -> str:
    """One canonical string for each value: Snakemake compares parameters as strings."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
