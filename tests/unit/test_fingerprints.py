"""A stage's fingerprint changes with the meaning of its own code and with nothing else."""

import pytest

from mimii import fingerprints
from mimii.names import model_names
from mimii.settings import model_declaration


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small library: training imports base; two models of one base."""
    files = {
        "__init__.py": "",
        "models/__init__.py": "",
        "training.py": "from mimii.base import step\n",
        "base.py": 'def step(x):\n    """Says."""\n    return x + 1  # why\n',
        "metrics.py": "def auc():\n    return 0.5\n",
        "models/one.py": "from mimii import base\n",
        "models/two.py": "def late():\n    import mimii.base\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(fingerprints, "LIBRARY", tmp_path)
    fingerprints._module.cache_clear()
    fingerprints.fingerprint.cache_clear()
    yield tmp_path
    fingerprints._module.cache_clear()
    fingerprints.fingerprint.cache_clear()


def taken():
    fingerprints._module.cache_clear()
    fingerprints.fingerprint.cache_clear()
    stages = {"one": ("mimii.training", "mimii.models.one"), "two": ("mimii.training", "mimii.models.two")}
    return {name: fingerprints.fingerprint(*entries) for name, entries in (*stages.items(), ("m", ("mimii.metrics",)))}


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


def test_a_base_concerns_its_models_alone(library):
    assert edited(library, "base.py", "def step(x):\n    return x + 2\n") == {"one", "two"}


def test_a_model_concerns_itself_alone(library):
    assert edited(library, "models/one.py", "from mimii import base\nk = 1\n") == {"one"}


def test_imports_inside_functions_are_followed(library):
    assert "mimii.base" in fingerprints.modules_of(["mimii.models.two"])


@pytest.mark.parametrize("model", model_names())
def test_a_model_s_training_depends_on_no_other_model_nor_on_planning(model):
    modules = fingerprints.modules_of(["mimii.training", f"mimii.models.{model}"])
    assert [name for name in modules if name.startswith("mimii.models.")] == [f"mimii.models.{model}"]
    assert not {"mimii.plan", "mimii.config", "mimii.settings", "mimii.metrics", "mimii.results"} & set(modules)
    base = model_declaration(model).base
    assert f"mimii.{base}" in modules
    assert not {"mimii.network", "mimii.estimator"} - {f"mimii.{base}"} & set(modules)
