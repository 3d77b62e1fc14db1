"""What differences between models are worth: averages with intervals, and paired comparisons.

Would the order of two models hold for other clips of these machines, and other seeds? A stratified bootstrap over
clips, paired: every model meets the same resamples (Efron & Tibshirani, An Introduction to the Bootstrap, 1993). The
seeds of a model are drawn with them. Whether it would hold for other IDs of these machine types is what `ranks` tests.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from mimii.data.sections import AVERAGE, snr_order
from mimii.evaluation.intervals import centred_interval
from mimii.evaluation.resampling import MEASURED, RUN, SeedWeights, resampled_values
from mimii.evaluation.results import SECTION_COLUMNS, average
from mimii.evaluation.seeds import has_enough_seeds

COMPARISON = ["label", "other", "metric", "db_level", "difference", "low", "high", "p_value", "p_holm", "enough_seeds"]
SECTION_COMPARISON = ["label", "other", *SECTION_COLUMNS, "difference", "low", "high", "p_value", "p_holm"]


def scopes(frame: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """(SNR, machine type): all sections, each SNR, each machine type, each of both; AVERAGE where not named."""
    snrs = sorted(frame["db_level"].unique(), key=snr_order)
    yield from itertools.product([AVERAGE, *snrs], [AVERAGE, *sorted(frame["machine_type"].unique())])


def in_scope(frame: pd.DataFrame, snr: str, machine_type: str) -> pd.DataFrame:
    """The rows of an SNR and a machine type, or of all of them."""
    if snr != AVERAGE:
        frame = frame[frame["db_level"] == snr]
    return frame if machine_type == AVERAGE else frame[frame["machine_type"] == machine_type]


def paired_p_value(difference: float, resampled: NDArray[np.float64], freedom: float = math.inf) -> float:
    """Two-sided p-value of a difference between two means, from the spread of the same difference over the resamples.

    By the normal distribution, which an average of AUCs soon follows: the share of resamples beyond 0 could not tell
    p-values below 1 / resamples apart, and a correction for many pairs needs them. By Student's t of `freedom` degrees
    where a part of the spread is known from few seeds.
    """
    if difference == 0:
        return 1.0
    error = float(np.std(resampled, ddof=1))
    return float(2 * stats.t.sf(abs(difference) / error, freedom)) if error > 0 else 0.0


def correct_by_holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """(tests,) p-values, in any order, corrected over all of them (Holm, Scand J Statist 6, 1979).

    As multipletests of statsmodels does, whose every call collects garbage: of a page that took more than all the rest.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p_values)
    corrected = np.empty(len(order))
    corrected[order] = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1)).clip(max=1)
    return corrected


def seed_freedom(resampled: NDArray[np.float64], by_seed: Sequence[NDArray[np.float64]]) -> float:
    """Degrees of freedom of a spread that holds that of seeds (Satterthwaite, Biometrics Bulletin 2, 1946).

    resampled: (resamples,), of clips and seeds together. by_seed: for each independent set of seeds, its values; the
    variance of each mean is known with one degree less than it has seeds, that of the clips with very many.
    """
    total = float(np.var(resampled, ddof=1))
    parts = [(float(np.var(values, ddof=1)) / len(values), len(values) - 1) for values in by_seed if len(values) > 1]
    doubt = sum(variance**2 / freedom for variance, freedom in parts)
    return max(total**2 / doubt, 1.0) if doubt > 0 else math.inf


