"""Configurations through Snakemake: a plan, or the message alone."""

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from mutations import leads_outside, mutated


def writable(value):
    """Whether YAML's file holds exactly this value: it has no numbers of hundreds of digits, and no binary text."""
    try:
        return yaml.safe_load(yaml.safe_dump(value, sort_keys=False, allow_unicode=True)) == value
    except (yaml.YAMLError, ValueError):
        return False


def said(workspace, *arguments):
    """Exit code and output of a dry run."""
    return workspace.dry_run("--cores", "1", *arguments)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dataset: {root: dataset}\nmodels: {pca: {}\n", "config/config.yaml, line 3: while parsing a flow mapping"),
        ("dataset: {root: a}\nmodels:\n  pca: {}\n  pca: {}\n", "config/config.yaml, line 4: key 'pca' stands twice"),
        ("", "config/config.yaml: holds no key"),
    ],
)
def test_what_yaml_holds_against_config_yaml_is_said_with_its_line(workspace, text, says):
    workspace.configure_text(text)
    code, printed = said(workspace)
    assert code != 0
    assert f"error: {says}" in printed
    assert "Traceback" not in printed


def test_a_key_that_stands_twice_is_found_in_other_configfiles_too(workspace):
    (workspace.folder / "mine.yaml").write_text("seeds: [1]\nseeds: [2]\n")
    code, printed = said(workspace, "--configfile", "mine.yaml")
    assert code != 0
    assert "mine.yaml, line 2: key 'seeds' stands twice, first in line 1" in printed


@pytest.mark.slow
@settings(max_examples=20, suppress_health_check=list(HealthCheck), database=None)
@given(config=mutated())
def test_snakemake_plans_or_says_what_is_wrong(workspace, config):
    assume(isinstance(config, dict) and not leads_outside(config) and writable(config))
    workspace.configure(config)
    code, printed = said(workspace)
    assert "Traceback" not in printed
    assert code == 0 or "\nerror: " in printed
