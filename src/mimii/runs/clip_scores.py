"""Reading the scores of a run's test clips."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mimii.runs.records import damaged


@dataclass(frozen=True)
class ClipScores:
    """Test clips of one run, by path: (clips,) each. domains: "source", "target" or None; None where none are kept."""

    paths: NDArray[np.object_]
    abnormal: NDArray[np.bool_]
    scores: NDArray[np.float64]
    domains: NDArray[np.object_] | None = None


def read_clip_scores(path: str | Path, pooling: str) -> ClipScores:
    """The test clips of a scores.parquet with one pooling, sorted by path. Raises UserError where it is damaged."""
    names = ["path", "label", pooling]
    try:
        names += [name for name in pq.read_schema(path).names if name == "domain"]
        table = pq.read_table(path, columns=names, filters=[("split", "==", "test")]).sort_by("path")
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from error
    return ClipScores(
        table.column("path").to_numpy(zero_copy_only=False),
        table.column("label").to_numpy(zero_copy_only=False) == "abnormal",
        table.column(pooling).to_numpy().astype(np.float64),
        table.column("domain").to_numpy(zero_copy_only=False) if "domain" in names else None,
    )
