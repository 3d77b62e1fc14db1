"""Reading results for the page: everything that it knows of other packages' files stands here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mimii.common.errors import UserError
from mimii.data.sections import Section, snr_order
from mimii.evaluation.packed import CLIPS, CONFIG, CSV, runs_beside, unpack
from mimii.evaluation.resampling import read_run
from mimii.evaluation.results import SECTION_COLUMNS, read_results

ROOT = "/"  # the folder of all runs: their paths are absolute here


@dataclass(frozen=True)
class Results:
    """One results.csv with its runs.

    frame: its rows, `run_path` as an absolute path. config: the configuration it was made with, {} where that is not
    known. listening: what `listening.gather_clips` wrote of chosen runs.
    """

    name: str
    frame: pd.DataFrame
    config: dict[str, Any] = field(default_factory=dict)
    listening: Sequence[dict[str, Any]] = ()


def read_folder(csv: Path, runs: Path, config: Path, listening: Sequence[Path] = (), *, name: str = "") -> Results:
    """The results of a CSV whose runs lie below `runs`. Raises UserError where a row points out of that folder."""
    frame = read_results(csv)
    frame["run_path"] = [str(runs.absolute() / _inside(path, csv)) for path in frame["run_path"]]
    return Results(
        name, frame, _read_json(config) if config.is_file() else {}, [_read_json(path) for path in listening]
    )


def read_any(path: Path, scratch: Path) -> Results:
    """Results of a folder, of its CSV, or of a zip of `save` or `share`, which is unpacked into `scratch`."""
    folder = path
    if path.suffix == ".zip":
        folder = scratch / path.stem
        unpack(path, folder)
    csv = folder / CSV if folder.is_dir() else folder
    if not csv.is_file():
        raise UserError(f"{path}: holds no {CSV}; give a folder of results, its CSV, or a zip of `save` or `share`")
    clips = sorted((csv.parent / CLIPS).rglob("*.json"))
    name = path.stem if path.suffix == ".zip" else csv.absolute().parent.name
    return read_folder(csv, runs_beside(csv), csv.parent / CONFIG, clips, name=name)


def _inside(path: str, csv: Path) -> str:
    parts = PurePosixPath(path).parts
    if PurePosixPath(path).is_absolute() or ".." in parts:
        raise UserError(f"{csv}: run_path {path!r} leaves the folder of runs; merge the results again")
    return path


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}); delete it and make the page again") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: damaged; delete it and make the page again")
    return content


@dataclass(frozen=True)
class ScoredRun:
    """row: of the CSV. scores: (test clips,)."""

    row: Mapping[str, Any]
    scores: NDArray[np.float64]

    @property
    def seed(self) -> int | None:
        """None for external scores."""
        return None if pd.isna(self.row["seed"]) else int(self.row["seed"])


@dataclass(frozen=True)
class ScoredSection:
    """A section's test clips in the order of their paths, and what every method scored.

    clips: paths without the section's own part. domains, attributes: "" where the dataset says nothing. runs: of each
    method by its label, a run for each seed.
    """

    section: Section
    clips: list[str]
    abnormal: NDArray[np.bool_]
    domains: NDArray[np.str_]
    attributes: NDArray[np.str_]
    runs: Mapping[str, Sequence[ScoredRun]]

    def mean_scores(self, label: str) -> NDArray[np.float64]:
        """(test clips,): the mean of a method's scores over its seeds."""
        return np.mean([run.scores for run in self.runs[label]], axis=0)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows, each by the names of its columns."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def read_sections(frame: pd.DataFrame) -> list[ScoredSection]:
    """The sections of the rows, the easiest SNR first. Rows have a `label`; the runs of a section share their clips."""
    scored = []
    for key, rows in frame.groupby(SECTION_COLUMNS, sort=False):
        section = Section(*map(str, key))
        runs: dict[str, list[ScoredRun]] = {}
        for row in records(rows):
            clips = read_run(row, ROOT)
            runs.setdefault(row["label"], []).append(ScoredRun(row, clips.scores))
        names = [str(path).removeprefix(f"{section.path}/") for path in clips.paths]
        domains, attributes = (
            np.array([value or "" for value in values]) for values in (clips.domains, clips.attributes)
        )
        scored.append(ScoredSection(section, names, clips.abnormal, domains, attributes, runs))
    return sorted(scored, key=lambda one: (snr_order(one.section.snr), one.section))
