"""config/README.md names every key with its default, and every model and setting."""

import json
import re

import pytest
import yaml

from mimii.detectors.declaration import BASES, base_declarations, model_names
from mimii.features.settings import feature_declarations
from mimii.planning.config import schema


def keys(part, prefix=""):
    """(key, default as it is written, or None where the key is required) of every leaf of the schema."""
    for name, rule in part["properties"].items():
        key = f"{prefix}{name}"
        if rule.get("properties"):
            yield from keys(rule, f"{key}.")
        else:
            yield key, rule.get("default") if name not in part.get("required", []) else "required"


@pytest.fixture(scope="module")
def text(project_root):
    return (project_root / "config" / "README.md").read_text(encoding="utf-8")


def test_every_key_stands_there_with_its_default(text):
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.+?) \| (.+) \|$", text, re.MULTILINE)
    documented = {key: default.strip("`") for key, default, _ in rows}
    declared = dict(keys(schema()))
    declared.update({key: None for key in declared if declared[key] is None})
    assert set(documented) == set(declared)
    for key, default in declared.items():
        if default == "required":
            assert documented[key] == "required", key
        else:
            shown = documented[key]
            assert (shown if isinstance(default, str) else yaml.safe_load(shown)) == default, key
    assert all(meaning.strip() for _, _, meaning in rows)


def test_every_model_and_setting_is_named(text):
    after = text.partition("Models and the settings")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z_]+)`", after))
    shared = {setting for file in BASES.glob("*.yaml") for setting in base_declarations(file.stem)}
    assert named == {*model_names(), *feature_declarations(), *shared}


def test_the_shipped_configuration_shows_every_key(project_root):
    shipped = yaml.safe_load((project_root / "config" / "config.yaml").read_text(encoding="utf-8"))
    for key, default in keys(schema()):
        if key.startswith("dataset.made_up."):
            continue  # demo.yaml
        if key == "seeds":
            continue  # five; the others' default is one
        value = shipped
        for part in key.split("."):
            assert part in value, key
            value = value[part]
        if default != "required":
            assert value == default, key


def test_other_files_that_the_ecosystem_reads(project_root):
    catalog = yaml.safe_load((project_root / ".snakemake-workflow-catalog.yml").read_text())
    assert catalog["usage"]["report"] is True
    citation = yaml.safe_load((project_root / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert any("1909.09347" in json.dumps(reference) for reference in citation["references"])
    version = re.search(r'^version = "(.+)"', (project_root / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert citation["version"] == version
    assert f"## {version}" in (project_root / "CHANGELOG.md").read_text()


def test_links_between_pages_lead_somewhere(project_root):
    for page in [*project_root.glob("docs/*.md"), *project_root.glob("*.md"), project_root / "config" / "README.md"]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
