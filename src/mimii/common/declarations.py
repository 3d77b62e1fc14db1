"""Declared settings: type, range, default and meaning of each, once, in a YAML file in the vocabulary of JSON Schema.

Everything here is light: planning reads declarations before any job runs.
"""

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mimii.common.problems import Problem
from mimii.common.suggestions import unknown

LARGEST_FLOAT = sys.float_info.max

Settings = Mapping[str, Any]
Declarations = Mapping[str, Mapping[str, Any]]


def read_declarations(path: Path) -> Any:
    """What a YAML file of this package holds."""
    import yaml  # not needed where names alone are

    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


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


def problems(values: Settings, declarations: Declarations) -> list[Problem]:
    """What is wrong with values given for declared settings; empty when all is well."""
    from jsonschema import Draft202012Validator  # .07 s, and jobs, whose settings were checked before, do without

    faults = []
    for key, value in values.items():
        if key not in declarations:
            faults.append(Problem("", unknown("setting", key, declarations)))
            continue
        parts = value if isinstance(value, list) else [value]
        if not all(math.isfinite(part) for part in parts if isinstance(part, float)):
            faults.append(Problem(key, f"{value} is not a finite number"))
            continue
        errors = Draft202012Validator(dict(declarations[key])).iter_errors(canonical(value, declarations[key]))
        faults += [Problem(key, error.message) for error in errors]
    return faults


def resolve(declarations: Declarations, *overrides: Settings) -> dict[str, Any]:
    """Every declared setting: its default, or the last override that has it. Overrides must be valid."""
    values = {key: canonical(schema["default"], schema) for key, schema in declarations.items()}
    for override in overrides:
        values.update({key: canonical(value, declarations[key]) for key, value in override.items()})
    return values
