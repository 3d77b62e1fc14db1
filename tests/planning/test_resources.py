"""What jobs ask a cluster for, and the profiles that say how."""

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from mimii.common.declarations import resolve
from mimii.detectors.declaration import model_declaration, model_names
from mimii.planning import resources as requests

PROFILES = Path(__file__).parents[2] / "profiles"
sizes = st.floats(0, 10_000)


@given(sizes, st.sampled_from(["network", "estimator"]), st.integers(1, 4))
def test_each_attempt_asks_for_twice_as_much(features_mb, base, attempt):
    memory = requests.model_memory_mb(base, features_mb, attempt)
    assert requests.model_memory_mb(base, features_mb, attempt + 1) == 2 * memory
    assert requests.scoring_minutes(features_mb, attempt + 1) == 2 * requests.scoring_minutes(features_mb, attempt)
    assert memory > 0
    assert isinstance(memory, int)


@given(sizes, sizes)
def test_more_features_ask_for_no_less(one, other):
    less, more = sorted([one, other])
    assert requests.model_memory_mb("network", less, 1) <= requests.model_memory_mb("network", more, 1)
    assert requests.scoring_minutes(less, 1) <= requests.scoring_minutes(more, 1)


def test_every_model_has_its_minutes():
    for name in model_names():
        defaults = resolve(model_declaration(name).settings)
        minutes = requests.training_minutes(name, defaults, defaults, 110, 1)
        assert 10 <= minutes <= 180, name
        if "epochs" in defaults:
            longer = {**defaults, "epochs": 2 * defaults["epochs"]}
            assert requests.training_minutes(name, longer, defaults, 110, 1) > minutes
        if defaults.get("frames") and "epochs" in defaults:
            denser = {**defaults, "hop_frames": 1, "frames": 2 * defaults["frames"]}
            assert requests.training_minutes(name, denser, defaults, 110, 1) > minutes


def test_a_model_that_was_never_measured_gets_as_long_as_the_slowest():
    defaults = {"epochs": 50, "frames": 5, "hop_frames": 1}
    known = {name: requests.training_minutes(name, defaults, defaults, 110, 1) for name in model_names()}
    assert requests.training_minutes("new_model", defaults, defaults, 110, 1) == max(known.values())


def test_no_key_of_the_default_profile_is_in_another():
    # The default profile is read beside any other one, and its keys win.
    default = yaml.safe_load((PROFILES / "default" / "profile.yaml").read_text())
    for path in sorted(PROFILES.glob("*/profile.yaml")):
        if path.parent.name != "default":
            assert not set(default) & set(yaml.safe_load(path.read_text())), path
