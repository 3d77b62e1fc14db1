"""A fingerprint of the code that a job's result depends on: it changes with the code's meaning and with nothing else.

It is a hash over the modules that a stage imports from this library, found by following `import` statements (those
inside functions too) without importing anything. Of a module count its syntax tree, without docstrings and without the
texts of exceptions that it raises, and what the YAML file beside it holds, without declared settings: their values
travel in each job.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from mimii.common.canonical import to_json
from mimii.common.declarations import read_declarations
from mimii.common.errors import UserError

LIBRARY = Path(__file__).parents[1]
# What these do cannot change a result: they raise messages, rename files and note where a result was made.
NEUTRAL = {
    "mimii",
    "mimii.common.declarations",
    "mimii.common.errors",
    "mimii.common.files",
    "mimii.common.lookup",
    "mimii.common.problems",
    "mimii.common.provenance",
    "mimii.common.records",
    "mimii.common.suggestions",
    "mimii.detectors.declaration",
}
ENSEMBLE_MODULE = "mimii.runs.ensemble"  # where a job of an ensemble enters
# Of a declaration: what says something of a model and changes nothing that it computes.
NEUTRAL_KEYS = ("title", "paper", "stochastic", "description")


def _source(module: str) -> Path | None:
    path = LIBRARY.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _meaning(node: Any) -> Any:
    """A syntax tree as nested lists. Empty fields are left out: Python's versions differ in which of them they have."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        call = node.exc
        kept = [argument for argument in call.args if not _is_text(argument)]
        return ["Raise", _meaning(call.func), _meaning(kept), _meaning(call.keywords), _meaning(node.cause)]
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
        return [type(node).__name__, *((name, _meaning(value)) for name, value in fields if name != "kind")]
    if isinstance(node, list):
        return [_meaning(item) for item in node if not _is_docstring(item)]
    return repr(node)


def _is_text(node: ast.expr) -> bool:
    """A text as it stands, or with values put into it."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _declared(value: Any) -> Any:
    """What a YAML file holds, without declared settings (each of which has a type and a default) and descriptions."""
    if isinstance(value, list):
        return [_declared(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _declared(part)
        for key, part in value.items()
        if key not in NEUTRAL_KEYS and not (isinstance(part, dict) and "default" in part)
    }


def _is_docstring(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _imports(tree: ast.AST) -> set[str]:
    """Modules of this library that are imported anywhere in the tree."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] == "mimii" and _source(name)}


@cache
def _module(name: str) -> tuple[str, frozenset[str]]:
    """Hash of one module's meaning, and the modules that it imports."""
    source = _source(name)
    if source is None:
        raise ModuleNotFoundError(name)
    tree = ast.parse(source.read_text(encoding="utf-8"), filename=str(source))
    meaning = [_meaning(tree)]
    beside = source.with_suffix(".yaml")
    if beside.is_file():
        meaning.append(to_json(_declared(read_declarations(beside))))
    digest = hashlib.sha256(repr(meaning).encode()).hexdigest()
    return digest, frozenset(_imports(tree))


def modules_of(entries: Iterable[str]) -> list[str]:
    """The entries and all that they import from this library, sorted."""
    modules: set[str] = set()
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name not in modules and name not in NEUTRAL:
            modules.add(name)
            waiting += _module(name)[1]
    return sorted(modules)


@cache
def fingerprint(*entries: str) -> str:
    """Fingerprint of a stage, from the modules it enters by, such as `mimii.runs.training` and `mimii.models.vae`."""
    text = "\n".join(f"{name} {_module(name)[0]}" for name in modules_of(entries))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def files_fingerprint(folder: str, *endings: str) -> str:
    """Hash of the files of a folder of this library that are no Python, by their endings."""
    digest = hashlib.sha256()
    for path in sorted(path for path in (LIBRARY / folder).rglob("*") if path.suffix in endings):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def unchanged_code(planned: str, *entries: str) -> Iterator[None]:
    """Hold a job to the code that it was planned with, from its start to its end.

    planned: fingerprint of the entries when the workflow was planned. Raises UserError where it differs from that of
    the files, which this process imports.
    """
    message = "the library's code was edited since this job was planned, so its result would be of neither; start again"
    before = _states(entries)
    if fingerprint(*entries) != planned:
        raise UserError(message)
    yield
    if _states(entries) != before:
        read_code_again()
        if fingerprint(*entries) != planned:
            raise UserError(message)


def read_code_again() -> None:
    """Forget what modules held when they were last read."""
    _module.cache_clear()
    fingerprint.cache_clear()


def _states(entries: Iterable[str]) -> list[tuple[str, int, int]]:
    """Name, time and size of the file of each module of a stage."""
    paths = [path for name in modules_of(entries) if (path := _source(name))]
    return [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths]


def training_modules(model: str) -> tuple[str, str]:
    """Where a training job enters."""
    return "mimii.runs.training", f"mimii.models.{model}"


def scoring_modules(model: str) -> tuple[str, str]:
    """Where a scoring job enters."""
    return "mimii.runs.scoring", f"mimii.models.{model}"


def features_modules(source: str, extractor: str) -> tuple[str, str, str]:
    """Where an extractor's work on a dataset source enters."""
    return "mimii.features.extraction", f"mimii.features.{extractor}", f"mimii.data.sources.{source}"


def training_code(model: str) -> str:
    """Fingerprint of a training job."""
    return fingerprint(*training_modules(model))


def scoring_code(model: str) -> str:
    """Fingerprint of a scoring job."""
    return fingerprint(*scoring_modules(model))


def features_code(source: str, extractor: str) -> str:
    """Fingerprint of feature extraction from a dataset source."""
    return fingerprint(*features_modules(source, extractor))


def metrics_code() -> str:
    """Fingerprint of the metrics."""
    return fingerprint("mimii.evaluation.row")
