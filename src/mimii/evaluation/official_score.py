"""The official scores of DCASE task 2, per section, machine type and over all, with intervals of the score itself.

2020: arithmetic mean of AUC and pAUC. 2021: harmonic mean of AUC and pAUC, each within a domain. 2022 on: harmonic mean
of the AUC of either domain and the pAUC of both, where the AUC of a domain sets its normal clips against the abnormal
ones of both (papers: `data/sources/dcase.py`; held against published values by a test).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hmean

from mimii.common.errors import UserError
from mimii.data.sections import AVERAGE, Section, dcase_year
from mimii.evaluation.intervals import BOOTSTRAP_SEED, count_blocks, machine_generator, percentile_interval
from mimii.evaluation.metrics import METRICS, FloatArray, curves_of, metric_values
from mimii.runs.clip_scores import ClipScores, read_clip_scores

if TYPE_CHECKING:
    import pandas as pd

MAX_FPR = 0.1
FLOOR = float(np.finfo(np.float64).eps)  # a harmonic mean has none of 0
SCORE = "official_score"


@dataclass(frozen=True)
class Part:
    """A value that a section contributes.

    metric: of `METRICS`. normal, abnormal: the domain of its clips; None: both.
    """

    name: str
    metric: str
    normal: str | None = None
    abnormal: str | None = None


PAUC = Part("pauc", "pauc")
PARTS_2020 = (Part("auc", "auc"), PAUC)
PARTS_2021 = tuple(
    Part(f"{metric}_{domain}", metric, domain, domain) for metric in ("auc", "pauc") for domain in ("source", "target")
)
PARTS = (Part("auc_source", "auc", "source"), Part("auc_target", "auc", "target"), PAUC)


@dataclass(frozen=True)
class SectionScores:
    """The test clips of a section and one model's scores of them, of each seed.

    abnormal: (clips,). domains: (clips,) of "source" and "target"; None in 2020. scores: (seeds, clips), higher is more
    anomalous.
    """

    machine: str
    id: str
    abnormal: NDArray[np.bool_]
    domains: NDArray[np.str_] | None
    scores: FloatArray


def parts_of(year: int) -> tuple[Part, ...]:
    """What each section contributes to the official score of a year."""
    return {2020: PARTS_2020, 2021: PARTS_2021}.get(year, PARTS)


def mean_of(year: int, values: Sequence[Any]) -> FloatArray:
    """The year's kind of mean over the first axis: arithmetic in 2020, then harmonic with values floored at epsilon."""
    stacked = np.asarray(values, dtype=np.float64)
    return np.asarray(stacked.mean(axis=0) if year == 2020 else hmean(np.maximum(stacked, FLOOR), axis=0))


def part_values(
    year: int,
    abnormal: NDArray[np.bool_],
    domains: NDArray[np.str_] | None,
    scores: FloatArray,
    weights: NDArray[np.integer],
) -> dict[str, FloatArray]:
    """(n,) values of a section's parts under each row of `weights`: (n, clips), how often each clip counts.

    abnormal, domains, scores: (clips,). Raises ValueError where the year has domains and `domains` is None, or a domain
    lacks normal or abnormal clips.
    """
    values = {}
    for part in parts_of(year):
        counted = np.ones(len(abnormal), dtype=bool)
        for domain, clips in ((part.normal, ~abnormal), (part.abnormal, abnormal)):
            if domain is not None:
                if domains is None:
                    raise ValueError(f"the official score of {year} needs the domains of the clips")
                counted &= ~clips | (domains == domain)
        if abnormal[counted].all() or not abnormal[counted].any():
            raise ValueError(f"{part.name}: normal and abnormal clips are both needed")
        curves = curves_of(abnormal[counted], scores[counted], weights[:, counted], max_fpr=MAX_FPR)
        values[part.name] = metric_values(curves, {part.metric: METRICS[part.metric]})[part.metric]
    return values


