"""What differences between models are worth: averages with intervals, paired comparisons, ranks over machines.

Two questions, two kinds of test:
- Would the order of two models hold for other clips of these machines, and other seeds? A stratified bootstrap over
  clips, paired: every model meets the same resamples (Efron & Tibshirani, An Introduction to the Bootstrap, 1993). The
  seeds of a model are drawn with them.
- Would it hold for other IDs of these machine types? Friedman's test, with Iman and Davenport's correction, machines
  (type and ID) being its blocks, and post-hoc tests (Demšar, JMLR 7, 2006; Benavoli et al., JMLR 17, 2016). The SNRs of
  a machine are one recording under other noise, so they are averaged first: they are not independent blocks. A handful
  of machine types is no sample of all machines, so nothing is said about other ones.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scikit_posthocs
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from mimii.common.errors import UserError
from mimii.data.sections import AVERAGE, snr_order
from mimii.detectors.declaration import model_declaration, model_names
from mimii.evaluation.intervals import BOOTSTRAP_SEED, count_blocks, machine_generator, percentile_interval
from mimii.evaluation.metrics import Curves, Metric, curves_of, metric_values, metrics_in
from mimii.evaluation.results import average, run_labels
from mimii.runs.clip_scores import read_clip_scores
from mimii.runs.run import EXTERNAL

RUN = ["label", "db_level", "machine_type", "machine_id", "seed"]
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
# So many seeds of a stochastic model are the least of which anything is claimed.
LEAST_SEEDS = 3
COMPARISON = ["label", "other", "metric", "db_level", "difference", "low", "high", "p_value", "p_holm", "enough_seeds"]


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


def measure(frame: pd.DataFrame, runs_root: str | Path) -> pd.DataFrame:
    """`frame` with a column for each of MEASURED that results.csv does not hold, from the clip scores of the runs."""
    found: list[dict[str, float]] = []
    missing = {name: one for name, one in MEASURED.items() if name not in frame.columns}
    for run in frame.to_dict("records"):
        clips = read_clip_scores(Path(runs_root) / run["run_path"] / "scores.parquet", sha256=run["scores_sha256"])
        once = np.ones((1, len(clips.scores)), dtype=np.int64)
        values = measured_values(curves_of(clips.abnormal, clips.scores, once, max_fpr=run["max_fpr"]), missing, run)
        found.append({name: float(value[0]) for name, value in values.items()})
    return pd.concat([frame, pd.DataFrame(found, index=frame.index)], axis=1)


def measured_values(
    curves: Curves, measured: Mapping[str, tuple[Metric, str | None]], run: Mapping[Any, Any]
) -> dict[str, NDArray[np.float64]]:
    """(n,) values of each of `measured`; NaN where a run lacks the threshold."""
    values = {}
    for name, (metric, column) in measured.items():
        threshold = None if column is None or pd.isna(run[column]) else float(run[column])
        values[name] = metric_values(replace(curves, threshold=threshold), {name: metric})[name]
    return values


def resample_runs(frame: pd.DataFrame, runs_root: str | Path, *, samples: int) -> dict[str, pd.DataFrame]:
    """Resample the clips of every section, once for all of its runs, and compute every run's metrics on each resample.

    frame: rows of `select_runs`, or of `measure`. Returns for each metric a frame of one row per run, with the columns
    of RUN and one for each resample. The generator is seeded by the machine, and clips are in the order of their names:
    since a file number is the same recording at every SNR, the SNRs of a machine meet the same resamples too.
    Raises UserError where two runs of a section were not tested on the same clips.
    """
    keys: list[pd.DataFrame] = []
    measured = {name: one for name, one in MEASURED.items() if name in frame.columns}
    values: dict[str, list[NDArray[np.float64]]] = {name: [] for name in measured}
    for _, rows in frame.groupby(["db_level", "machine_type", "machine_id"], sort=False):
        paths = list(rows["run_path"])
        runs = [
            read_clip_scores(Path(runs_root) / path / "scores.parquet", sha256=sha256)
            for path, sha256 in zip(paths, rows["scores_sha256"], strict=True)
        ]
        for run, path in zip(runs, paths, strict=True):
            if not np.array_equal(run.paths, runs[0].paths) or not np.array_equal(run.abnormal, runs[0].abnormal):
                raise UserError(
                    f"runs {paths[0]} and {path} were tested on different clips; delete both, and run them again"
                )
        rng = machine_generator(rows["machine_type"].iloc[0], rows["machine_id"].iloc[0])
        max_fpr, records = float(rows["max_fpr"].iloc[0]), rows.to_dict("records")
        blocks: list[list[dict[str, NDArray[np.float64]]]] = [[] for _ in runs]
        for counts in count_blocks(runs[0].abnormal, samples, rng):
            for run, record, found in zip(runs, records, blocks, strict=True):
                curves = curves_of(run.abnormal, run.scores, counts, max_fpr=max_fpr)
                found.append(measured_values(curves, measured, record))
        keys.append(rows[RUN])
        for metric in measured:
            values[metric] += [np.concatenate([block[metric] for block in found]) for found in blocks]
    index = pd.concat(keys, ignore_index=True)
    return {metric: pd.concat([index, pd.DataFrame(np.array(rows))], axis=1) for metric, rows in values.items()}


def centred_interval(
    value: float, resampled: NDArray[np.float64], confidence: float = 0.95, freedom: float = math.inf
) -> tuple[float, float]:
    """The percentile interval of the resamples, moved so that their mean lies at `value`, wider for a small `freedom`.

    A resample holds clips twice, which raises average precision and pAUC a little; the average of many sections has so
    little other spread that the plain percentile interval would miss the value itself.
    """
    resampled = resampled[np.isfinite(resampled)]  # precision has no value where no clip is above the threshold
    if not len(resampled):
        return math.nan, math.nan
    low, high = percentile_interval(resampled - resampled.mean(), confidence)
    tail = (1 + confidence) / 2
    stretch = float(stats.t.ppf(tail, freedom) / stats.norm.ppf(tail))
    return value + stretch * low, value + stretch * high


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


def seed_freedom(resampled: NDArray[np.float64], by_seed: Sequence[NDArray[np.float64]]) -> float:
    """Degrees of freedom of a spread that holds that of seeds (Satterthwaite, Biometrics Bulletin 2, 1946).

    resampled: (resamples,), of clips and seeds together. by_seed: for each independent set of seeds, its values; the
    variance of each mean is known with one degree less than it has seeds, that of the clips with very many.
    """
    total = float(np.var(resampled, ddof=1))
    parts = [(float(np.var(values, ddof=1)) / len(values), len(values) - 1) for values in by_seed if len(values) > 1]
    doubt = sum(variance**2 / freedom for variance, freedom in parts)
    return max(total**2 / doubt, 1.0) if doubt > 0 else math.inf


def has_enough_seeds(frame: pd.DataFrame) -> dict[str, bool]:
    """For each label, whether anything may be claimed of it: it is not stochastic, or has LEAST_SEEDS seeds.

    External scores count as they are: nobody knows whether another run would give others.
    """
    enough = {}
    for label, rows in frame.groupby("label", sort=False):
        first = rows.iloc[0]
        fixed = first["variant"] == EXTERNAL or not is_stochastic(first["model"])
        enough[str(label)] = bool(fixed or rows["seed"].nunique() >= LEAST_SEEDS)
    return enough


def is_stochastic(model: str) -> bool:
    """Whether another seed gives other scores; taken to be so of a model that is not in the library any more."""
    return model not in model_names() or model_declaration(model).stochastic


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
    found = []
    for snr, machine_type in scopes(frame):
        rows = in_scope(frame, snr, machine_type)
        if rows.empty:
            continue
        for metric in resampled:
            scope = Scope.of(rows, in_scope(resampled[metric], snr, machine_type), metric)
            for cells in scope.averages(confidence, claimable=claimable):
                found.append({"metric": metric, "db_level": snr, "machine_type": machine_type, **cells})
    return pd.DataFrame(found)[["label", *(name for name in found[0] if name != "label")]]


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
    def of(cls, rows: pd.DataFrame, resampled: pd.DataFrame, metric: str) -> "Scope":
        """rows: runs of the scope. resampled: the same runs' metric on each resample."""
        means = average(rows, [metric], ["label"])[metric]
        machines = average(rows, [metric], ["label", "machine_type", "machine_id"])[metric]
        seeds = average(rows, [metric], ["label", "seed"])[metric]
        labels = list(means.index)
        own = [seeds.loc[[label]] for label in labels]
        return cls(
            metric,
            {label: float(mean) for label, mean in zip(labels, means, strict=True)},
            np.array([resampled_mean(resampled[resampled["label"] == label]) for label in labels]),
            [values.to_numpy() for values in own],
            [tuple(values.index.get_level_values("seed")) for values in own],
            dict(zip(labels, machines.groupby(level="label").std(ddof=1).loc[labels], strict=True)),
        )

    @property
    def labels(self) -> list[str]:
        """Of the models."""
        return list(self.means)

    def difference(self, first: int, second: int) -> tuple[float, NDArray[np.float64], float]:
        """Mean of one model minus that of another one, the same on each resample, and its degrees of freedom."""
        centre = self.means[self.labels[first]] - self.means[self.labels[second]]
        values = self.values[first] - self.values[second]
        same = self.seeds[first] == self.seeds[second]
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


