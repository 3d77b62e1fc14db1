"""Where the methods go wrong, and whether they go wrong together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from mimii.evaluation.kinds import clips_of_kinds
from mimii.evaluation.metrics import point_values
from mimii.paper.page.readers import ScoredSection

LISTED = 200


def error_analysis(sections: Sequence[ScoredSection], labels: Sequence[str]) -> dict[str, Any]:
    """missed, alarms: [section, clip] that every method gets wrong, and how many; agreement; AUC by domain and kind.

    A clip counts as flagged where its score is above the run's threshold in more than half of the seeds. Methods
    without a threshold are left out of `missed` and `alarms`.
    """
    missed: list[list[int]] = []
    alarms: list[list[int]] = []
    correlations = []
    judged: set[int] = set()
    kinds: dict[str, dict[str, list[list[float]]]] = {"domains": {}, "attributes": {}}
    for place, section in enumerate(sections):
        flagged = {
            number: flags for number, label in enumerate(labels) if (flags := _flagged(section, label)) is not None
        }
        judged |= set(flagged)
        if flagged:
            flags = np.array(list(flagged.values()))
            missed += [[place, int(clip)] for clip in np.flatnonzero(section.abnormal & ~flags.any(axis=0))]
            alarms += [[place, int(clip)] for clip in np.flatnonzero(~section.abnormal & flags.all(axis=0))]
        correlations.append(_rank_correlations([section.mean_scores(label) for label in labels]))
        for name, of_kinds in _by_kind(section, labels).items():
            for kind, values in of_kinds.items():
                kinds[name].setdefault(kind, []).append(values)
    return {
        "judged": sorted(judged),
        "missed": missed[:LISTED],
        "missedCount": len(missed),
        "alarms": alarms[:LISTED],
        "alarmsCount": len(alarms),
        "agreement": [[_rounded(value) for value in row] for row in np.mean(correlations, axis=0)],
        **{name: [_kind_entry(kind, values) for kind, values in own.items()] for name, own in kinds.items()},
    }


def _flagged(section: ScoredSection, label: str) -> NDArray[np.bool_] | None:
    """(clips,) Which clips a method flags; None where a run has no threshold."""
    thresholds = [run.row["threshold"] for run in section.runs[label]]
    if any(pd.isna(threshold) for threshold in thresholds):
        return None
    above = [run.scores > threshold for run, threshold in zip(section.runs[label], thresholds, strict=True)]
    return np.mean(above, axis=0) > 0.5


def _rank_correlations(scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Spearman's, (methods, methods)."""
    ranks = np.array([stats.rankdata(own) for own in scores])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.atleast_2d(np.corrcoef(ranks))


def _by_kind(section: ScoredSection, labels: Sequence[str]) -> Mapping[str, Mapping[str, list[float]]]:
    """AUC of each method for each domain, and for each attribute of the abnormal clips against all normal ones.

    Of a domain: its normal clips against all abnormal ones, as DCASE's task 2 has it from 2022 on.
    """
    abnormal, domains, attributes = section.abnormal, section.domains, section.attributes

    def each_auc(clips: NDArray[np.bool_]) -> list[float]:
        of_runs = [
            [point_values(abnormal[clips], run.scores[clips])["auc"] for run in section.runs[label]] for label in labels
        ]
        return [float(np.mean(values)) for values in of_runs]

    of_domains = {str(name): abnormal | (domains == name) for name in sorted({*domains[~abnormal]} - {""})}
    return {
        "domains": {name: each_auc(clips) for name, clips in of_domains.items()},
        "attributes": {name: each_auc(clips) for name, clips in clips_of_kinds(abnormal, attributes).items()},
    }


def _kind_entry(kind: str, values: list[list[float]]) -> list[Any]:
    """[kind, sections that have it, AUC of each method]."""
    return [kind, len(values), [_rounded(value) for value in np.mean(values, axis=0)]]


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