def official_score(year: int, sections: Mapping[tuple[str, str], Mapping[str, Any]]) -> FloatArray:
    """The official score from the parts of each section, by (machine type, ID); values may be arrays of one shape.

    In 2020 the IDs of a machine type are averaged before machine types are; a harmonic mean is one over all values.
    """
    if year != 2020:
        return mean_of(year, [value for parts in sections.values() for value in parts.values()])
    machines = dict.fromkeys(machine for machine, _ in sections)
    of_machines = [
        mean_of(year, [mean_of(year, list(parts.values())) for (own, _), parts in sections.items() if own == machine])
        for machine in machines
    ]
    return mean_of(year, of_machines)


def resample_weights(section: SectionScores, samples: int) -> NDArray[np.int64]:
    """(samples, clips): how often each clip is drawn; each label of each domain keeps its number of clips.

    Every model meets the same resamples of a section.
    """
    rng = machine_generator(section.machine, section.id)
    weights = np.zeros((samples, len(section.abnormal)), dtype=np.int64)
    domains = np.full(len(section.abnormal), "") if section.domains is None else section.domains
    for domain in np.unique(domains):
        clips = np.flatnonzero(domains == domain)
        weights[:, clips] = np.concatenate(list(count_blocks(section.abnormal[clips], samples, rng)))
    return weights


@dataclass(frozen=True)
class Resampled:
    """A model's parts of a year's score in each of its sections, by (machine type, ID), and on resampled clips.

    values: (seeds, 1) of each part. resampled: (seeds, samples). drawn: (seeds, samples), which seeds a resample has.
    """

    year: int
    values: Mapping[tuple[str, str], Mapping[str, FloatArray]]
    resampled: Mapping[tuple[str, str], Mapping[str, FloatArray]]
    drawn: NDArray[np.int64]

    def score(self, keys: Sequence[tuple[str, str]], metric: str = SCORE) -> tuple[float, FloatArray]:
        """The score of some sections, or their mean of one part: mean over seeds, and (samples,) of the resamples."""
        names = [part.name for part in parts_of(self.year)] if metric == SCORE else [metric]
        of_clips, of_resamples = (
            official_score(self.year, {key: {name: parts[key][name] for name in names} for key in keys})
            for parts in (self.values, self.resampled)
        )
        return float(of_clips.mean()), np.take_along_axis(of_resamples, self.drawn, axis=0).mean(axis=0)

    def interval(self, keys: Sequence[tuple[str, str]], metric: str, confidence: float) -> tuple[float, float, float]:
        """`score`, and the bootstrap's interval of that very number.

        It is moved so that the mean of the resamples lies at the value: resampled clips raise pAUC a little.
        """
        value, draws = self.score(keys, metric)
        low, high = percentile_interval(draws - draws.mean() + value, confidence)
        return value, max(low, 0.0), min(high, 1.0)


def resample(year: int, sections: Sequence[SectionScores], samples: int, *, stream: int = 0) -> Resampled:
    """Draw the clips of every section and the seeds anew, `samples` times.

    All models meet the same resamples of clips; stream: of the seeds', which belong to one model. Raises ValueError as
    `part_values`.
    """
    values, resampled = {}, {}
    for section in sections:
        once = np.ones((1, len(section.abnormal)), dtype=np.int64)
        values[section.machine, section.id] = _of_seeds(year, section, once)
        resampled[section.machine, section.id] = _of_seeds(year, section, resample_weights(section, samples))
    seeds = len(sections[0].scores)
    drawn = np.random.default_rng([BOOTSTRAP_SEED, seeds, stream]).integers(seeds, size=(seeds, samples))
    return Resampled(year, values, resampled, drawn)


def official_scores(
    year: int, sections: Sequence[SectionScores], *, samples: int = 1000, confidence: float = 0.95
) -> "pd.DataFrame":
    """The score and its parts, per section, machine type and over all.

    Columns: machine_type, machine_id (AVERAGE where it is a mean over them), metric (`official_score` or a part), value
    (mean over seeds), low and high: `Resampled.interval`, each resample taking the year's mean of what it finds. Raises
    ValueError as `part_values`.
    """
    import pandas as pd

    resampled = resample(year, sections, samples)
    rows = [
        (machine, id, metric, *resampled.interval(keys, metric, confidence))
        for machine, id, keys in _scopes(list(resampled.values))
        for metric in (SCORE, *(part.name for part in parts_of(year)))
    ]
    return pd.DataFrame(rows, columns=["machine_type", "machine_id", "metric", "value", "low", "high"])


