"""The scores of a run's clips: `scores.parquet`, a row per clip, a column per way to come from windows to a clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.common.records import DamagedError, sha256_of

PRIMARY = "mean"  # the protocol's score of a clip
ABOUT = ("path", "label", "split", "domain", "attributes")


@dataclass(frozen=True)
class ClipScores:
    """Clips of one run, (clips,) each, sorted by path. domains: "source", "target" or None. attributes: "" for none."""

    paths: NDArray[np.object_]
    abnormal: NDArray[np.bool_]
    scores: NDArray[np.float64]
    domains: NDArray[np.object_]
    attributes: NDArray[np.object_]


@dataclass(frozen=True)
class RunScores:
    """A whole scores.parquet: test clips, held-out normal clips, and the score columns that there are."""

    table: pa.Table

    @property
    def columns(self) -> list[str]:
        """Names of the scores, the primary one first."""
        return [name for name in self.table.column_names if name not in ABOUT]

    def count(self, split: str, label: str) -> int:
        """How many clips of a split ("test" | "validation") and label there are."""
        pairs = zip(self.table.column("split").to_pylist(), self.table.column("label").to_pylist(), strict=True)
        return sum(pair == (split, label) for pair in pairs)

    def clips(self, column: str = PRIMARY, split: str = "test") -> ClipScores:
        """The clips of a split with one of the scores, sorted by path; a missing score is NaN."""
        values = {name: self.table.column(name).to_numpy(zero_copy_only=False) for name in (*ABOUT, column)}
        rows = np.flatnonzero(values["split"] == split)
        rows = rows[np.argsort(values["path"][rows], kind="stable")]
        return ClipScores(
            values["path"][rows],
            values["label"][rows] == "abnormal",
            values[column][rows].astype(np.float64),
            values["domain"][rows],
            values["attributes"][rows],
        )


def write_scores(
    path: Path, about: Mapping[str, Any], scores: Mapping[str, Sequence[float] | NDArray[np.float64]]
) -> None:
    """Write scores.parquet. about: the columns of `ABOUT`. scores: one column each, the primary one among them."""
    text = pa.string()
    columns = {name: pa.array(about[name], text) for name in ABOUT}
    columns |= {name: pa.array(values, pa.float64()) for name, values in scores.items()}
    with written_whole(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def read_scores(path: str | Path, sha256: str | None = None) -> RunScores:
    """A whole scores.parquet.

    sha256: of the file, by the record that describes it; None: not compared. Raises UserError where the file is
    missing, damaged or another than that.
    """
    if sha256 is not None and sha256_of(path) != sha256:
        raise DamagedError(path, "not the scores that its record describes: the checksum differs")
    try:
        with pq.ParquetFile(path) as file:  # read_table imports pyarrow.dataset, a tenth of a metrics job
            table = file.read()
    except FileNotFoundError:
        raise UserError(f"{path}: scores are missing; ask snakemake for this file") from None
    except (OSError, pa.ArrowException) as error:
        raise DamagedError(path, error) from error
    if missing := [name for name in (*ABOUT, PRIMARY) if name not in table.column_names]:
        raise DamagedError(path, f"it lacks the columns {', '.join(missing)}")
    return RunScores(table)


def read_clip_scores(path: str | Path, column: str = PRIMARY, sha256: str | None = None) -> ClipScores:
    """The test clips of a scores.parquet with one of its scores. Raises UserError as `read_scores` does."""
    return read_scores(path, sha256).clips(column)