def resampled_mean(resampled: pd.DataFrame) -> NDArray[np.float64]:
    """(resamples,): one model's metric, averaged on each resample as the metric itself is, of seeds drawn anew.

    resampled: columns of RUN, and one for each resample of the clips. All sections meet the same draws of the seeds, so
    that what a seed does everywhere is not averaged away. One seed less is drawn than there are: the variance of a mean
    is then not too small (Rao & Wu, JASA 83, 1988).
    """
    values = resampled.drop(columns=RUN).to_numpy(dtype=float)
    ids = resampled.groupby(["db_level", "machine_type"], sort=False)["machine_id"].transform("nunique")
    types = resampled.groupby("db_level", sort=False)["machine_type"].transform("nunique")
    weighted = values / (ids * types * resampled["db_level"].nunique()).to_numpy()[:, None]
    codes, seeds = pd.factorize(resampled["seed"], sort=True, use_na_sentinel=False)
    by_seed = np.array([weighted[codes == code].sum(axis=0) for code in range(len(seeds))])
    if len(seeds) < 2:
        return by_seed[0]
    # Models with the same seeds share the draws: a seed also chooses which clips are held out.
    rng = np.random.default_rng([BOOTSTRAP_SEED, *map(int, seeds)])
    drawn = rng.integers(len(seeds), size=(len(seeds) - 1, values.shape[1]))
    return by_seed[drawn, np.arange(values.shape[1])].mean(axis=0)


