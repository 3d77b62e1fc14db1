"""The one spelling of a value as text."""

import json
from pathlib import Path
from typing import Any


def to_json(values: Any) -> str:
    """One canonical JSON string for each value: equal values give equal strings."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read_json_argument(text: str) -> Any:
    """A script's argument in JSON, or `@` and its file: an argument has at most 131,072 bytes on Linux."""
    return json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
