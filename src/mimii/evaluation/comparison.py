"""Two results held against each other: which sections of which models changed by more than noise.

Noise is what other test clips of the same machines and other seeds would change (bootstrap over both). Where the clip
scores behind both results are at hand the test is paired: both meet the same resamples, and where they have the same
seeds, the same draws of these. Where they are not, it goes by the intervals in the CSVs and the deviation over seeds as
if the two were independent, so that it finds less. One or two seeds say next to nothing of other ones: what is beyond
noise is then called neither better nor worse.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tabulate import tabulate

from mimii.common.errors import UserError
from mimii.common.records import sha256_of
from mimii.common.suggestions import unknown
from mimii.data.sections import scored_year
from mimii.evaluation.inference import correct_by_holm, paired_p_value, seed_freedom
from mimii.evaluation.intervals import centred_interval, machine_generator, resample_counts
from mimii.evaluation.metrics import METRICS, curves_of, metric_values, metrics_in
from mimii.evaluation.official_averages import Key, Resampled, read_resampled
from mimii.evaluation.official_score import SCORE
from mimii.evaluation.resampling import mean_of_drawn_seeds
from mimii.evaluation.results import SECTION_COLUMNS, average, read_results, run_labels
from mimii.evaluation.seeds import LEAST_SEEDS, may_be_claimed
from mimii.runs.clip_scores import ClipScores, read_clip_scores

OVERALL = ["old", "new", "difference", "low", "high", "p_value", "paired", "enough_seeds", "verdict"]
NO_CLAIM = "no claim"
WHY_NO_CLAIM = (
    f"{NO_CLAIM}: more than other clips explain, but OLD or NEW has fewer than {LEAST_SEEDS} seeds, and "
    "another seed may change as much. Run both with more (seeds in the configuration, or --seeds) for a verdict."
)


@dataclass(frozen=True)
class Comparison:
    """cells: a row per model and section: old, new, difference, p_value, p_holm, verdict, paired, enough_seeds.

    overall: a row per model, of the sections that are in both, with low and high of the difference's interval.
    confidence: of the intervals. official: `overall` of the official score of models that have one in both, where
    another metric is compared; unofficial: why some have none, by model. uncompared: why models
    are left out, by name.
    """

    cells: pd.DataFrame
    overall: pd.DataFrame
    confidence: float
    official: pd.DataFrame = field(default_factory=pd.DataFrame)
    unofficial: Mapping[str, str] = field(default_factory=dict)
    uncompared: Mapping[str, str] = field(default_factory=dict)

    def worse(self, model: str) -> bool:
        """Whether the model got worse, on average or on any section."""
        return any(bool((own["verdict"] == "worse").any()) for own in self._of(model))

    def perhaps_worse(self, model: str) -> bool:
        """Whether the model is lower by more than other clips explain, on average or on any section, with too few seeds
        to call it worse.
        """
        return any(bool(((own["verdict"] == NO_CLAIM) & (own["difference"] < 0)).any()) for own in self._of(model))

    def _of(self, model: str) -> list[pd.DataFrame]:
        return [table[table["model"] == model] for table in (self.cells, self.overall)]


def compare_results(
    old: Path,
    new: Path,
    *,
    models: Sequence[str] = (),
    metric: str = "auc",
    old_runs: Path | None = None,
    new_runs: Path | None = None,
) -> Comparison:
    """Compare two results CSVs, seeds averaged.

    models: all by default. metric: one of results.csv, or the official score of DCASE's data. old_runs, new_runs:
    folders of the runs; beside the CSV by default. Raises UserError for an unknown metric, for one that was measured
    otherwise, and where one of `models`, or all that there is, cannot be compared.
    """
    if metric not in (known := [*metrics_in("csv"), SCORE]):
        raise UserError(unknown("metric", metric, known))
    frames = [read_results(path) for path in (old, new)]
    runs = [given or path.parent / "runs" for given, path in ((old_runs, old), (new_runs, new))]
    for name in models:
        for frame, path in zip(frames, (old, new), strict=True):
            if name not in set(frame["model"]):
                raise UserError(f"{path}: no runs of the model {name}; it has {', '.join(frame['model'].unique())}")
    fprs = [float(frame["max_fpr"].iloc[0]) for frame in frames]
    if metric == "pauc" and fprs[0] != fprs[1]:
        raise UserError(
            f"pauc goes up to max_fpr {fprs[0]:g} in {old} and {fprs[1]:g} in {new}; run both with one metrics.max_fpr"
        )
    names = models or dict.fromkeys([*frames[0]["model"], *frames[1]["model"]])
    by_model = {name: [frame[frame["model"] == name] for frame in frames] for name in names}
    uncompared = {name: why for name, own in by_model.items() if (why := why_not_compared(own))}
    if uncompared and (models or len(uncompared) == len(by_model)):
        reasons = "; ".join(f"{name}: {why}" for name, why in uncompared.items())
        raise UserError(f"{old} and {new} have too little in common to compare ({reasons})")
    cells, overall, official, unofficial = [], [], [], {}
    for name, own in by_model.items():
        for variants in paired_variants(*own) if name not in uncompared else ():
            sides = [rows[rows["variant"] == variant] for rows, variant in zip(own, variants, strict=True)]
            model = compare_official_scores(sides, runs) if metric == SCORE else compare_model(sides, runs, metric)
            named = {"model": name, "variant": variants[1]}
            cells.append(model.cells.assign(**named))
            overall.append(model.overall.assign(**named))
            if metric != SCORE and all(side[SCORE].notna().any() for side in sides):
                try:
                    official.append(compare_official_scores(sides, runs).overall.assign(**named))
                except UserError as error:
                    unofficial[name] = str(error)
    tables = [pd.concat(rows, ignore_index=True) if rows else pd.DataFrame() for rows in (cells, overall, official)]
    return Comparison(tables[0], tables[1], model.confidence, tables[2], unofficial, uncompared)


def why_not_compared(sides: Sequence[pd.DataFrame]) -> str | None:
    """Why a model's rows of OLD and NEW cannot be held against each other; None where some can."""
    for rows, place in zip(sides, ("OLD", "NEW"), strict=True):
        if rows.empty:
            return f"it is not in {place}"
    if not paired_variants(*sides):
        old, new = (", ".join(rows["variant"].unique()) for rows in sides)
        return f"its settings in OLD ({old}) are not among those in NEW ({new})"
    if not set(_keys(sides[0])) & set(_keys(sides[1])):
        return "no section of it is in both"
    return None


