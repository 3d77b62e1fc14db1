"""Whatever stands in a configuration, it plans or is refused with a message; nothing is planned outside its folders."""

import copy
import os
from pathlib import Path, PurePosixPath

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import VALID, leads_outside, mutated

from mimii.common.errors import UserError
from mimii.data.sections import Section
from mimii.planning import job_parameters
from mimii.planning.config_file import read_yaml
from mimii.planning.plan import Plan


def inside(path, folder):
    """Whether `path` lies below `folder`, without leaving it on the way."""
    parts = PurePosixPath(path).parts
    return ".." not in parts[len(PurePosixPath(folder).parts) :] and PurePosixPath(path).is_relative_to(folder)


def is_a_message(error, start=""):
    """Fails the test where it is none; else returns what `plan_or_refuse` returns of a refusal."""
    message = str(error)
    assert message.strip()
    assert message.startswith(start)
    assert len(message) < 100_000
    return False


def plan_or_refuse(config):
    """Plan all that is configured; what is written must lie in the configured folders."""
    try:
        plan = Plan(config)
        sections = plan.sections
        plan.check_external()
    except UserError as error:
        return is_a_message(error)
    paths = plan.config["paths"]
    for number, run in enumerate(plan.runs()):
        if number == 200:
            break
        assert inside(f"{plan.runs_root}/{run.path}/metrics.json", paths["runs"])
        assert all(len(part.encode()) <= 255 for part in run.path.split("/"))
        if run.seed is not None:
            variant = run.variant
            assert inside(plan.features_file(variant, run.section), paths["features"])
            job_parameters.training_job(plan, variant.model, variant.name, str(run.seed), run.scope)
            job_parameters.features_job(plan, variant.features_name, run.section)
            job_parameters.scoring_job(plan, variant.model, run.section)
    for study in plan.config["studies"]:
        assert inside(f"{plan.results_root}/studies/{study}.csv", paths["results"])
        job_parameters.merge_job(plan, study=study)
    for section in sections:
        for made in plan.source.inputs(section):
            assert inside(made, plan.config["dataset"]["root"])
    job_parameters.merge_job(plan)
    job_parameters.metrics_job(plan)
    return True


@pytest.fixture(autouse=True, scope="module")
def empty_folder(tmp_path_factory):
    """Relative paths lead into an empty folder."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("empty"))
    yield
    os.chdir(before)


def test_what_is_mutated_is_valid():
    assert plan_or_refuse(copy.deepcopy(VALID))


@pytest.mark.parametrize("name", ["..", ".", "../x", "n_mels=../x", "n_mels=32/../..", "padding=..", "~", "a b", ""])
def test_a_typed_path_leads_nowhere_else(name):
    plan = Plan(copy.deepcopy(VALID))
    section = Section.parse("6dB/fan/id_00")
    for ask in (
        lambda: plan.variant("pca", name),
        lambda: job_parameters.features_job(plan, name, section),
        lambda: job_parameters.features_job(plan, "default", Section.parse(f"6dB/{name}/id_00")),
        lambda: plan.source.inputs(Section.parse(f"6dB/{name}/id_00")),
    ):
        with pytest.raises(UserError):
            ask()


RELAXED = settings(suppress_health_check=list(HealthCheck), database=None)


@settings(RELAXED, max_examples=150)
@given(mutated())
def test_a_configuration_plans_or_is_refused(config):
    if isinstance(config, dict) and not leads_outside(config):
        plan_or_refuse(config)


@pytest.mark.slow
@settings(RELAXED, max_examples=2000)
@given(mutated())
def test_thousands_of_configurations_plan_or_are_refused(config):
    if isinstance(config, dict) and not leads_outside(config):
        plan_or_refuse(config)


@st.composite
def edited(draw):
    """The valid configuration's YAML with pieces cut out, doubled and inserted."""
    content = yaml.safe_dump(VALID, sort_keys=False)
    for _ in range(draw(st.integers(1, 4))):
        first, length = draw(st.integers(0, len(content))), draw(st.integers(0, 40))
        new = draw(st.one_of(st.just(content[first : first + length] * 2), st.just(""), st.text(max_size=6)))
        content = content[:first] + new + content[first + length :]
    return content


@settings(RELAXED, max_examples=150)
@given(edited())
def test_a_file_is_read_or_refused(content):
    path = Path("config.yaml")
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    try:
        config = read_yaml(path)
    except UserError as error:
        is_a_message(error, "config.yaml")
        return
    if not leads_outside(config):
        plan_or_refuse(config)
