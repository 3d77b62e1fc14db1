"""Metrics of clip scores: one registry that rows, summary, statistics, tables and figures go through.

A metric is a function of `Curves` below `@metric(...)`, which says all else that anybody has to know of it. Imports
stay light: this runs once per run, and a benchmark has thousands of them; planning reads the titles.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
# csv: columns of results.csv, with an interval. summary: the terminal. tables, figures: of their own, and of ranks.
# thresholds: the table of what a threshold does.
Place = Literal["csv", "summary", "tables", "figures", "thresholds"]


@dataclass(frozen=True)
class Curves:
    """How many clips lie above each distinct score, under each of `n` weightings of the clips.

    steps: (steps,) distinct scores, falling. true_positives, false_positives: (n, steps), abnormal and normal clips
    with that score or a higher one. max_fpr: where a partial area ends. threshold: above it a clip counts as abnormal;
    None where there is none.
    """

    steps: FloatArray
    true_positives: NDArray[np.integer]
    false_positives: NDArray[np.integer]
    max_fpr: float = 0.1
    threshold: float | None = None

    @cached_property
    def tpr(self) -> FloatArray:
        """(n, 1 + steps): true-positive rate from 0 to 1."""
        return _rates(self.true_positives)

    @cached_property
    def fpr(self) -> FloatArray:
        """(n, 1 + steps): false-positive rate from 0 to 1."""
        return _rates(self.false_positives)

    @cached_property
    def rise(self) -> FloatArray:
        """(n, steps): growth of the true-positive rate."""
        return np.diff(self.tpr, axis=1)

    @cached_property
    def run(self) -> FloatArray:
        """(n, steps): growth of the false-positive rate."""
        return np.diff(self.fpr, axis=1)

    def at_threshold(self) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """(n,) true and false positives above the threshold. Raises ValueError where there is none."""
        if self.threshold is None:
            raise ValueError("this metric needs a threshold")
        above = int(np.count_nonzero(self.steps > self.threshold))
        if above == 0:
            none = np.zeros(len(self.true_positives), dtype=np.int64)
            return none, none
        return self.true_positives[:, above - 1], self.false_positives[:, above - 1]


def _rates(counts: NDArray[np.integer]) -> FloatArray:
    rates = np.empty((len(counts), counts.shape[1] + 1))
    rates[:, 0] = 0
    np.divide(counts, counts[:, -1:], out=rates[:, 1:])
    return rates


@dataclass(frozen=True)
class Metric:
    """What a number is called, how it is computed, and where it is shown.

    name: of its columns. title: in tables and figures. function: (n,) values of `Curves`; more is better unless
    `lower_is_better`. chance: of scores that know nothing; None where it depends on the clips. needs_threshold: it is
    empty where a run has none.
    """

    name: str
    title: str
    function: Callable[[Curves], FloatArray]
    minimum: float = 0.0
    maximum: float = 1.0
    chance: float | None = None
    digits: int = 3
    shown_in: frozenset[Place] = frozenset()
    needs_threshold: bool = False
    lower_is_better: bool = False

    def text(self, value: float) -> str:
        """A value as tables write it."""
        return f"{value:.{self.digits}f}"


METRICS: dict[str, Metric] = {}


def metric(
    title: str,
    *,
    shown_in: tuple[Place, ...],
    minimum: float = 0.0,
    maximum: float = 1.0,
    chance: float | None = None,
    digits: int = 3,
    needs_threshold: bool = False,
    lower_is_better: bool = False,
) -> Callable[[Callable[[Curves], FloatArray]], Callable[[Curves], FloatArray]]:
    """Put a function of `Curves` into the registry, under its own name."""

    def register(function: Callable[[Curves], FloatArray]) -> Callable[[Curves], FloatArray]:
        name = function.__name__
        METRICS[name] = Metric(
            name=name,
            title=title,
            function=function,
            minimum=minimum,
            maximum=maximum,
            chance=chance,
            digits=digits,
            shown_in=frozenset(shown_in),
            needs_threshold=needs_threshold,
            lower_is_better=lower_is_better,
        )
        return function

    return register


def metrics_in(place: Place) -> dict[str, Metric]:
    """The metrics that are shown in a place, by name."""
    return {name: one for name, one in METRICS.items() if place in one.shown_in}


@metric("AUC", chance=0.5, shown_in=("csv", "summary", "tables", "figures"))
def auc(curves: Curves) -> FloatArray:
    """Area under the ROC curve; a tie counts half."""
    return np.sum(curves.run * (curves.tpr[:, :-1] + curves.rise / 2), axis=1)


@metric("PR-AUC", shown_in=("csv", "summary", "tables", "figures"))
def pr_auc(curves: Curves) -> FloatArray:
    """Average precision: sum of precision times step in recall.

    The trapezoid is too optimistic (Davis & Goadrich, ICML 2006).
    """
    flagged = curves.true_positives + curves.false_positives
    return np.sum(curves.rise * (curves.true_positives / np.maximum(flagged, 1)), axis=1)


@metric("pAUC", chance=0.5, shown_in=("csv", "summary", "tables", "figures"))
def pauc(curves: Curves) -> FloatArray:
    """Area under the ROC curve up to `max_fpr`, standardised so that chance is .5 (McClish, Med Decis Making 1989)."""
    # Each segment of the curve is cut at max_fpr; `part` is the share of it that lies before the cut.
    # Beyond `last` no segment of any of the curves begins before it.
    last = np.count_nonzero(curves.fpr[:, :-1].min(axis=0) < curves.max_fpr)
    run, rise = curves.run[:, :last], curves.rise[:, :last]
    kept = np.clip(curves.max_fpr - curves.fpr[:, :last], 0, run)
    part = np.divide(kept, run, out=np.zeros_like(run), where=run > 0)
    area = np.sum(kept * (curves.tpr[:, :last] + rise * part / 2), axis=1)
    chance = curves.max_fpr**2 / 2
    return 0.5 * (1 + (area - chance) / (curves.max_fpr - chance))


@metric("False alarms", needs_threshold=True, lower_is_better=True, shown_in=("thresholds",))
def false_alarm_rate(curves: Curves) -> FloatArray:
    """Share of the normal clips above the threshold."""
    _, false_positives = curves.at_threshold()
    return false_positives / curves.false_positives[:, -1]


@metric("Detections", needs_threshold=True, shown_in=("thresholds",))
def detection_rate(curves: Curves) -> FloatArray:
    """Share of the abnormal clips above the threshold: recall."""
    true_positives, _ = curves.at_threshold()
    return true_positives / curves.true_positives[:, -1]


@metric("Precision", needs_threshold=True, shown_in=("thresholds",))
def precision(curves: Curves) -> FloatArray:
    """Share of the abnormal clips among those above the threshold; NaN where none is."""
    true_positives, false_positives = curves.at_threshold()
    flagged = true_positives + false_positives
    return np.divide(true_positives, flagged, out=np.full(len(flagged), np.nan), where=flagged > 0)


@metric("F1", needs_threshold=True, shown_in=("thresholds",))
def f1(curves: Curves) -> FloatArray:
    """Harmonic mean of precision and recall."""
    true_positives, false_positives = curves.at_threshold()
    return 2 * true_positives / (true_positives + false_positives + curves.true_positives[:, -1])


@dataclass(frozen=True)
class Ranking:
    """Clips by falling score: sorted once, for any number of weightings.

    order: (clips,) places of the clips. abnormal: (clips,) in that order. steps: (steps,) distinct scores. first:
    (steps,) where each begins; tied scores form one step.
    """

    order: NDArray[np.intp]
    abnormal: NDArray[np.bool_]
    steps: FloatArray
    first: NDArray[np.intp]

    @classmethod
    def of(cls, abnormal: NDArray[np.bool_], scores: FloatArray) -> "Ranking":
        """abnormal, scores: (clips,); higher scores are more anomalous."""
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        first = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        return cls(order, abnormal[order], ranked[first], first)

    def curves(self, weights: NDArray[np.integer], *, max_fpr: float = 0.1, threshold: float | None = None) -> Curves:
        """Curves under each row of `weights`: (n, clips), how often each clip counts.

        Each row needs a positive weight in both classes.
        """
        weights = np.take(weights, self.order, axis=1)
        positives = weights * self.abnormal
        parts = [positives, weights - positives]
        if len(self.first) < len(self.order):  # ties
            parts = [np.add.reduceat(part, self.first, axis=1) for part in parts]
        # As narrow as the weights: a sum counts clips.
        true_positives, false_positives = (np.cumsum(part, axis=1, dtype=weights.dtype) for part in parts)
        return Curves(self.steps, true_positives, false_positives, max_fpr=max_fpr, threshold=threshold)


def curves_of(
    abnormal: NDArray[np.bool_],
    scores: FloatArray,
    weights: NDArray[np.integer],
    *,
    max_fpr: float = 0.1,
    threshold: float | None = None,
) -> Curves:
    """`Ranking.curves` of clips that are needed once."""
    return Ranking.of(abnormal, scores).curves(weights, max_fpr=max_fpr, threshold=threshold)


def metric_values(curves: Curves, metrics: Mapping[str, Metric] = METRICS) -> dict[str, FloatArray]:
    """(n,) values of each metric; NaN of one that needs a threshold where there is none."""
    missing = np.full(len(curves.true_positives), np.nan)
    return {
        name: missing if one.needs_threshold and curves.threshold is None else one.function(curves)
        for name, one in metrics.items()
    }


def point_values(
    abnormal: NDArray[np.bool_], scores: FloatArray, *, max_fpr: float = 0.1, threshold: float | None = None
) -> dict[str, float]:
    """Each metric of the clips as they are. Raises ValueError where a class is missing."""
    abnormal, scores = np.asarray(abnormal, dtype=bool), np.asarray(scores, dtype=np.float64)
    if abnormal.all() or not abnormal.any():
        raise ValueError("normal and abnormal clips are both needed")
    once = np.ones((1, len(scores)), dtype=np.int64)
    curves = curves_of(abnormal, scores, once, max_fpr=max_fpr, threshold=threshold)
    return {name: float(values[0]) for name, values in metric_values(curves).items()}
