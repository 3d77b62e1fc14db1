"""Models by the official score of DCASE task 2: its means over seeds per section, machine type and over all, with
intervals over clips and seeds.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mimii.common.errors import UserError
from mimii.data.sections import AVERAGE, dcase_year, scored_year
from mimii.evaluation.inference import seed_freedom
from mimii.evaluation.intervals import centred_interval
from mimii.evaluation.metrics import FloatArray
from mimii.evaluation.official_score import SCORE, SectionClips, official_score, part_values, parts_of
from mimii.evaluation.resampling import mean_of_drawn_seeds, read_section

Key = tuple[str, str]  # machine type and ID
VALUES = ("value", "seed_deviation", "low", "high")


@dataclass(frozen=True)
class Resampled:
    """A model's parts of a year's score in each of its sections, as they are and on resampled clips.

    seeds: which. values: (seeds, 1) of each part. resampled: (seeds, samples).
    """

    year: int
    seeds: Sequence[Any]
    values: Mapping[Key, Mapping[str, FloatArray]]
    resampled: Mapping[Key, Mapping[str, FloatArray]]

    def score(self, keys: Sequence[Key], metric: str = SCORE) -> tuple[FloatArray, FloatArray]:
        """The score of some sections, or their mean of one part: (seeds,), and (samples,) of the resamples.

        A resample draws the seeds, too, as every other statistic does, and takes the year's mean of what it finds.
        """
        names = [part.name for part in parts_of(self.year)] if metric == SCORE else [metric]
        of_clips, of_resamples = (
            official_score(self.year, {key: {name: parts[key][name] for name in names} for key in keys})
            for parts in (self.values, self.resampled)
        )
        return of_clips[:, 0], mean_of_drawn_seeds(of_resamples, self.seeds)

    def interval(self, keys: Sequence[Key], metric: str, confidence: float) -> tuple[float, float, float, float]:
        """The mean of `score` over seeds, its standard deviation over them (NaN for one), and the bootstrap's interval
        of that very number.
        """
        by_seed, draws = self.score(keys, metric)
        value = float(by_seed.mean())
        deviation = float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else math.nan
        ends = centred_interval(value, draws, confidence, seed_freedom(draws, [by_seed]))
        low, high = np.clip(ends, 0, 1)
        return value, deviation, float(low), float(high)


def resample(
    year: int, sections: Sequence[tuple[SectionClips, FloatArray]], seeds: Sequence[Any], samples: int
) -> Resampled:
    """Draw the clips of every section anew, `samples` times; all models meet the same resamples.

    sections: clips, and one model's (seeds, clips) scores of them.
    """
    values, resampled = {}, {}
    for section, scores in sections:
        key, once = (section.machine, section.id), np.ones((1, len(section.abnormal)), dtype=np.int32)
        values[key] = _of_seeds(year, section, scores, once)
        resampled[key] = _of_seeds(year, section, scores, section.resamples(samples))
    return Resampled(year, seeds, values, resampled)


def official_averages(resampled: Resampled, confidence: float = 0.95) -> pd.DataFrame:
    """The score and its parts, per section, machine type and over all.

    Columns: machine_type, machine_id (AVERAGE where it is a mean over them), metric (`official_score` or a part), value
    (mean over seeds), seed_deviation, low and high: `Resampled.interval`.
    """
    rows = [
        (machine, id, metric, *resampled.interval(keys, metric, confidence))
        for machine, id, keys in _scopes(list(resampled.values))
        for metric in (SCORE, *(part.name for part in parts_of(resampled.year)))
    ]
    return pd.DataFrame(rows, columns=["machine_type", "machine_id", "metric", *VALUES])


def scores_of_runs(frame: pd.DataFrame, runs_root: Path, snr: str) -> pd.DataFrame:
    """`official_averages` of every model's runs at one SNR, such as dcase2024, with the column `label` before.

    frame: rows of `resampling.select_runs`. Raises UserError as `read_resampled`.
    """
    tables = []
    for label, rows in frame[frame["db_level"] == snr].groupby("label", sort=False):
        table = official_averages(read_resampled(rows, runs_root, snr), float(rows["confidence"].iloc[0]))
        table.insert(0, "label", str(label))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def read_resampled(rows: pd.DataFrame, runs_root: Path, snr: str) -> Resampled:
    """One model's official score, from the clip scores of its runs.

    rows: of results.csv, one for each section of `snr` and seed. Raises UserError where sections have other seeds than
    each other, or DCASE's clips no domain that their score needs.
    """
    year = scored_year(snr, domains=True)
    assert year is not None
    sections, seeds = [], []
    for (machine, id), runs in rows.sort_values("seed").groupby(["machine_type", "machine_id"]):
        of_seeds = read_section(runs, runs_root)
        section = SectionClips.of(str(machine), str(id), of_seeds[0])
        if (dcase_year(snr) or 0) > 2020 and (section.domains == "").any():
            raise UserError(
                f"{runs['run_path'].iloc[0]}: its clips have no domain, which the official score of {year} needs; "
                "delete the features of its section and run again"
            )
        sections.append((section, np.stack([own.scores for own in of_seeds])))
        seeds.append(runs["seed"].tolist())
    if len({str(own) for own in seeds}) > 1:
        raise UserError(f"{rows['model'].iloc[0]}: the official score needs runs of the same seeds on every section")
    return resample(year, sections, seeds[0], int(rows["bootstrap_samples"].iloc[0]))


def by_type(scores: pd.DataFrame) -> dict[tuple[str, str, str], dict[str, float]]:
    """VALUES of `scores_of_runs` by label, machine type (AVERAGE: over all) and metric."""
    rows: list[dict[Any, Any]] = scores[scores["machine_id"] == AVERAGE].to_dict("records")
    return {(row["label"], row["machine_type"], row["metric"]): {name: row[name] for name in VALUES} for row in rows}


def _of_seeds(year: int, section: SectionClips, scores: FloatArray, weights: Any) -> dict[str, FloatArray]:
    """(seeds, n) values of each part."""
    of_seeds = [part_values(year, section, own, weights) for own in scores]
    return {part.name: np.stack([values[part.name] for values in of_seeds]) for part in parts_of(year)}


def _scopes(keys: Sequence[Key]) -> Iterator[tuple[str, str, list[Key]]]:
    """(machine type, ID, sections in it): over all, each machine type, each section."""
    yield AVERAGE, AVERAGE, list(keys)
    for machine in dict.fromkeys(machine for machine, _ in keys):
        own = [key for key in keys if key[0] == machine]
        yield machine, AVERAGE, own
        for key in own:
            yield *key, [key]