def compare_models(
    frame: pd.DataFrame, resampled: Mapping[str, pd.DataFrame], *, confidence: float = 0.95
) -> pd.DataFrame:
    """Every two models, over all sections and per SNR: the difference of their means, paired by clip.

    Columns: label, other, metric, db_level, difference, low, high, p_value, p_holm (Holm's correction over the pairs of
    one metric and SNR: Scand J Statist 6, 1979), enough_seeds (whether anything may be claimed: `has_enough_seeds`).
    """
    enough = has_enough_seeds(frame)
    found = []
    for snr in [AVERAGE, *sorted(frame["db_level"].unique(), key=snr_order)]:
        rows = in_scope(frame, snr, AVERAGE)
        for metric in resampled:
            scope = Scope.of(rows, in_scope(resampled[metric], snr, AVERAGE), metric)
            pairs = list(itertools.combinations(range(len(scope.labels)), 2))
            differences = [scope.difference(*pair) for pair in pairs]
            p_values = [paired_p_value(*difference) for difference in differences]
            adjusted = multipletests(p_values, method="holm")[1] if pairs else []
            for pair, one, p_value, p_holm in zip(pairs, differences, p_values, adjusted, strict=True):
                low, high = centred_interval(one[0], one[1], confidence, one[2])
                first, second = (scope.labels[number] for number in pair)
                found.append(
                    {
                        "label": first,
                        "other": second,
                        "metric": metric,
                        "db_level": snr,
                        "difference": one[0],
                        "low": low,
                        "high": high,
                        "p_value": p_value,
                        "p_holm": float(p_holm),
                        "enough_seeds": enough[first] and enough[second],
                    }
                )
    return pd.DataFrame(found, columns=COMPARISON)


def machine_table(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """(machines, models): one block per machine (type and ID), seeds and SNRs averaged."""
    values = average(frame, [metric], ["label", "machine_type", "machine_id"])[metric]
    return values.unstack("label", sort=False).sort_index()


def critical_difference(models: int, blocks: int, alpha: float = 0.05) -> float:
    """Nemenyi's: two models whose average ranks lie further apart differ (Demšar 2006, section 3.2.2)."""
    q = stats.studentized_range.ppf(1 - alpha, models, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(models * (models + 1) / (6 * blocks)))


def iman_davenport(statistic: float, blocks: int, models: int) -> dict[str, float | None]:
    """Friedman's statistic on the F scale, where it is less conservative (Iman & Davenport, Comm Stat A 9, 1980).

    f_statistic is None where all blocks agree: it has no bound there, and f_p_value is 0.
    """
    room = blocks * (models - 1) - statistic
    if room <= 1e-9:
        return {"f_statistic": None, "f_p_value": 0.0}
    value = (blocks - 1) * statistic / room
    return {"f_statistic": value, "f_p_value": float(stats.f.sf(value, models - 1, (models - 1) * (blocks - 1)))}


def rank_tests(table: pd.DataFrame, *, alpha: float = 0.05) -> dict[str, Any]:
    """Friedman's test and both post-hoc tests on a (machines, models) table where more is better.

    Returns machines, models, alpha, average_ranks (1 is best), friedman (statistic, p_value, and Iman and Davenport's
    f_statistic and f_p_value; None for fewer than 3 models or 2 machines), critical_difference (Nemenyi's) and
    p_values: nemenyi and wilcoxon_holm, nested by label.
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
        if p_value == p_value:
            found["friedman"] = {
                "statistic": float(statistic),
                "p_value": float(p_value),
                **iman_davenport(float(statistic), blocks, models),
            }
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
