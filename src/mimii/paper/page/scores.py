"""Clip scores and what single runs come to, packed small: 16-bit numbers, histograms, corners of ROC curves."""

import base64
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mimii.evaluation.metrics import curves_of
from mimii.paper.page.readers import ScoredSection

BINS = 24
CORNERS = 60
LEVELS = 65535
DIGITS = 5


def packed(values: NDArray[np.float64]) -> dict[str, Any]:
    """Numbers as base64 of little-endian 16-bit steps between their lowest and highest."""
    low, high = float(values.min()), float(values.max())
    steps = np.zeros(len(values)) if high == low else (values - low) / (high - low) * LEVELS
    return {"low": low, "high": high, "data": base64.b64encode(np.rint(steps).astype("<u2").tobytes()).decode()}


def roc_corners(abnormal: NDArray[np.bool_], scores: NDArray[np.float64]) -> list[list[float]]:
    """FPR and TPR where the ROC curve turns; of a curve with very many corners, some of them."""
    curves = curves_of(abnormal, scores, np.ones((1, len(scores)), dtype=np.int64))
    points = np.stack([curves.fpr[0], curves.tpr[0]])
    steps = np.diff(points, axis=1)
    turns = ~np.isclose(steps[0, :-1] * steps[1, 1:], steps[1, :-1] * steps[0, 1:])
    points = points[:, np.r_[True, turns, True]]
    if points.shape[1] > CORNERS:
        points = points[:, np.unique(np.linspace(0, points.shape[1] - 1, CORNERS).round().astype(int))]
    return [[round(float(value), 4) for value in row] for row in points]


def run_details(sections: Sequence[ScoredSection], labels: Sequence[str]) -> list[dict[str, Any]]:
    """What a section's view shows of each run: ROC, distribution of scores by class, threshold and its rates."""
    distributions = []
    for (place, section), (method, label) in itertools.product(enumerate(sections), enumerate(labels)):
        edges = _edges([run.scores for run in section.runs[label]])
        for run in section.runs[label]:
            row = run.row
            counts = [np.histogram(run.scores[section.abnormal == kind], edges)[0].tolist() for kind in (False, True)]
            distributions.append(
                {
                    "method": method,
                    "section": place,
                    "seed": run.seed,
                    "auc": [number(row[name]) for name in ("auc", "auc_low", "auc_high")],
                    "pauc": number(row["pauc"]),
                    "threshold": number(row["threshold"]),
                    "tpr": number(row["tpr"]),
                    "fpr": number(row["fpr"]),
                    "roc": roc_corners(section.abnormal, run.scores),
                    "edges": [number(edges[0]), number(edges[-1])],
                    "counts": counts,
                }
            )
    return distributions


def _edges(scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Bins that all seeds share."""
    joined = np.concatenate(scores)
    low, high = float(joined.min()), float(joined.max())
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def number(value: Any, digits: int = DIGITS) -> float | None:
    """A float of so many digits, to keep the page small; None where there is none."""
    if value is None or pd.isna(value) or not np.isfinite(value):
        return None
    return float(f"{float(value):.{digits}g}")