def paired_variants(old: pd.DataFrame, new: pd.DataFrame) -> list[tuple[str, str]]:
    """Variants that belong together: of one name, or the only ones of a model whose settings were changed."""
    variants = [list(frame["variant"].unique()) for frame in (old, new)]
    if all(len(names) == 1 for names in variants):
        return [(variants[0][0], variants[1][0])]
    return [(name, name) for name in variants[0] if name in variants[1]]


def compare_model(sides: Sequence[pd.DataFrame], runs: Sequence[Path], metric: str) -> Comparison:
    """One model: every section by itself, and all that are in both together."""
    old, new = (frame.groupby(SECTION_COLUMNS, sort=False)[metric].mean() for frame in sides)
    table = pd.concat({"old": old, "new": new}, axis=1).reset_index()
    table["difference"] = table["new"] - table["old"]
    cells = table.dropna(subset="difference").reset_index(drop=True)
    confidence = float(sides[0]["confidence"].iloc[0])
    noise = [noise_of([rows_of(side, cell) for side in sides], runs, metric) for cell in cells.to_dict("records")]
    cells["paired"] = [isinstance(one, np.ndarray) for one in noise]
    cells["p_value"] = [
        p_value(cell["difference"], one, [rows_of(side, cell) for side in sides], metric)
        for cell, one in zip(cells.to_dict("records"), noise, strict=True)
    ]
    cells["p_holm"] = correct_by_holm(cells["p_value"])
    cells["enough_seeds"] = [enough_seeds(sides, cell) for cell in cells.to_dict("records")]
    cells["verdict"] = verdicts(cells, "p_holm", confidence)
    common = set(_keys(cells))
    shared = [side[[key in common for key in _keys(side)]] for side in sides]
    overall = _overall(cells, noise, shared, metric, confidence)
    alone = table[table["difference"].isna()]
    alone = alone.assign(verdict=["only in OLD" if lost else "only in NEW" for lost in alone["new"].isna()])
    return Comparison(pd.concat([cells, alone], ignore_index=True) if len(alone) else cells, overall, confidence)


