"""Slugs name exactly what differs from the declared defaults, and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimii.common import declarations, slugs
from mimii.common.canonical import to_json
from mimii.common.errors import UserError
from mimii.detectors.declaration import model_declaration, model_names
from mimii.features.settings import feature_declarations

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
    values = declarations.resolve(DECLARED, given_values)
    text = slugs.slug(values, DECLARED)
    assert "/" not in text
    assert " " not in text
    assert slugs.parse_slug(text, DECLARED) == values


@given(VALUES, VALUES)
def test_two_settings_never_share_a_slug(one, other):
    one, other = declarations.resolve(DECLARED, one), declarations.resolve(DECLARED, other)
    assert (slugs.slug(one, DECLARED) == slugs.slug(other, DECLARED)) == (one == other)


def test_a_slug_holds_what_differs_sorted():
    values = declarations.resolve(DECLARED, {"rate": "1e-2", "epochs": 100, "kind": "torch"})
    assert slugs.slug(values, DECLARED) == "epochs=100,rate=0.01"
    assert slugs.slug(declarations.resolve(DECLARED), DECLARED) == "default"


def test_one_spelling_for_each_value():
    spelt = [declarations.resolve(DECLARED, {"rate": value}) for value in ("1e-3", 1e-3, 0.001)]
    assert all(to_json(values) == to_json(spelt[0]) for values in spelt)
    assert to_json(declarations.resolve(DECLARED, {"rate": 1})) == to_json(
        declarations.resolve(DECLARED, {"rate": 1.0})
    )


def test_a_long_slug_is_cut_and_closed_with_a_hash():
    long = {"hidden": list(range(1000, 1100))}
    one = slugs.slug(declarations.resolve(DECLARED, long), DECLARED)
    other = slugs.slug(declarations.resolve(DECLARED, {"hidden": [*long["hidden"], 7]}), DECLARED)
    assert len(one) <= slugs.LONGEST_SLUG
    assert one != other
    with pytest.raises(UserError, match="cut short"):
        slugs.parse_slug(one, DECLARED)


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
        slugs.parse_slug(text, DECLARED)


def test_every_model_declares_settings_that_its_features_do_not():
    for name in model_names():
        declared = model_declaration(name).settings
        assert not set(declared) & set(feature_declarations())
        assert not declarations.problems(declarations.resolve(declared), declared)


def test_feature_defaults_are_within_their_ranges():
    declared = feature_declarations()
    assert not declarations.problems(declarations.resolve(declared), declared)
