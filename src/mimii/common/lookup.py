"""Looking up by name what one file of a package holds: a model, a source of recordings."""

import importlib
import importlib.util
import pkgutil
from typing import Any


def names_in(package: str) -> list[str]:
    """Names of the modules of a package, sorted. Imports none of them."""
    spec = importlib.util.find_spec(package)
    return sorted(module.name for module in pkgutil.iter_modules(spec.submodule_search_locations if spec else []))


def load(package: str, name: str, attribute: str) -> Any:
    """`attribute` of the module `name` of a package; imports that one module."""
    return getattr(importlib.import_module(f"{package}.{name}"), attribute)