def compare_official_scores(sides: Sequence[pd.DataFrame], runs: Sequence[Path]) -> Comparison:
    """One model's official score, over the sections that are in both, and each of them; paired by clip.

    Raises UserError where these are not at one SNR with such a score, have none, or were not tested on the same clips,
    and where clip scores of either are not at hand.
    """
    common = set.intersection(*(set(_keys(frame)) for frame in sides))
    snrs = sorted({snr for snr, _, _ in common})
    domains = all(frame["auc_source"].notna().any() for frame in sides)
    if len(snrs) != 1 or scored_year(snrs[0], domains=domains) is None:
        raise UserError(
            f"{SCORE}: both results must be of one year of DCASE's data, or of recordings with domains at one SNR; in "
            f"common are {', '.join(snrs) or 'none'}"
        )
    shared = [frame[[key in common for key in _keys(frame)]] for frame in sides]
    _check_same_clips(shared, runs)
    resampled = [read_resampled(rows, folder, snrs[0]) for rows, folder in zip(shared, runs, strict=True)]
    confidence = float(sides[0]["confidence"].iloc[0])
    keys = sorted((machine, id) for _, machine, id in common)
    cells = pd.DataFrame(
        [
            {
                **dict(zip(SECTION_COLUMNS, (snrs[0], *key), strict=True)),
                **_official_change(resampled, [key], confidence),
            }
            for key in keys
        ]
    )
    if missing := [
        f"{cell['machine_type']}/{cell['machine_id']}" for cell in cells[cells["difference"].isna()].to_dict("records")
    ]:
        raise UserError(f"{SCORE}: a domain of {', '.join(missing)} lacks normal or abnormal test clips")
    cells["p_holm"] = correct_by_holm(cells["p_value"])
    cells["enough_seeds"] = [enough_seeds(sides, cell) for cell in cells.to_dict("records")]
    overall = pd.DataFrame([_official_change(resampled, keys, confidence)])
    overall["enough_seeds"] = bool(cells["enough_seeds"].all())
    for table, column in ((cells, "p_holm"), (overall, "p_value")):
        table["verdict"] = verdicts(table, column, confidence)
    return Comparison(cells, overall, confidence)


