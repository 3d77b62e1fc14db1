"""What differences between models are worth: averages with intervals, paired comparisons, ranks over machines.

Two questions, two kinds of test:
- Would the order of two models hold for other clips of these machines? A stratified bootstrap over clips, paired: every
  model meets the same resamples (Efron & Tibshirani, An Introduction to the Bootstrap, 1993).
- Would it hold for other machines? Friedman's test with machines as blocks and post-hoc tests (Demšar, JMLR 7, 2006;
  Benavoli et al., JMLR 17, 2016). The SNRs of a machine are one recording under other noise, so they are averaged
  first: they are not independent blocks.
"""

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scikit_posthocs
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.data.sections import AVERAGE, snr_order
from mimii.evaluation.intervals import count_blocks, machine_generator, percentile_interval
from mimii.evaluation.metrics import curves_of, metric_values, metrics_in
from mimii.evaluation.results import average, run_labels
from mimii.runs.clip_scores import read_clip_scores

RUN = ["label", "db_level", "machine_type", "machine_id", "seed"]
COMPARED = metrics_in("tables")


def select_runs(frame: pd.DataFrame, variants: Sequence[Sequence[str]]) -> pd.DataFrame:
    """The rows of the given (model, variant) pairs, pairs in the given order, with a column `label` that names them.

    Raises UserError where one of them has no row, or not the same sections and seeds as the first: their averages would
    not be comparable.
    """
    parts, sections = [], {}
    for model, variant in variants:
        part = frame[(frame["model"] == model) & (frame["variant"] == variant)]
        if part.empty:
            raise UserError(f"results: no run of {model} with the variant {variant}; merge the results again")
        parts.append(part)
        sections[model, variant] = set(zip(part["db_level"], part["machine_type"], part["machine_id"], strict=True))
    (first, wanted), *others = sections.items()
    for pair, found in others:
        if found != wanted:
            odd = ", ".join("/".join(section) for section in sorted(found ^ wanted)[:5])
            raise UserError(
                f"results: {'/'.join(first)} and {'/'.join(pair)} were not run on the same sections (first that "
                f"differ: {odd}), so their averages cannot be compared; run both on all of them"
            )
    selected = pd.concat(parts, ignore_index=True)
    labels = run_labels(selected)
    selected["label"] = [labels[pair] for pair in zip(selected["model"], selected["variant"], strict=True)]
    return selected


def resample_runs(frame: pd.DataFrame, runs_root: str | Path, *, samples: int) -> dict[str, pd.DataFrame]:
    """Resample the clips of every section, once for all of its runs, and compute every run's metrics on each resample.

    frame: rows of `select_runs`. Returns for each metric a frame of one row per run, with the columns of RUN and one
    for each resample. The generator is seeded by the machine, and clips are in the order of their names: since a file
    number is the same recording at every SNR, the SNRs of a machine meet the same resamples too.
    Raises UserError where two runs of a section were not tested on the same clips.
    """
    keys: list[pd.DataFrame] = []
    values: dict[str, list[NDArray[np.float64]]] = {metric: [] for metric in COMPARED}
    for _, rows in frame.groupby(["db_level", "machine_type", "machine_id"], sort=False):
        paths = list(rows["run_path"])
        runs = [
            read_clip_scores(Path(runs_root) / path / "scores.parquet", pooling)
            for path, pooling in zip(paths, rows["pooling"], strict=True)
        ]
        for run, path in zip(runs, paths, strict=True):
            if not np.array_equal(run.paths, runs[0].paths) or not np.array_equal(run.abnormal, runs[0].abnormal):
                raise UserError(
                    f"runs {paths[0]} and {path} were tested on different clips; delete both, and run them again"
                )
        rng = machine_generator(rows["machine_type"].iloc[0], rows["machine_id"].iloc[0])
        max_fpr = float(rows["max_fpr"].iloc[0])
        blocks: list[list[dict[str, NDArray[np.float64]]]] = [[] for _ in runs]
        for counts in count_blocks(runs[0].abnormal, samples, rng):
            for run, found in zip(runs, blocks, strict=True):
                found.append(metric_values(curves_of(run.abnormal, run.scores, counts, max_fpr=max_fpr), COMPARED))
        keys.append(rows[RUN])
        for metric in COMPARED:
            values[metric] += [np.concatenate([block[metric] for block in found]) for found in blocks]
    index = pd.concat(keys, ignore_index=True)
    return {metric: pd.concat([index, pd.DataFrame(np.array(rows))], axis=1) for metric, rows in values.items()}


