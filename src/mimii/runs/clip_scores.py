"""Reading the scores of a run's test clips."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClipScores:
    """Test clips of one run, by path: (clips,) each."""

    paths: NDArray[np.object_]
    abnormal: NDArray[np.bool_]
    scores: NDArray[np.float64]


def read_clip_scores(path: str | Path, pooling: str) -> ClipScores:
    """The test clips of a scores.parquet with one pooling's scores, sorted by path."""
    table = pq.read_table(path, columns=["path", "label", pooling], filters=[("split", "==", "test")]).sort_by("path")
    return ClipScores(
        table.column("path").to_numpy(zero_copy_only=False),
        table.column("label").to_numpy(zero_copy_only=False) == "abnormal",
        table.column(pooling).to_numpy().astype(np.float64),
    )
