"""Conda users and pip users get the same versions, and everything that is imported is asked for."""

import re
import tomllib
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