def _keys(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """The section of each row."""
    return list(zip(*(frame[name] for name in SECTION_COLUMNS), strict=True))


def _check_same_clips(sides: Sequence[pd.DataFrame], runs: Sequence[Path]) -> None:
    """Raise UserError where clip scores of a side are not at hand, or a section was tested on other clips."""
    tested = []
    for rows, folder in zip(sides, runs, strict=True):
        scores = verified_scores(rows, folder)
        if scores is None:
            raise UserError(
                f"{folder}: {SCORE} needs the clip scores of all runs in the CSV, as they were when it was made"
            )
        tested.append(dict(zip(_keys(rows), scores, strict=True)))
    for key, clips in tested[0].items():
        if not _same_clips(clips, tested[1][key]):
            raise UserError(f"{SCORE}: {'/'.join(key)} was tested on different clips, which cannot be paired")


def _official_change(resampled: Sequence[Resampled], keys: Sequence[Key], confidence: float) -> dict[str, Any]:
    (old, old_draws), (new, new_draws) = (own.score(keys) for own in resampled)
    same = resampled[0].seeds == resampled[1].seeds
    difference, draws = float(new.mean() - old.mean()), new_draws - old_draws
    freedom = seed_freedom(draws, [new - old] if same else [old, new])
    low, high = centred_interval(difference, draws, confidence, freedom)
    change = {"old": float(old.mean()), "new": float(new.mean()), "difference": difference, "low": low, "high": high}
    return {**change, "p_value": paired_p_value(difference, draws, freedom), "paired": True}


def rows_of(frame: pd.DataFrame, cell: Mapping[Any, Any]) -> pd.DataFrame:
    """The rows of a section."""
    return frame[(frame[SECTION_COLUMNS] == [cell[name] for name in SECTION_COLUMNS]).all(axis=1)]


def enough_seeds(sides: Sequence[pd.DataFrame], cell: Mapping[Any, Any]) -> bool:
    """Whether both sides have seeds enough on a section for anything to be claimed of it."""
    return all(may_be_claimed(rows_of(side, cell)) for side in sides)


def noise_of(sides: Sequence[pd.DataFrame], runs: Sequence[Path], metric: str) -> NDArray[np.float64] | float:
    """Differences over paired resamples of a section's clips, or where scores are missing a standard error."""
    scores = [verified_scores(rows, folder) for rows, folder in zip(sides, runs, strict=True)]
    first = next((one for side in scores if side for one in side), None)
    if first is None or not all(side and all(_same_clips(one, first) for one in side) for side in scores):
        return math.hypot(*(standard_error(rows, metric) for rows in sides))
    row = sides[0].iloc[0]
    rng = machine_generator(row["machine_type"], row["machine_id"])
    counts = resample_counts(first.abnormal, int(row["bootstrap_samples"]), rng)
    chosen, max_fpr = {metric: METRICS[metric]}, float(row["max_fpr"])
    means = []
    for rows, side in zip(sides, scores, strict=True):
        curves = [curves_of(one.abnormal, one.scores, counts, max_fpr=max_fpr) for one in side or []]
        by_seed = np.array([metric_values(one, chosen)[metric] for one in curves])
        order = np.argsort(rows["seed"].fillna(0).to_numpy(dtype=np.int64))  # external scores have one run, no seed
        means.append(mean_of_drawn_seeds(by_seed[order], rows["seed"].iloc[order].tolist()))
    difference: NDArray[np.float64] = means[1] - means[0]
    return difference


def seed_values(sides: Sequence[pd.DataFrame], metric: str) -> list[NDArray[np.float64]]:
    """The mean of the metric for each seed, of the differences where both sides have the same seeds."""
    old, new = (average(rows.assign(one="one"), [metric], ["one", "seed"])[metric].sort_index() for rows in sides)
    return [(new - old).to_numpy()] if list(old.index) == list(new.index) else [old.to_numpy(), new.to_numpy()]


def verified_scores(rows: pd.DataFrame, folder: Path) -> list[ClipScores] | None:
    """Clip scores of every seed; None where any is missing, or is not the one that the CSV's row was made of."""
    scores = []
    for row in rows.to_dict("records"):
        path = folder / row["run_path"] / "scores.parquet"
        if not path.is_file() or sha256_of(path) != row["scores_sha256"]:
            return None
        scores.append(read_clip_scores(path))
    return scores


def _same_clips(one: ClipScores, other: ClipScores) -> bool:
    return np.array_equal(one.paths, other.paths) and np.array_equal(one.abnormal, other.abnormal)


def standard_error(rows: pd.DataFrame, metric: str) -> float:
    """From the width of the intervals, and the deviation over seeds; seeds share their clips, which are no surer."""
    z = NormalDist().inv_cdf((1 + float(rows["confidence"].iloc[0])) / 2)
    clips = float(((rows[f"{metric}_high"] - rows[f"{metric}_low"]) / (2 * z)).mean())
    return math.hypot(clips, float(rows[metric].std(ddof=1)) / math.sqrt(len(rows))) if len(rows) > 1 else clips


def p_value(difference: float, noise: NDArray[np.float64] | float, sides: Sequence[pd.DataFrame], metric: str) -> float:
    """Two-sided: by Student's t where the seeds' share of the noise is known from few, else by the normal distribution.

    noise: of `noise_of`. sides: the rows that the difference is of.
    """
    if isinstance(noise, np.ndarray):
        return paired_p_value(difference, noise, seed_freedom(noise, seed_values(sides, metric)))
    return normal_p_value(difference, noise)


def interval(
    difference: float,
    noise: NDArray[np.float64] | float,
    sides: Sequence[pd.DataFrame],
    metric: str,
    confidence: float,
) -> tuple[float, float]:
    """Interval of a difference, from the same noise as its p-value."""
    if isinstance(noise, np.ndarray):
        freedom = seed_freedom(noise, seed_values(sides, metric))
        return centred_interval(difference, noise, confidence, freedom)
    half = NormalDist().inv_cdf((1 + confidence) / 2) * noise
    return difference - half, difference + half


def normal_p_value(difference: float, error: float) -> float:
    """Two-sided, of a difference with this standard error."""
    if difference == 0:
        return 1.0
    return 2 * NormalDist().cdf(-abs(difference) / error) if error > 0 else 0.0


def verdict(difference: float, p: float, confidence: float, *, enough_seeds: bool) -> str:
    """better, worse, or within noise; NO_CLAIM for either of the first two where seeds are too few."""
    if p >= 1 - confidence:
        return "within noise"
    if not enough_seeds:
        return NO_CLAIM
    return "better" if difference > 0 else "worse"


def verdicts(table: pd.DataFrame, p: str, confidence: float) -> list[str]:
    """`verdict` of each row; p: the column that it goes by."""
    rows = zip(table["difference"], table[p], table["enough_seeds"], strict=True)
    return [verdict(difference, own, confidence, enough_seeds=enough) for difference, own, enough in rows]


def _overall(
    cells: pd.DataFrame,
    noise: Sequence[NDArray[np.float64] | float],
    sides: Sequence[pd.DataFrame],
    metric: str,
    confidence: float,
) -> pd.DataFrame:
    """The mean over IDs, then machine types, then SNRs, of the sections that are in both."""
    if not len(cells):
        return pd.DataFrame(columns=OVERALL)
    keys = cells[SECTION_COLUMNS].assign(seed=0, one="one")
    old, new, difference = (
        float(average(keys.assign(value=cells[name]), ["value"], ["one"])["value"].iloc[0])
        for name in ("old", "new", "difference")
    )
    paired = bool(cells["paired"].all())
    mean_noise = _paired_noise(keys, noise) if paired else _independent_noise(keys, noise)
    p = p_value(difference, mean_noise, sides, metric)
    low, high = interval(difference, mean_noise, sides, metric, confidence)
    change = {"old": old, "new": new, "difference": difference, "low": low, "high": high}
    enough = bool(cells["enough_seeds"].all())
    said = verdict(difference, p, confidence, enough_seeds=enough)
    return pd.DataFrame([{**change, "p_value": p, "paired": paired, "enough_seeds": enough, "verdict": said}])


def _paired_noise(keys: pd.DataFrame, noise: Sequence[NDArray[np.float64] | float]) -> NDArray[np.float64]:
    """The difference's mean over sections on each resample."""
    resampled = pd.concat([keys, pd.DataFrame(np.array(noise))], axis=1)
    columns = [name for name in resampled.columns if name not in keys.columns]
    mean: NDArray[np.float64] = average(resampled, columns, ["one"]).to_numpy()[0]
    return mean


def _independent_noise(keys: pd.DataFrame, noise: Sequence[NDArray[np.float64] | float]) -> float:
    """The standard error of the difference's mean over sections."""
    errors = [float(np.std(one, ddof=1)) if isinstance(one, np.ndarray) else one for one in noise]
    # A machine's SNRs are the same recordings, so their errors add up; machines are independent.
    machines = average(keys.assign(value=errors), ["value"], ["one", "machine_type", "machine_id"])["value"]
    sizes = machines.groupby(level="machine_type").transform("size")
    weights = 1 / (sizes * machines.index.get_level_values("machine_type").nunique())
    return float(np.sqrt(((weights * machines) ** 2).sum()))


def as_text(comparison: Comparison, metric: str) -> str:
    """What changed, for a terminal: a table of the models, and below it the sections of each that changed."""
    title = "Official score" if metric == SCORE else METRICS[metric].title
    lines = _overall_lines(title, comparison.overall, comparison.confidence)
    if len(comparison.official):
        lines += ["", *_overall_lines("Official score", comparison.official, comparison.confidence)]
    lines += [f"\n{name}: not compared, since {why}" for name, why in comparison.uncompared.items()]
    lines += [f"\nOfficial score of {name}: not compared. {why}" for name, why in comparison.unofficial.items()]
    for name, row in zip(_names(comparison.overall), comparison.overall.to_dict("records"), strict=True):
        own = (comparison.cells[["model", "variant"]] == [row["model"], row["variant"]]).all(axis=1)
        lines += ["", *_section_lines(name, comparison.cells[own])]
    tables = (comparison.cells, comparison.overall, comparison.official)
    if any(len(table) and (table["verdict"] == NO_CLAIM).any() for table in tables):
        lines += ["", WHY_NO_CLAIM]
    return "\n".join(lines)


def _names(overall: pd.DataFrame) -> list[str]:
    """Of the models, as in every table: with the settings that not all variants of one share."""
    labels = run_labels(overall)
    return [labels[pair] for pair in zip(overall["model"], overall["variant"], strict=True)]


def _overall_lines(title: str, overall: pd.DataFrame, confidence: float) -> list[str]:
    header = ["model", "OLD", "NEW", "difference", f"{100 * confidence:g} % interval", "p", ""]
    rows = [
        [name, *_numbers(row), row["verdict"]]
        for name, (_, row) in zip(_names(overall), overall.iterrows(), strict=True)
    ]
    table = tabulate(rows, header, tablefmt="simple", colalign=("left", *["right"] * 5, "left"), disable_numparse=True)
    return [f"{title}, OLD -> NEW, overall", "", *(line.rstrip() for line in table.splitlines())]


def _numbers(row: pd.Series) -> list[str]:
    change = f"{row['difference']:+.3f}", f"{row['low']:+.3f} to {row['high']:+.3f}"
    p = "" if row["verdict"] == NO_CLAIM else f"{row['p_value']:.2g}"
    return [f"{row['old']:.3f}", f"{row['new']:.3f}", *change, p]


def _section_lines(name: str, cells: pd.DataFrame) -> list[str]:
    """A line on how a model's sections were compared, and one for each that changed or is in one result alone."""
    compared = cells[cells["difference"].notna()]
    how = "paired by clip" if compared["paired"].all() else "by intervals: clip scores of both are not all at hand"
    changed = compared[compared["verdict"] != "within noise"].sort_values("difference")
    alone = cells[cells["difference"].isna()]
    return [
        f"{name}: {len(compared) - len(changed)} of {len(compared)} sections within noise, {how}",
        *(f"  {'/'.join(cell[SECTION_COLUMNS])}: {_change(cell)}" for _, cell in changed.iterrows()),
        *(f"  {'/'.join(cell[SECTION_COLUMNS])}: {cell['verdict']}" for _, cell in alone.iterrows()),
    ]


def _change(cell: pd.Series) -> str:
    p = "" if cell["verdict"] == NO_CLAIM else f"p = {cell['p_holm']:.2g}, "
    return f"{cell['old']:.3f} -> {cell['new']:.3f} ({cell['difference']:+.3f}, {p}{cell['verdict']})"
