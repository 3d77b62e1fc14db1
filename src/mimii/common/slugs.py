"""Slugs: what differs from the declared defaults, as a folder's name that can be typed and read back."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mimii.common.declarations import Declarations, Settings, problems, resolve, types_of
from mimii.common.errors import UserError

LONGEST_SLUG = 150  # a folder's name may have 255 bytes


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
    return shortened(text) or "default"


def shortened(text: str) -> str:
    """A folder's name as it is, or cut and closed with a hash of all of it where it is too long."""
    if len(text) <= LONGEST_SLUG:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: LONGEST_SLUG - 17]}~{digest}"


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
    if faults := problems(given, declarations):
        raise UserError(f"variant {text!r}: {'; '.join(map(str, faults))}")
    values = resolve(declarations, given)
    if (right := slug(values, declarations)) != text:
        raise UserError(f"variant {text!r} is written {right!r}: sorted, without settings that equal their default")
    return values
