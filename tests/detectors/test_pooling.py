"""Window scores to clip scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimii.detectors.pooling import pool

CLIPS = st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), min_size=1, max_size=6)


@given(CLIPS, st.integers(1, 12))
def test_each_clip_is_pooled_by_itself(clips, top_k):
    scores = np.array([score for clip in clips for score in clip])
    clip = np.repeat(np.arange(len(clips)), [len(scores) for scores in clips])
    pooled = pool(scores, clip, len(clips), top_k=top_k)
    for n, own in enumerate(clips):
        highest = sorted(own, reverse=True)[:top_k]
        assert pooled["mean"][n] == pytest.approx(sum(own) / len(own), abs=1e-6)
        assert pooled["max"][n] == max(own)
        assert pooled["top_k"][n] == pytest.approx(sum(highest) / len(highest), abs=1e-6)


def test_the_top_1_is_the_maximum_and_the_top_of_all_the_mean():
    scores, clip = np.array([3.0, -1.0, 2.0, 7.0]), np.array([0, 0, 0, 1])
    first, all_of_them = (pool(scores, clip, 2, top_k=top_k)["top_k"] for top_k in (1, 9))
    assert first.tolist() == [3.0, 7.0]
    assert all_of_them == pytest.approx([4 / 3, 7.0])
