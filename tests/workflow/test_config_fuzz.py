"""The same mutated configurations through Snakemake: a plan, or the message alone."""

import tempfile

import planner
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


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(config=mutated())
def test_snakemake_plans_or_says_what_is_wrong(workspace, config):
    assume(isinstance(config, dict) and not leads_outside(config) and writable(config))
    workspace.configure(config)
    with tempfile.NamedTemporaryFile("r") as output:
        code = planner.dry_run(workspace.folder, ["--cores", "1"], output.name)
        printed = output.read()
    assert "Traceback" not in printed
    assert code == 0 or "\nerror: " in printed