def centred_interval(value: float, resampled: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """The percentile interval of the resamples, moved so that their mean lies at `value`.

    A resample holds clips twice, which raises average precision and pAUC a little; the average of many sections has so
    little other spread that the plain percentile interval would miss the value itself.
    """
    low, high = percentile_interval(resampled - resampled.mean(), confidence)
    return value + low, value + high


def scopes(frame: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """(SNR, machine type): all sections, each SNR, each machine type, each of both; AVERAGE where not named."""
    snrs = sorted(frame["db_level"].unique(), key=snr_order)
    yield from itertools.product([AVERAGE, *snrs], [AVERAGE, *sorted(frame["machine_type"].unique())])


def in_scope(frame: pd.DataFrame, snr: str, machine_type: str) -> pd.DataFrame:
    """The rows of an SNR and a machine type, or of all of them."""
    if snr != AVERAGE:
        frame = frame[frame["db_level"] == snr]
    return frame if machine_type == AVERAGE else frame[frame["machine_type"] == machine_type]


def paired_p_value(difference: float, resampled: NDArray[np.float64]) -> float:
    """Two-sided p-value of a difference between two means, from the spread of the same difference over the resamples.

    By the normal distribution, which an average of AUCs soon follows: the share of resamples beyond 0 could not tell
    p-values below 1 / resamples apart, and a correction for many pairs needs them.
    """
    if difference == 0:
        return 1.0
    error = float(np.std(resampled, ddof=1))
    return float(2 * stats.norm.sf(abs(difference) / error)) if error > 0 else 0.0


def average_metrics(
    frame: pd.DataFrame, resampled: Mapping[str, pd.DataFrame], *, confidence: float = 0.95
) -> pd.DataFrame:
    """Mean, deviations and interval of each metric of each model, in every one of `scopes`.

    Columns: label, metric, db_level, machine_type, mean (over seeds, then IDs, then machine types, then SNRs),
    machine_deviation (standard deviation over machines, their SNRs averaged; NaN for one machine), seed_deviation
    (standard deviation of the mean over seeds; NaN for one seed), low and high (bootstrap over clips, so for these
    machines and seeds), is_best (the highest mean), is_significantly_best (each other model is worse at a two-sided
    level of 1 - confidence, paired by clip; all of them, so no further correction is due: intersection-union test,
    Berger, Technometrics 24, 1982).
    """
    found = []
    for snr, machine_type in scopes(frame):
        rows = in_scope(frame, snr, machine_type)
        if rows.empty:
            continue
        means = average(rows, list(COMPARED), ["label"])
        labels = list(means.index)
        machines = average(rows, list(COMPARED), ["label", "machine_type", "machine_id"])
        seeds = average(rows, list(COMPARED), ["label", "seed"])
        machine_deviations = machines.groupby(level="label").std(ddof=1).loc[labels]
        seed_deviations = seeds.groupby(level="label").std(ddof=1).loc[labels]
        for metric in COMPARED:
            values = _averaged_resamples(resampled[metric], snr, machine_type, labels)
            centre = means[metric].to_numpy()
            best = int(np.argmax(centre))
            worse = [
                paired_p_value(centre[best] - centre[other], values[best] - values[other]) < 1 - confidence
                for other in range(len(labels))
                if other != best
            ]
            for number, label in enumerate(labels):
                interval = centred_interval(centre[number], values[number], confidence)
                low, high = (min(max(end, 0.0), 1.0) for end in interval)  # moving it may move it too far
                found.append(
                    {
                        "label": label,
                        "metric": metric,
                        "db_level": snr,
                        "machine_type": machine_type,
                        "mean": centre[number],
                        "machine_deviation": machine_deviations[metric].iloc[number],
                        "seed_deviation": seed_deviations[metric].iloc[number],
                        "low": low,
                        "high": high,
                        "is_best": number == best,
                        "is_significantly_best": number == best and bool(worse) and all(worse),
                    }
                )
    return pd.DataFrame(found)


def _averaged_resamples(
    resampled: pd.DataFrame, snr: str, machine_type: str, labels: Sequence[str]
) -> NDArray[np.float64]:
    """(models, resamples): one metric, averaged on each resample as the metric itself is."""
    rows = in_scope(resampled, snr, machine_type)
    return average(rows, [name for name in rows.columns if name not in RUN], ["label"]).loc[list(labels)].to_numpy()


def compare_models(
    frame: pd.DataFrame, resampled: Mapping[str, pd.DataFrame], *, confidence: float = 0.95
) -> pd.DataFrame:
    """Every two models, over all sections and per SNR: the difference of their means, paired by clip.

    Columns: label, other, metric, db_level, difference, low, high, p_value, p_holm (Holm's correction over the pairs of
    one metric and SNR: Scand J Statist 6, 1979).
    """
    found = []
    for snr, machine_type in scopes(frame):
        if machine_type != AVERAGE:
            continue
        means = average(in_scope(frame, snr, AVERAGE), list(COMPARED), ["label"])
        labels = list(means.index)
        for metric in COMPARED:
            values = _averaged_resamples(resampled[metric], snr, AVERAGE, labels)
            centre = means[metric].to_numpy()
            pairs = list(itertools.combinations(range(len(labels)), 2))
            p_values = [
                paired_p_value(centre[first] - centre[second], values[first] - values[second])
                for first, second in pairs
            ]
            adjusted = multipletests(p_values, method="holm")[1] if pairs else []
            for (first, second), p_value, p_holm in zip(pairs, p_values, adjusted, strict=True):
                difference = centre[first] - centre[second]
                low, high = centred_interval(difference, values[first] - values[second], confidence)
                found.append(
                    {
                        "label": labels[first],
                        "other": labels[second],
                        "metric": metric,
                        "db_level": snr,
                        "difference": difference,
                        "low": low,
                        "high": high,
                        "p_value": p_value,
                        "p_holm": float(p_holm),
                    }
                )
    names = ["label", "other", "metric", "db_level", "difference", "low", "high", "p_value", "p_holm"]
    return pd.DataFrame(found, columns=names)


def machine_table(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """(machines, models): one block per machine (type and ID), seeds and SNRs averaged."""
    values = average(frame, [metric], ["label", "machine_type", "machine_id"])[metric]
    return values.unstack("label", sort=False).sort_index()


def critical_difference(models: int, blocks: int, alpha: float = 0.05) -> float:
    """Nemenyi's: two models whose average ranks lie further apart differ (Demšar 2006, section 3.2.2)."""
    q = stats.studentized_range.ppf(1 - alpha, models, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(models * (models + 1) / (6 * blocks)))


def rank_tests(table: pd.DataFrame, *, alpha: float = 0.05) -> dict[str, Any]:
    """Friedman's test and both post-hoc tests on a (machines, models) table where more is better.

    Returns machines, models, alpha, average_ranks (1 is best), friedman (statistic, p_value; None for fewer than 3
    models or 2 machines), critical_difference (Nemenyi's) and p_values: nemenyi and wilcoxon_holm, nested by label.
    Wilcoxon's test does not depend on which other models take part (Benavoli et al. 2016), but with fewer than 6
    machines it cannot reach .05 at all.
    """
    blocks, models = table.shape
    ranks = table.rank(axis=1, ascending=False).mean()
    found: dict[str, Any] = {
        "machines": blocks,
        "models": models,
        "alpha": alpha,
        "average_ranks": {label: float(rank) for label, rank in ranks.sort_values().items()},
        "friedman": None,
        "critical_difference": None,
        "p_values": {},
    }
    if blocks < 2 or models < 2:
        return found
    if models > 2:
        statistic, p_value = stats.friedmanchisquare(*table.to_numpy().T)
        # All models alike on all machines: nothing to divide by.
        found["friedman"] = {"statistic": float(statistic), "p_value": float(p_value)} if p_value == p_value else None
    found["critical_difference"] = critical_difference(models, blocks, alpha)
    found["p_values"]["nemenyi"] = _nested(scikit_posthocs.posthoc_nemenyi_friedman(table.reset_index(drop=True)))
    melted = table.reset_index(drop=True).melt(var_name="label", value_name="value")
    found["p_values"]["wilcoxon_holm"] = _nested(
        # Equal values count as half a difference each way: a model that ties everywhere has p = 1.
        scikit_posthocs.posthoc_wilcoxon(
            melted, val_col="value", group_col="label", zero_method="zsplit", p_adjust="holm"
        )
    )
    return found


def _nested(matrix: pd.DataFrame) -> dict[str, dict[str, float]]:
    return {str(first): {str(second): float(p) for second, p in row.items()} for first, row in matrix.iterrows()}


@dataclass(frozen=True)
class Statistics:
    """averages: `average_metrics`; comparisons: `compare_models`; ranks: `rank_tests` of each metric."""

    averages: pd.DataFrame
    comparisons: pd.DataFrame
    ranks: dict[str, Any]

    def write(self, averages: Path, comparisons: Path, ranks: Path) -> None:
        """Two CSVs and a JSON."""
        for table, path in ((self.averages, averages), (self.comparisons, comparisons)):
            with written_whole(path) as temporary:
                table.to_csv(temporary, index=False, lineterminator="\n")
        with written_whole(ranks) as temporary:
            temporary.write_text(json.dumps(self.ranks, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, averages: Path, comparisons: Path, ranks: Path) -> "Statistics":
        """What `write` wrote."""
        return cls(
            pd.read_csv(averages, float_precision="round_trip"),
            pd.read_csv(comparisons, float_precision="round_trip"),
            json.loads(ranks.read_text(encoding="utf-8")),
        )


def compute_statistics(frame: pd.DataFrame, runs_root: str | Path) -> Statistics:
    """All of it, from rows of `select_runs` and the clip scores of their runs."""
    samples, confidence = int(frame["bootstrap_samples"].iloc[0]), float(frame["confidence"].iloc[0])
    resampled = resample_runs(frame, runs_root, samples=samples)
    return Statistics(
        average_metrics(frame, resampled, confidence=confidence),
        compare_models(frame, resampled, confidence=confidence),
        {metric: rank_tests(machine_table(frame, metric), alpha=round(1 - confidence, 12)) for metric in COMPARED},
    )
