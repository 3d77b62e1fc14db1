"""Conda users and pip users get the same versions, and everything that is imported is asked for."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]


def pins():
    lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_conda_and_pip_have_the_same_versions():
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    inner = next(part["pip"] for part in environment["dependencies"] if isinstance(part, dict))
    assert inner == pins()


def test_every_version_is_pinned_and_no_address_is_named():
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in pins())


def test_every_dependency_of_the_library_is_pinned():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    named = {re.split(r"[>=<]", pin)[0].lower().replace("_", "-") for pin in pins()}
    assert {re.split(r"[>=<]", wanted)[0].lower() for wanted in project["dependencies"]} <= named


def names_of(requirements):
    return {canonical(re.split(r"[>=<]", wanted)[0]) for wanted in requirements}


def canonical(name):
    return name.lower().replace("_", "-")


def imported():
    """Modules that src/ and the workflow import, without Python's own and this library's."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in (REPOSITORY / "src").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
    names |= set(re.findall(r"^from (\S+) import", (REPOSITORY / "Snakefile").read_text(), re.MULTILINE))
    return {name.split(".")[0] for name in names} - {*sys.stdlib_module_names, "mimii"}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    distributions = packages_distributions()
    optional = {name for extra in project["optional-dependencies"].values() for name in names_of(extra)}
    unknown = {module for module in imported() if module not in distributions}
    assert unknown <= optional
    needed = {canonical(name) for module in imported() - unknown for name in distributions[module]}
    assert names_of(project["dependencies"]) == needed - optional