def score_of_run(
    year: int, section: Section, clips: ClipScores, *, samples: int, confidence: float
) -> Iterator[tuple[str | None, str, tuple[float, float, float]]]:
    """(domain, metric, (value, low, high)) of one run: the year's official score, and what its parts are in one domain.

    Nothing where the clips of a domain that the year asks for are not of both classes. Parts of all clips are left out:
    they are metrics of every run.
    """
    domains = None if year == 2020 else clips.domains.astype(str)
    try:
        own = SectionScores(section.machine, section.id, clips.abnormal, domains, clips.scores[None])
        resampled = resample(year, [own], samples)
    except ValueError:
        return
    keys = list(resampled.values)
    yield None, SCORE, resampled.interval(keys, SCORE, confidence)
    for part in parts_of(year):
        if part.normal is not None:
            yield part.normal, part.metric, resampled.interval(keys, part.name, confidence)


def scores_of_runs(frame: "pd.DataFrame", runs_root: Path, snr: str) -> "pd.DataFrame":
    """`official_scores` of every model's runs on a year's data, with the column `label` before.

    frame: rows of `inference.select_runs`. snr: such as dcase2024. Raises UserError as `read_sections`.
    """
    import pandas as pd

    year = dcase_year(snr)
    assert year is not None, snr
    tables = []
    for label, rows in frame[frame["db_level"] == snr].groupby("label", sort=False):
        samples, confidence = int(rows["bootstrap_samples"].iloc[0]), float(rows["confidence"].iloc[0])
        table = official_scores(year, read_sections(rows, runs_root, year), samples=samples, confidence=confidence)
        table.insert(0, "label", str(label))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def read_sections(rows: "pd.DataFrame", runs_root: Path, year: int) -> list[SectionScores]:
    """One model's clip scores of each section of a year's data, all seeds.

    rows: of results.csv, one per section and seed. Raises UserError where a clip has no domain that the score needs.
    """
    sections = []
    for (machine, id), runs in rows.groupby(["machine_type", "machine_id"]):
        of_seeds = [
            read_clip_scores(Path(runs_root, path) / "scores.parquet", sha256=sha256)
            for path, sha256 in zip(runs["run_path"], runs["scores_sha256"], strict=True)
        ]
        first = of_seeds[0]
        if year > 2020 and (first.domains is None or any(domain is None for domain in first.domains)):
            raise UserError(
                f"{runs['run_path'].iloc[0]}: its clips have no domain, which the official score of {year} needs; "
                "delete the features of its section and run again"
            )
        domains = None if year == 2020 else np.asarray(first.domains, dtype=str)
        scores = np.stack([own.scores for own in of_seeds])
        sections.append(SectionScores(str(machine), str(id), first.abnormal, domains, scores))
    return sections


def by_type(scores: "pd.DataFrame") -> dict[tuple[str, str, str], dict[str, float]]:
    """value, low and high of `scores_of_runs` by label, machine type (AVERAGE: over all) and metric."""
    rows: list[dict[Any, Any]] = scores[scores["machine_id"] == AVERAGE].to_dict("records")
    return {
        (row["label"], row["machine_type"], row["metric"]): {name: row[name] for name in ("value", "low", "high")}
        for row in rows
    }


def _of_seeds(year: int, section: SectionScores, weights: NDArray[np.int64]) -> dict[str, FloatArray]:
    """(seeds, n) values of each part."""
    of_seeds = [part_values(year, section.abnormal, section.domains, scores, weights) for scores in section.scores]
    return {part.name: np.stack([values[part.name] for values in of_seeds]) for part in parts_of(year)}


def _scopes(keys: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """(machine type, ID, sections in it): over all, each machine type, each section."""
    yield AVERAGE, AVERAGE, list(keys)
    for machine in dict.fromkeys(machine for machine, _ in keys):
        own = [key for key in keys if key[0] == machine]
        yield machine, AVERAGE, own
        for key in own:
            yield *key, [key]
