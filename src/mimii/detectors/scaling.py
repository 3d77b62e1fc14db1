"""Standardisation per mel band."""

import numpy as np
from numpy.typing import NDArray


def mean_and_deviation(frames: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each mel band, (n_mels,) twice, of frames (total frames, n_mels).

    Summed in double precision, a block at a time. The deviation of a band that never changes is 1.
    """
    mean = frames.mean(axis=0, dtype=np.float64)
    blocks = range(0, len(frames), 2**14)
    squares = sum(np.square(frames[first : first + 2**14] - mean).sum(axis=0) for first in blocks)
    deviation = np.sqrt(squares / len(frames))
    deviation[deviation < 1e-6 * np.maximum(1.0, np.abs(mean))] = 1.0
    return mean.astype(np.float32), deviation.astype(np.float32)
