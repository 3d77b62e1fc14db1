"""The official scores of DCASE task 2: what they are, and that of one run with its interval.

2020: arithmetic mean of AUC and pAUC. 2021: harmonic mean of AUC and pAUC, each within a domain. 2022 on: harmonic mean
of the AUC of either domain and the pAUC of both, where the AUC of a domain sets its normal clips against the abnormal
ones of both (papers: `data/sources/dcase.py`; held against published values by a test). Other data whose clips have
domains are scored as those of 2022 on. A value is missing (NaN) where a domain lacks clips of a class, and so is then
every mean that it belongs to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hmean

from mimii.data.sections import Section
from mimii.evaluation.intervals import centred_interval, count_blocks, machine_generator
from mimii.evaluation.metrics import METRICS, FloatArray, curves_of, metric_values
from mimii.runs.clip_scores import ClipScores

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
class SectionClips:
    """The test clips of a section. abnormal: (clips,). domains: (clips,) of "source", "target", and "" for neither."""

    machine: str
    id: str
    abnormal: NDArray[np.bool_]
    domains: NDArray[np.str_]

    @classmethod
    def of(cls, machine: str, id: str, clips: ClipScores) -> "SectionClips":
        """Those of one run."""
        return cls(machine, id, clips.abnormal, np.array([domain or "" for domain in clips.domains], dtype=str))

    def resamples(self, samples: int) -> NDArray[np.int32]:
        """(samples, clips): how often each clip is drawn; each label of each domain keeps its number of clips.

        Every model meets the same resamples of a section.
        """
        strata = np.char.add(self.domains, np.where(self.abnormal, " abnormal", " normal"))
        rng = machine_generator(self.machine, self.id)
        return np.concatenate(list(count_blocks(strata, samples, rng)))

    def counted(self, part: Part) -> NDArray[np.bool_]:
        """(clips,): which a part is of."""
        counted = np.ones(len(self.abnormal), dtype=bool)
        for domain, clips in ((part.normal, ~self.abnormal), (part.abnormal, self.abnormal)):
            if domain is not None:
                counted &= ~clips | (self.domains == domain)
        return counted


def parts_of(year: int) -> tuple[Part, ...]:
    """What each section contributes to the official score of a year."""
    return {2020: PARTS_2020, 2021: PARTS_2021}.get(year, PARTS)


def mean_of(year: int, values: Sequence[Any]) -> FloatArray:
    """The year's kind of mean over the first axis: arithmetic in 2020, then harmonic with values floored at epsilon."""
    stacked = np.asarray(values, dtype=np.float64)
    return np.asarray(stacked.mean(axis=0) if year == 2020 else hmean(np.maximum(stacked, FLOOR), axis=0))


def part_values(
    year: int, section: SectionClips, scores: FloatArray, weights: NDArray[np.integer]
) -> dict[str, FloatArray]:
    """(n,) values of a section's parts under each row of `weights`: (n, clips), how often each clip counts.

    scores: (clips,), higher is more anomalous.
    """
    values = {}
    for part in parts_of(year):
        counted = section.counted(part)
        abnormal = section.abnormal[counted]
        if abnormal.all() or not abnormal.any():
            values[part.name] = np.full(len(weights), np.nan)
            continue
        curves = curves_of(abnormal, scores[counted], weights[:, counted], max_fpr=MAX_FPR)
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


def score_of_run(
    year: int, section: Section, clips: ClipScores, *, samples: int, confidence: float
) -> Iterator[tuple[str | None, str, tuple[float, float, float]]]:
    """(domain, metric, (value, low, high)) of one run: the year's official score, and what its parts are in one domain.

    Nothing of what is missing. Parts of all clips are left out: they are metrics of every run.
    """
    own = SectionClips.of(section.machine, section.id, clips)
    once = np.ones((1, len(own.abnormal)), dtype=np.int32)
    points, drawn = (part_values(year, own, clips.scores, weights) for weights in (once, own.resamples(samples)))
    shown: dict[tuple[str | None, str], list[str]] = {(None, SCORE): list(points)}
    shown |= {(part.normal, part.metric): [part.name] for part in parts_of(year) if part.normal}
    for (domain, metric), names in shown.items():
        (value,), draws = (mean_of(year, [parts[name] for name in names]) for parts in (points, drawn))
        if np.isfinite(value):
            low, high = centred_interval(float(value), draws, confidence)
            yield domain, metric, (float(value), max(low, 0.0), min(high, 1.0))
