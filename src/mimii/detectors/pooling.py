"""From scores of windows to scores of clips."""

import numpy as np
from numpy.typing import NDArray


def pool(
    scores: NDArray[np.floating], clip: NDArray[np.int64], clips: int, *, top_k: int
) -> dict[str, NDArray[np.float64]]:
    """Mean, maximum and mean of the `top_k` highest window scores of every clip.

    scores, clip: (windows,), the windows of a clip side by side. Returns arrays of shape (clips,).
    A clip with fewer than `top_k` windows takes the mean of all it has.
    """
    edges = np.searchsorted(clip, np.arange(clips + 1))
    parts = [scores[edges[index] : edges[index + 1]].astype(np.float64) for index in range(clips)]
    return {
        "mean": np.array([part.mean() for part in parts]),
        "max": np.array([part.max() for part in parts]),
        "top_k": np.array([np.sort(part)[-top_k:].mean() for part in parts]),
    }
