"""Slugs name exactly what differs from the declared defaults, and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimii import settings
from mimii.errors import UserError
from mimii.names import model_names

DECLARED = {
    "epochs": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 50},
    "rate": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.001},
    "hidden": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "default": [64, 64]},
    "kind": {"type": "string", "enum": ["torch", "keras"], "default": "torch"},
    "patience": {"type": ["integer", "null"], "minimum": 1, "default": None},
    "scaled": {"type": "boolean", "default": True},
    "channel": {"type": ["integer", "string"], "default": 0},
}
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.integers(1, 10000),
        "rate": st.floats(0, 1, exclude_min=True),
        "hidden": st.lists(st.integers(1, 4096), min_size=1, max_size=4),
        "kind": st.sampled_from(["torch", "keras"]),
        "patience": st.none() | st.integers(1, 100),
        "scaled": st.booleans(),
        "channel": st.integers(0, 7) | st.just("mean"),
    },
)


@given(VALUES)
def test_a_slug_reads_back_as_the_settings_it_was_made_of(given_values):
    values = settings.resolve(DECLARED, given_values)
    text = settings.slug(values, DECLARED)
    assert "/" not in text
    assert " " not in text
    assert settings.parse_slug(text, DECLARED) == values


@given(VALUES, VALUES)
def test_two_settings_never_share_a_slug(one, other):
    one, other = settings.resolve(DECLARED, one), settings.resolve(DECLARED, other)
    assert (settings.slug(one, DECLARED) == settings.slug(other, DECLARED)) == (one == other)


def test_a_slug_holds_what_differs_sorted():
    values = settings.resolve(DECLARED, {"rate": "1e-2", "epochs": 100, "kind": "torch"})
    assert settings.slug(values, DECLARED) == "epochs=100,rate=0.01"
    assert settings.slug(settings.resolve(DECLARED), DECLARED) == "default"


def test_one_spelling_for_each_value():
    spelt = [settings.resolve(DECLARED, {"rate": value}) for value in ("1e-3", 1e-3, 0.001)]
    assert all(settings.to_json(values) == settings.to_json(spelt[0]) for values in spelt)
    assert settings.to_json(settings.resolve(DECLARED, {"rate": 1})) == settings.to_json(
        settings.resolve(DECLARED, {"rate": 1.0})
    )


def test_a_long_slug_is_cut_and_closed_with_a_hash():
    long = {"hidden": list(range(1000, 1100))}
    one = settings.slug(settings.resolve(DECLARED, long), DECLARED)
    other = settings.slug(settings.resolve(DECLARED, {"hidden": [*long["hidden"], 7]}), DECLARED)
    assert len(one) <= settings.LONGEST_SLUG
    assert one != other
    with pytest.raises(UserError, match="cut short"):
        settings.parse_slug(one, DECLARED)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("epoch=3", "did you mean 'epochs'"),
        ("epochs=0", "epochs"),
        ("epochs=ten", "epochs"),
        ("epochs=50", "is written 'default'"),
        ("rate=0.01,epochs=3", "is written 'epochs=3,rate=0.01'"),
        ("epochs=3,epochs=4", "given twice"),
        ("epochs", "expected setting=value"),
        ("rate=0.010", "is written 'rate=0.01'"),
        ("kind=jax", "kind"),
    ],
)
def test_a_slug_that_nothing_would_be_named_by_is_refused(text, says):
    with pytest.raises(UserError, match=says):
        settings.parse_slug(text, DECLARED)


def test_every_model_declares_settings_that_its_features_do_not():
    for name in model_names():
        declared = settings.model_declaration(name).settings
        assert not set(declared) & set(settings.feature_declarations())
        assert not settings.problems(settings.resolve(declared), declared)


def test_feature_defaults_are_within_their_ranges():
    declared = settings.feature_declarations()
    assert not settings.problems(settings.resolve(declared), declared)
