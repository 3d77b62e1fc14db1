"""The metrics of every run, and the same on resamples of its clips, which all runs of a machine share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mimii.common.errors import UserError
from mimii.evaluation.intervals import BOOTSTRAP_SEED, count_blocks, machine_generator
from mimii.evaluation.metrics import Curves, Metric, Ranking, metric_values, metrics_in
from mimii.evaluation.results import SECTION_COLUMNS, run_labels
from mimii.runs.clip_scores import ClipScores, read_clip_scores

RUN = ["label", *SECTION_COLUMNS, "seed"]
COMPARED = metrics_in("tables")
# What a threshold does is measured at both: column of results.csv by the prefix of what is measured there.
THRESHOLDS = {"fitted": "threshold", "conformal": "conformal_threshold"}
# Everything that is averaged: the metric, and the column of its threshold.
MEASURED: dict[str, tuple[Metric, str | None]] = {
    **{name: (metric, None) for name, metric in COMPARED.items()},
    **{
        f"{prefix}_{name}": (metric, column)
        for prefix, column in THRESHOLDS.items()
        for name, metric in metrics_in("thresholds").items()
    },
}


def select_runs(frame: pd.DataFrame, variants: Sequence[Sequence[str]]) -> pd.DataFrame:
    """The rows of the given (model, variant) pairs, pairs in the given order, with a column `label` that names them.

    Raises UserError where there is none, or one of them has no row, or not the same sections and seeds as the first:
    their averages would not be comparable.
    """
    if not variants:
        raise UserError("results: no model was run on every section; run one on all of them, and merge again")
    parts, sections = [], {}
    for model, variant in variants:
        part = frame[(frame["model"] == model) & (frame["variant"] == variant)]
        if part.empty:
            raise UserError(f"results: no run of {model} with the variant {variant}; merge the results again")
        parts.append(part)
        sections[model, variant] = set(zip(part["db_level"], part["machine_type"], part["machine_id"], strict=True))
    (first, wanted), *others = sections.items()
    for pair, present in others:
        if present != wanted:
            odd = ", ".join("/".join(section) for section in sorted(present ^ wanted)[:5])
            raise UserError(
                f"results: {'/'.join(first)} and {'/'.join(pair)} were not run on the same sections (first that "
                f"differ: {odd}), so their averages cannot be compared; run both on all of them"
            )
    selected = pd.concat(parts, ignore_index=True)
    labels = run_labels(selected)
    selected["label"] = [labels[pair] for pair in zip(selected["model"], selected["variant"], strict=True)]
    return selected


def measure(frame: pd.DataFrame, runs_root: str | Path) -> pd.DataFrame:
    """`frame` with a column for each of MEASURED that results.csv does not hold, from the clip scores of the runs."""
    missing = {name: one for name, one in MEASURED.items() if name not in frame.columns}
    rows: list[dict[str, float]] = []
    for run in frame.to_dict("records"):
        clips = read_run(run, runs_root)
        once = np.ones((1, len(clips.scores)), dtype=np.int32)
        curves = Ranking.of(clips.abnormal, clips.scores).curves(once, max_fpr=run["max_fpr"])
        rows.append({name: float(value[0]) for name, value in measured_values(curves, missing, run).items()})
    return pd.concat([frame, pd.DataFrame(rows, index=frame.index)], axis=1)


def measured_values(
    curves: Curves, measured: Mapping[str, tuple[Metric, str | None]], run: Mapping[Any, Any]
) -> dict[str, NDArray[np.float64]]:
    """(n,) values of each of `measured`; NaN where a run lacks the threshold."""
    # One object for each threshold: what a metric derives from the curves serves the next one, too.
    at = {column: curves for _, column in measured.values()}
    for column in at:
        if column is not None and not pd.isna(run[column]):
            at[column] = replace(curves, threshold=float(run[column]))
    return {name: metric_values(at[column], {name: metric})[name] for name, (metric, column) in measured.items()}


def resample_runs(frame: pd.DataFrame, runs_root: str | Path, *, samples: int) -> dict[str, pd.DataFrame]:
    """Resample the clips of every section, once for all of its runs, and compute every run's metrics on each resample.

    frame: rows of `select_runs`, or of `measure`. Returns for each metric a frame of one row per run, with the columns
    of RUN and one for each resample. The generator is seeded by the machine, and clips are in the order of their names:
    since a file number is the same recording at every SNR, the SNRs of a machine meet the same resamples too.
    Raises UserError where two runs of a section were not tested on the same clips.
    """
    measured = {name: one for name, one in MEASURED.items() if name in frame.columns}
    values = {name: np.empty((len(frame), samples)) for name in measured}
    keys: list[pd.DataFrame] = []
    done = 0
    for _, rows in frame.groupby(SECTION_COLUMNS, sort=False):
        runs = read_section(rows, runs_root)
        rankings = [Ranking.of(run.abnormal, run.scores) for run in runs]
        rng = machine_generator(rows["machine_type"].iloc[0], rows["machine_id"].iloc[0])
        max_fpr, records = float(rows["max_fpr"].iloc[0]), rows.to_dict("records")
        first = 0
        for counts in count_blocks(runs[0].abnormal, samples, rng):
            block = slice(first, first + len(counts))
            for place, (ranking, record) in enumerate(zip(rankings, records, strict=True), done):
                curves = ranking.curves(counts, max_fpr=max_fpr)
                for name, resampled in measured_values(curves, measured, record).items():
                    values[name][place, block] = resampled
            first = block.stop
        keys.append(rows[RUN])
        done += len(rows)
    index = pd.concat(keys, ignore_index=True)
    return {name: pd.concat([index, pd.DataFrame(values.pop(name))], axis=1) for name in measured}


def read_run(row: Mapping[Any, Any], runs_root: str | Path) -> ClipScores:
    """The test clips of the run behind a row of results.csv. Raises UserError where they are missing or damaged."""
    return read_clip_scores(Path(runs_root, row["run_path"], "scores.parquet"), sha256=row["scores_sha256"])


def read_section(rows: pd.DataFrame, runs_root: str | Path) -> list[ClipScores]:
    """The test clips of all runs of a section. Raises UserError where they are not the same ones."""
    paths = list(rows["run_path"])
    runs = [read_run(row, runs_root) for row in rows.to_dict("records")]
    for run, path in zip(runs, paths, strict=True):
        if not np.array_equal(run.paths, runs[0].paths) or not np.array_equal(run.abnormal, runs[0].abnormal):
            raise UserError(
                f"runs {paths[0]} and {path} were tested on different clips; delete both, and run them again"
            )
    return runs


def resampled_values(resampled: pd.DataFrame) -> NDArray[np.float64]:
    """(runs, resamples): one metric of `resample_runs` without the columns of RUN."""
    return resampled.drop(columns=RUN).to_numpy(dtype=float)


@dataclass(frozen=True)
class SeedWeights:
    """What each run of one model counts in its mean over IDs, machine types and SNRs, by seed.

    seeds: which. places, weights: for each seed, of its runs.
    """

    seeds: Sequence[Any]
    places: Sequence[NDArray[np.intp]]
    weights: Sequence[NDArray[np.float64]]

    @classmethod
    def of(cls, runs: pd.DataFrame) -> "SeedWeights":
        """runs: of one model, with the columns of RUN; the index is their places."""
        ids = runs.groupby(["db_level", "machine_type"], sort=False)["machine_id"].transform("nunique")
        types = runs.groupby("db_level", sort=False)["machine_type"].transform("nunique")
        weights = 1 / (ids * types * runs["db_level"].nunique()).to_numpy(dtype=float)
        codes, seeds = pd.factorize(runs["seed"], sort=True, use_na_sentinel=False)
        of_seed = [np.flatnonzero(codes == code) for code in range(len(seeds))]
        return cls(list(seeds), [runs.index.to_numpy()[rows] for rows in of_seed], [weights[rows] for rows in of_seed])

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(resamples,): the model's metric, averaged on each resample as the metric itself is, of seeds drawn anew.

        values: (all runs, resamples). All sections meet the same draws of the seeds, so that what a seed does
        everywhere is not averaged away.
        """
        parts = zip(self.places, self.weights, strict=True)
        return mean_of_drawn_seeds(np.array([weights @ values[places] for places, weights in parts]), self.seeds)


def mean_of_drawn_seeds(by_seed: NDArray[np.float64], seeds: Sequence[Any]) -> NDArray[np.float64]:
    """(resamples,): mean over seeds, drawn anew for each resample. by_seed: (seeds, resamples), as `seeds` are.

    One seed less is drawn than there are: the variance of a mean is then not too small (Rao & Wu, JASA 83, 1988). The
    same seeds give the same draws, of other models too: a seed also chooses which clips are held out.
    """
    if len(seeds) < 2:
        return by_seed[0]
    rng = np.random.default_rng([BOOTSTRAP_SEED, *map(int, seeds)])
    drawn = rng.integers(len(seeds), size=(len(seeds) - 1, by_seed.shape[1]))
    return by_seed[drawn, np.arange(by_seed.shape[1])].mean(axis=0)