def average_metrics(
    frame: pd.DataFrame, resampled: Mapping[str, pd.DataFrame], *, confidence: float = 0.95
) -> pd.DataFrame:
    """Mean, deviations and interval of each metric of each model, in every one of `scopes`.

    Columns: label, metric, db_level, machine_type, mean (over seeds, then IDs, then machine types, then SNRs),
    machine_deviation (standard deviation over machines, their SNRs averaged; NaN for one machine), seed_deviation
    (standard deviation of the mean over seeds; NaN for one seed), seeds (how many), low and high (bootstrap over clips
    and seeds, so for these machines), is_best (the best mean), is_significantly_best (each other model is worse at a
    two-sided level of 1 - confidence, paired by clip; all of them, so no further correction is due: intersection-union
    test, Berger, Technometrics 24, 1982; never where one of them has too few seeds).
    """
    claimable = all(has_enough_seeds(frame).values())
    values = {metric: resampled_values(one) for metric, one in resampled.items()}
    runs = next(iter(resampled.values()))[RUN]  # the same of every metric
    table = []
    for snr, machine_type in scopes(frame):
        rows = in_scope(frame, snr, machine_type)
        if rows.empty:
            continue
        for scope in Scope.each(rows, in_scope(runs, snr, machine_type), values):
            for cells in scope.averages(confidence, claimable=claimable):
                table.append({"metric": scope.metric, "db_level": snr, "machine_type": machine_type, **cells})
    return pd.DataFrame(table)[["label", *(name for name in table[0] if name != "label")]]


@dataclass(frozen=True)
class Scope:
    """One metric of all models over some sections.

    means: by label. values: (models, resamples), averaged as the means are. by_seed: for each model its mean for each
    seed. seeds: for each model which. machine_deviations: over machines.
    """

    metric: str
    means: Mapping[str, float]
    values: NDArray[np.float64]
    by_seed: Sequence[NDArray[np.float64]]
    seeds: Sequence[tuple[Any, ...]]
    machine_deviations: Mapping[str, float]

    @classmethod
    def each(
        cls, rows: pd.DataFrame, runs: pd.DataFrame, values: Mapping[str, NDArray[np.float64]]
    ) -> "Iterator[Scope]":
        """One for each metric of `values`: (all runs, resamples); what the metrics share is computed once.

        rows: runs of the scope. runs: the same with the columns of RUN, its index being their places in `values`.
        """
        metrics = list(values)
        means = average(rows, metrics, ["label"])
        machines = average(rows, metrics, ["label", "machine_type", "machine_id"]).groupby(level="label").std(ddof=1)
        by_seed = average(rows, metrics, ["label", "seed"])
        labels = list(means.index)
        own = [by_seed.loc[[label]] for label in labels]
        weights = [SeedWeights.of(runs[runs["label"] == label]) for label in labels]
        for metric in metrics:
            yield cls(
                metric,
                {label: float(mean) for label, mean in zip(labels, means[metric], strict=True)},
                np.array([one.mean(values[metric]) for one in weights]),
                [one[metric].to_numpy() for one in own],
                [tuple(one.index.get_level_values("seed")) for one in own],
                dict(zip(labels, machines[metric].loc[labels], strict=True)),
            )

    @property
    def labels(self) -> list[str]:
        """The models' labels."""
        return list(self.means)

    def difference(self, first: int, second: int) -> tuple[float, NDArray[np.float64], float]:
        """Mean of one model minus that of another one, the same on each resample, and its degrees of freedom."""
        centre = self.means[self.labels[first]] - self.means[self.labels[second]]
        values = self.values[first] - self.values[second]
        # External scores have no seed, and a missing value can be compared with nothing.
        own, other = ([seed for seed in self.seeds[model] if not pd.isna(seed)] for model in (first, second))
        same = own == other
        both = [self.by_seed[first], self.by_seed[second]]
        return centre, values, seed_freedom(values, [both[0] - both[1]] if same else both)

    def averages(self, confidence: float, *, claimable: bool) -> Iterator[dict[str, Any]]:
        """A row of `average_metrics` for each model."""
        sign = -1 if MEASURED[self.metric][0].lower_is_better else 1
        centres = np.array(list(self.means.values()))
        best = int(np.argmax(sign * centres)) if np.isfinite(centres).any() else 0
        others = [number for number in range(len(centres)) if number != best]
        worse = [paired_p_value(*self.difference(best, other)) < 1 - confidence for other in others]
        for number, label in enumerate(self.labels):
            freedom = seed_freedom(self.values[number], [self.by_seed[number]])
            low, high = centred_interval(centres[number], self.values[number], confidence, freedom)
            seeds = self.by_seed[number]
            yield {
                "label": label,
                "mean": centres[number],
                "machine_deviation": self.machine_deviations[label],
                "seed_deviation": float(np.std(seeds, ddof=1)) if len(seeds) > 1 else math.nan,
                "seeds": len(seeds),
                "low": min(max(low, 0.0), 1.0),  # moving it may move it too far
                "high": min(max(high, 0.0), 1.0),
                "is_best": number == best,
                "is_significantly_best": number == best and claimable and bool(worse) and all(worse),
            }


