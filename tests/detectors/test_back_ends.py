"""What the residual score learns from the clips that were fitted on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.covariance import LedoitWolf

from mimii.detectors.back_ends import learn_mahalanobis, ledoit_wolf, mahalanobis_distances

VALUES = arrays(
    np.float64,
    st.tuples(st.integers(2, 30), st.integers(1, 12)),
    elements=st.floats(-1e3, 1e3, allow_subnormal=False).map(lambda value: round(value, 3)),
)


@given(VALUES)
def test_the_covariance_is_scikit_learns(values):
    values -= values.mean(0)
    expected = LedoitWolf(assume_centered=True).fit(values).covariance_
    np.testing.assert_allclose(ledoit_wolf(values), expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max())


def test_bands_that_vary_together_are_weighed_together():
    """Two bands that always rise together; a clip in which only one does is stranger than one in which both do."""
    level = np.random.default_rng(1).normal(size=(200, 1))
    learnt = learn_mahalanobis(level + np.random.default_rng(2).normal(scale=0.05, size=(200, 2)))
    together, apart = mahalanobis_distances(np.array([[1.0, 1.0], [1.0, -1.0]]), **learnt)
    assert together == pytest.approx(1, abs=0.2)
    assert apart > 5 * together


@pytest.mark.parametrize(
    ("clips", "said"),
    [(1, "1 clips were fitted on"), (9, "9 clips were fitted on"), (10, "fewer than the 12 mel bands"), (12, "")],
)
def test_too_few_clips_are_said(clips, said, caplog):
    learnt = learn_mahalanobis(np.random.default_rng(1).normal(size=(clips, 12)))
    assert bool(learnt) == (clips >= 10)
    assert said in caplog.text
    assert bool(said) == bool(caplog.text)


def test_clips_that_do_not_differ_have_no_distance(caplog):
    assert learn_mahalanobis(np.zeros((20, 4))) == {}
    assert "the 20 clips that were fitted on does not differ" in caplog.text
