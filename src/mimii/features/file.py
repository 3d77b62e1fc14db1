"""A section's features on disk: one parquet file, a row per clip.

Rows are in the order of a source's `clips`: training clips, normal test clips, abnormal test clips, and a
group of rows never holds clips of both splits, so that one split is read without touching the other.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mimii.common.canonical import to_json
from mimii.common.errors import UserError
from mimii.common.records import Record
from mimii.data.recordings import Clip, Recordings
from mimii.data.split import fit_count
from mimii.features.clips import Clips, Group

SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("domain", pa.string()),
        pa.field("attributes", pa.string(), nullable=False),
        pa.field("frames", pa.int32(), nullable=False),
        pa.field("values", pa.list_(pa.field("element", pa.float32(), nullable=False))),
        pa.field("error", pa.string()),
    ]
)
CLIP_COLUMNS = ("path", "label", "split", "domain", "attributes")  # fields of `Clip`
METADATA = b"mimii"
UNKNOWN = Recordings("", "")
# Rows are written once they hold so many values (2 MB, 25 clips of MIMII): decoding a group takes ten times its size.
GROUP_VALUES = 500_000


@dataclass(frozen=True)
class FeaturesMetadata(Record):
    """What a features file says of itself.

    section: its path. settings: all of the extractor's. width: values of a frame, 0 where no clip has any. recordings:
    what it was made of. code: fingerprint of what made it. versions: of the libraries that computed. checkpoint:
    SHA-256 of each file of the pretrained network that computed, by its name; empty where none did.
    """

    section: str
    settings: Mapping[str, Any]
    on_bad_clip: str = "stop"
    width: int = 0
    recordings: Recordings = UNKNOWN
    code: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    checkpoint: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClipTable:
    """What a features file says of its clips; position in a list = row in the file.

    domains: "source" or "target", None where the dataset has none. attributes: "" where it says nothing.
    frames: 0 for a clip that was skipped. errors: why it was, None where it was not.
    """

    paths: list[str]
    labels: list[str]
    splits: list[str]
    domains: list[str | None]
    attributes: list[str]
    frames: list[int]
    errors: list[str | None]
    metadata: FeaturesMetadata

    def usable(self, split: str) -> list[int]:
        """Rows of a split ("train" | "test") that were not skipped, in order."""
        return [row for row, name in enumerate(self.splits) if name == split and self.errors[row] is None]

    def fitted(self, val_split: float) -> list[int]:
        """Rows of the training clips that a model is fitted on, which are the first ones; skipped clips left out.

        The part is counted with the skipped clips, so that a broken clip moves no other one to the other part.
        """
        end = fit_count(self.count("train"), val_split)
        return [row for row in self.usable("train") if row < end]

    def held_out(self, val_split: float) -> list[int]:
        """Rows of the other training clips, on which a training may be stopped and thresholds are set."""
        return sorted({*self.usable("train")}.difference(self.fitted(val_split)))

    def count(self, split: str, label: str | None = None) -> int:
        """How many clips a split has, skipped ones too; of one label where it is given."""
        return sum(
            own == split and label in (None, own_label) for own, own_label in zip(self.splits, self.labels, strict=True)
        )

    def check(self, path: str | Path, section: str, settings: Mapping[str, Any]) -> None:
        """Raise UserError where these are not the features of `section` with `settings`."""
        actual = {**self.metadata.settings, "section": self.metadata.section}
        asked_for = {**settings, "section": section}
        differing = sorted(
            key for key in {*actual, *asked_for} if actual.get(key, "nothing") != asked_for.get(key, "nothing")
        )
        if differing:
            differences = "; ".join(
                f"{key} is {actual.get(key, 'nothing')!r}, not {asked_for.get(key, 'nothing')!r}" for key in differing
            )
            raise UserError(
                f"{path}: features of something else ({differences}); to make them again, add this to your snakemake "
                f"command: --forcerun {path}"
            )

    def check_recordings(self, path: str | Path, recordings: Recordings | str) -> None:
        """Raise UserError where these features were made of other recordings.

        recordings: as a job that used them recorded them, or as they are listed now.
        """
        own = self.metadata.recordings
        if recordings not in (own, own.listed):
            raise UserError(
                f"{path}: features of other recordings of {self.metadata.section} than the present ones; to make them "
                f"again, add this to your snakemake command: --forcerun {path}. Where the recordings were only copied "
                "or unpacked afresh, `python -m mimii check_dataset --content` compares their "
                "contents first"
            )

    def group(self, row: int) -> Group:
        """Where the clip of a row belongs."""
        return Group(self.metadata.section, self.domains[row], self.attributes[row])

    def skipped(self) -> list[tuple[str, str]]:
        """Path of each clip that was skipped, and why."""
        return [(path, error) for path, error in zip(self.paths, self.errors, strict=True) if error is not None]


class FeatureWriter:
    """Writes rows as they come, a group at a time; use as a context."""

    def __init__(self, path: Path, metadata: FeaturesMetadata) -> None:
        """metadata: written last, so that it may be replaced until then."""
        self.metadata = metadata
        # Frames do not compress: lz4 and snappy leave the file as large as it is.
        self._writer = pq.ParquetWriter(path, SCHEMA, compression="none", use_dictionary=False, write_statistics=False)
        self._rows: list[tuple[Clip, NDArray[np.float32] | None, str | None]] = []
        self._values = self._width = 0

    def __enter__(self) -> "FeatureWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write_group()
            metadata = replace(self.metadata, width=self._width)
            self._writer.add_key_value_metadata({METADATA: to_json(metadata.plain())})
        self._writer.close()

    def add(self, clip: Clip, frames: NDArray[np.float32] | None, error: str | None = None) -> None:
        """Append a clip: its (frames, values), as many values in every clip, or the error for which it was skipped."""
        if self._rows and (self._values >= GROUP_VALUES or self._rows[-1][0].split != clip.split):
            self._write_group()
        self._rows.append((clip, frames, error))
        if frames is not None:
            self._values += frames.size
            self._width = frames.shape[1]

    def _write_group(self) -> None:
        if not self._rows:
            return
        clips, frames, errors = zip(*self._rows, strict=True)
        present = [own.ravel() for own in frames if own is not None]
        offsets = np.cumsum([0, *(0 if own is None else own.size for own in frames)], dtype=np.int32)
        columns = {
            **{name: [getattr(clip, name) for clip in clips] for name in CLIP_COLUMNS},
            "frames": [0 if own is None else len(own) for own in frames],
            "values": pa.ListArray.from_arrays(
                offsets,
                np.concatenate(present) if present else np.empty(0, np.float32),
                type=SCHEMA.field("values").type,
                mask=pa.array([own is None for own in frames]),
            ),
            "error": errors,
        }
        self._writer.write_table(pa.table(columns, schema=SCHEMA), row_group_size=len(self._rows))
        self._rows, self._values = [], 0


def read_table(path: str | Path) -> ClipTable:
    """Everything but the features. Raises UserError where the file is missing, damaged or something else."""
    with _opened(path) as file:
        table = file.read(columns=[name for name in SCHEMA.names if name != "values"], use_threads=False)
        columns = {name: table.column(name).to_pylist() for name in table.column_names}
        return ClipTable(
            paths=columns["path"],
            labels=columns["label"],
            splits=columns["split"],
            domains=columns["domain"],
            attributes=columns["attributes"],
            frames=columns["frames"],
            errors=columns["error"],
            metadata=_metadata(file, path),
        )


def read_clips(path: str | Path, rows: Sequence[int]) -> Clips:
    """Features and groups of the clips in `rows` of one file, as `read_clips_of_files` has them of several."""
    return read_clips_of_files({Path(path): rows})


def read_clips_of_files(rows: Mapping[Path, Sequence[int]]) -> Clips:
    """Features and groups of the clips in these rows of each file, in that order; none may be a skipped clip's.

    Reads the groups of rows that hold them, one at a time, into one array for all files: of many sections there may be
    gigabytes, and never two copies. Raises UserError as `read_table` does.
    """
    tables = {path: read_table(path) for path in rows}
    skipped = [(row, path) for path, own in rows.items() for row in own if tables[path].errors[row] is not None]
    if skipped:
        raise ValueError(f"row {skipped[0][0]} of {skipped[0][1]} was skipped and has no features")
    lengths = np.array([tables[path].frames[row] for path, own in rows.items() for row in own], dtype=np.int64)
    width = max((table.metadata.width for table in tables.values()), default=0)
    frames = np.empty((int(lengths.sum()), width), dtype=np.float32)
    edges = np.concatenate([[0], np.cumsum(lengths)])
    first = 0
    for path, own in rows.items():
        last = first + len(own)
        places = zip(own, edges[first:last], edges[first + 1 : last + 1], strict=True)
        _read_frames(path, {row: frames[start:end] for row, start, end in places})
        first = last
    return Clips(frames, lengths, tuple(tables[path].group(row) for path, own in rows.items() for row in own))


def _read_frames(path: Path, places: Mapping[int, NDArray[np.float32]]) -> None:
    """Read the frames of each row into its place, (frames, values)."""
    with _opened(path) as file:
        first = 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            rows_here = [row for row in range(first, first + count) if row in places]
            if rows_here:
                column = file.read_row_group(group, columns=["values"], use_threads=False).column(0)
                lists = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
                values, offsets = np.from_dlpack(lists.values), np.from_dlpack(lists.offsets)
                for row in rows_here:
                    places[row].reshape(-1)[:] = values[offsets[row - first] : offsets[row - first + 1]]
            first += count


def read_metadata(path: str | Path) -> FeaturesMetadata:
    """What the file says of itself, from its end alone. Raises UserError as `read_table` does."""
    with _opened(path) as file:
        return _metadata(file, path)


def _metadata(file: pq.ParquetFile, path: str | Path) -> FeaturesMetadata:
    try:
        return FeaturesMetadata.parse(json.loads(file.metadata.metadata[METADATA]))
    except ValueError as error:
        raise UserError(f"{path}: features of another version ({error}); delete it and run again") from error


@contextmanager
def _opened(path: str | Path) -> Iterator[pq.ParquetFile]:
    """A features file, open for reading; whatever shows that it is damaged becomes a UserError."""
    try:
        with pq.ParquetFile(path) as file:
            if METADATA not in (file.metadata.metadata or {}) or file.schema_arrow.names != SCHEMA.names:
                raise UserError(f"{path}: not a features file, or one of an older version; delete it and run again")
            yield file
    except FileNotFoundError:
        raise UserError(f"{path}: features are missing; run extract_features, or ask Snakemake for this file") from None
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: damaged features file ({error}); delete it and run again") from error