def compare_models(
    frame: pd.DataFrame, resampled: Mapping[str, pd.DataFrame], *, confidence: float = 0.95
) -> pd.DataFrame:
    """Every two models, over all sections and per SNR: the difference of their means, paired by clip.

    Columns: label, other, metric, db_level, difference, low, high, p_value, p_holm (Holm's correction over the pairs of
    one metric and SNR: Scand J Statist 6, 1979), enough_seeds (whether anything may be claimed: `has_enough_seeds`).
    """
    enough = has_enough_seeds(frame)
    values = {metric: resampled_values(one) for metric, one in resampled.items()}
    runs = next(iter(resampled.values()))[RUN]  # the same of every metric
    table = []
    for snr in [AVERAGE, *sorted(frame["db_level"].unique(), key=snr_order)]:
        rows = in_scope(frame, snr, AVERAGE)
        for scope in Scope.each(rows, in_scope(runs, snr, AVERAGE), values):
            pairs = list(itertools.combinations(range(len(scope.labels)), 2))
            differences = [scope.difference(*pair) for pair in pairs]
            p_values = [paired_p_value(*difference) for difference in differences]
            adjusted = correct_by_holm(p_values)
            for pair, one, p_value, p_holm in zip(pairs, differences, p_values, adjusted, strict=True):
                low, high = centred_interval(one[0], one[1], confidence, one[2])
                first, second = (scope.labels[number] for number in pair)
                table.append(
                    {
                        "label": first,
                        "other": second,
                        "metric": scope.metric,
                        "db_level": snr,
                        "difference": one[0],
                        "low": low,
                        "high": high,
                        "p_value": p_value,
                        "p_holm": float(p_holm),
                        "enough_seeds": enough[first] and enough[second],
                    }
                )
    return pd.DataFrame(table, columns=COMPARISON)


def compare_in_sections(
    frame: pd.DataFrame, resampled: pd.DataFrame, metric: str, *, confidence: float = 0.95
) -> pd.DataFrame:
    """Every two models in each section: the difference of their values of a metric, seeds averaged, paired by clip.

    resampled: of that metric. Columns: label, other, db_level, machine_type, machine_id, difference, low, high,
    p_value, p_holm (Holm's correction over the sections of one pair).
    """
    values, runs = resampled_values(resampled), resampled[RUN]
    places = runs.groupby(SECTION_COLUMNS).groups
    pairs = list(itertools.combinations(frame["label"].unique(), 2))
    table = []
    for section, rows in frame.groupby(SECTION_COLUMNS, sort=False):
        (scope,) = Scope.each(rows, runs.loc[places[section]], {metric: values})
        for pair in pairs:
            difference = scope.difference(*map(scope.labels.index, pair))
            low, high = centred_interval(difference[0], difference[1], confidence, difference[2])
            table.append((*pair, *section, difference[0], low, high, paired_p_value(*difference), math.nan))
    comparisons = pd.DataFrame(table, columns=SECTION_COMPARISON)
    comparisons["p_holm"] = comparisons.groupby(["label", "other"])["p_value"].transform(correct_by_holm)
    return comparisons
