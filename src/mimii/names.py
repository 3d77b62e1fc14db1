"""Names of models, the files that declare them, and what to say of a name that nothing has."""

import difflib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

MODELS = Path(__file__).parent / "models"


@cache
def model_names() -> tuple[str, ...]:
    """Every model that has both its files in `models/`, in alphabetical order. Imports none of them."""
    return tuple(sorted(file.stem for file in MODELS.glob("*.yaml") if file.with_suffix(".py").exists()))


def read_declarations(path: Path) -> Any:
    """What a YAML file of this package holds."""
    import yaml  # not needed where names alone are

    return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """`unknown model 'vea'; did you mean 'vae'?`, or all the known names where none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
    return f"unknown {kind} {name!r}; {hint}"
