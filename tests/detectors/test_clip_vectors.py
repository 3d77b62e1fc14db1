"""From the frames of a clip to its vector."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mimii.detectors.clip_vectors import clip_vector

FRAMES = arrays(np.float32, st.tuples(st.integers(1, 40), st.just(3)), elements=st.floats(-100, 0, width=32))


@given(FRAMES)
def test_the_weight_of_ranks_leads_from_the_maximum_to_the_mean(frames):
    np.testing.assert_allclose(clip_vector(frames, "sorted", 1.0), clip_vector(frames, "mean", 1.0), atol=1e-9)
    np.testing.assert_array_equal(clip_vector(frames, "sorted", 0.0), clip_vector(frames, "maximum", 1.0))
    steps = [clip_vector(frames, "sorted", weight) for weight in (0.0, 0.5, 0.9, 0.99, 1.0)]
    assert np.all(np.diff(steps, axis=0) <= 1e-9)


def test_levels_are_weighed_by_rank_in_each_band():
    frames = np.array([[1, 30], [3, 10], [2, 20]], np.float32)
    np.testing.assert_allclose(clip_vector(frames, "sorted", 0.5), np.array([3 + 1 + 0.25, 30 + 10 + 2.5]) / 1.75)


@pytest.mark.parametrize("kind", ["mean", "mean_and_deviation", "sorted", "maximum"])
@given(FRAMES)
def test_the_order_of_frames_says_nothing(kind, frames):
    np.testing.assert_allclose(clip_vector(frames[::-1], kind, 0.9), clip_vector(frames, kind, 0.9), atol=1e-6)


def test_mean_and_deviation_come_one_after_the_other():
    frames = np.array([[1, 5], [3, 5]], np.float32)
    np.testing.assert_array_equal(clip_vector(frames, "mean_and_deviation", 1.0), [2, 5, 1, 0])


def test_stacked_frames_come_one_after_the_other():
    frames = np.array([[1, 5], [3, 6]], np.float32)
    np.testing.assert_array_equal(clip_vector(frames, "stacked", 1.0), [1, 5, 3, 6])
