"""The one spelling of a value as text."""

import json
from typing import Any


def to_json(values: Any) -> str:
    """One canonical JSON string for each value: equal values give equal strings."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
