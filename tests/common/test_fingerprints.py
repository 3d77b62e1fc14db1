"""A stage's fingerprint changes with the meaning of its own code and with nothing else."""

import pytest

from mimii.common import fingerprints
from mimii.common.errors import UserError
from mimii.common.fingerprints import unchanged_code
from mimii.detectors.declaration import model_declaration, model_names


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small library: training imports base; two models of one base."""
    files = {
        "__init__.py": "",
        "models/__init__.py": "",
        "runs/training.py": "from mimii.base import step\n",
        "base.py": 'def step(x):\n    """Says."""\n    return x + 1  # why\n',
        "evaluation/metrics.py": "def auc():\n    return 0.5\n",
        "models/one.py": "from mimii import base\n",
        "models/two.py": "def late():\n    import mimii.base\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(fingerprints, "LIBRARY", tmp_path)
    fingerprints.read_code_again()
    yield tmp_path
    fingerprints.read_code_again()


def taken():
    fingerprints.read_code_again()
    stages = {"one": ("mimii.runs.training", "mimii.models.one"), "two": ("mimii.runs.training", "mimii.models.two")}
    return {
        name: fingerprints.fingerprint(*entries)
        for name, entries in (*stages.items(), ("m", ("mimii.evaluation.metrics",)))
    }


def edited(library, name, text):
    before = taken()
    (library / name).write_text(text)
    after = taken()
    return {stage for stage in before if before[stage] != after[stage]}


@pytest.mark.parametrize(
    "text",
    [
        "def step(x):\n    return x + 1\n",  # no comment, no docstring
        'def step(x):\n\n    """Says\n    more."""\n\n    return (\n        x\n        + 1\n    )\n',  # formatted
    ],
)
def test_comments_docstrings_and_format_change_nothing(library, text):
    assert edited(library, "base.py", text) == set()


RAISES = "def step(x):\n    if x < 0:\n        raise ValueError({text!r}, x)\n    return {value!r}\n"


def test_the_wording_of_an_error_is_not_code_and_any_other_string_is(library):
    edited(library, "base.py", RAISES.format(text="too small", value="a"))
    assert edited(library, "base.py", RAISES.format(text="below zero", value="a")) == set()
    assert edited(library, "base.py", RAISES.format(text="below zero", value="b")) == {"one", "two"}
    assert edited(library, "base.py", RAISES.format(text="below zero", value="b").replace(", x)", ", 2 * x)")) == {
        "one",
        "two",
    }


def test_the_yaml_beside_a_module_is_code_but_for_declared_settings_and_descriptions(library):
    text = "tolerance: 0.1\ntitle: One\nsettings: {epochs: {type: integer, default: 5}}\n"
    edited(library, "base.yaml", text)
    assert edited(library, "base.yaml", text.replace("0.1", "0.2")) == {"one", "two"}
    assert edited(library, "base.yaml", text.replace("0.1", "0.2").replace("One", "Two").replace("5", "6")) == set()


def test_a_base_concerns_its_models_alone(library):
    assert edited(library, "base.py", "def step(x):\n    return x + 2\n") == {"one", "two"}


def test_a_model_concerns_itself_alone(library):
    assert edited(library, "models/one.py", "from mimii import base\nk = 1\n") == {"one"}


def test_imports_inside_functions_are_followed(library):
    assert "mimii.base" in fingerprints.modules_of(["mimii.models.two"])


@pytest.mark.parametrize("model", model_names())
def test_a_model_s_training_depends_on_no_other_model_nor_on_planning(model):
    modules = fingerprints.modules_of(["mimii.runs.training", f"mimii.models.{model}"])
    assert [name for name in modules if name.startswith("mimii.models.")] == [f"mimii.models.{model}"]
    assert not [name for name in modules if name.startswith(("mimii.planning", "mimii.evaluation", "mimii.paper"))]
    base = model_declaration(model).base
    assert f"mimii.detectors.{base}" in modules
    assert ("mimii.detectors.network" in modules) != ("mimii.detectors.estimator" in modules)


def test_a_job_is_held_to_the_code_that_it_was_planned_with(library):
    entries = ("mimii.runs.training", "mimii.models.one")
    planned, base = taken()["one"], library / "base.py"
    own = base.read_text()
    base.write_text(own.replace("x + 1", "x + 2"))
    fingerprints.read_code_again()
    with pytest.raises(UserError, match="edited since this job was planned"), unchanged_code(planned, *entries):
        pytest.fail("it has started")
    base.write_text(own)
    fingerprints.read_code_again()
    with pytest.raises(UserError, match="edited since this job was planned"), unchanged_code(planned, *entries):
        base.write_text(own.replace("x + 1", "x + 22"))
    base.write_text(own)
    fingerprints.read_code_again()
    with unchanged_code(planned, *entries):
        base.write_text(own + "# a comment\n")
    with unchanged_code(planned, *entries):
        base.write_text(own)
