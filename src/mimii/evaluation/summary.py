"""Averages of results.csv for a terminal."""

from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from mimii.data.sections import NO_LEVEL, dcase_year, snr_order
from mimii.evaluation.metrics import metrics_in
from mimii.evaluation.results import average, busy_costs, direction_hints, load_hints, run_labels

if TYPE_CHECKING:
    import pandas as pd

# Columns of results.csv: heading, unit, format.
COSTS = {
    "training_time_sec": ("training", "s", ",.2f"),
    "training_cpu_sec": ("training", "CPU s", ",.2f"),
    "inference_time_per_clip_ms": ("a clip", "ms", ",.2f"),
    "num_parameters": ("parameters", "", ",.0f"),
}

RESIDUAL = (
    "residual: a second score of the models that reconstruct. To see what training adds to it, compare it with the AUC "
    "of mahalanobis, which has no network, or with the same model at epochs: 0."
)


def summary(frame: "pd.DataFrame") -> str:
    """The metrics, per SNR where there are any, and what a model costs: aligned text, the best overall AUC first.

    Averaged over seeds, then IDs, then machine types, then SNRs; where there are several SNRs, the first column is what
    orders the rows.
    """
    metrics = metrics_in("summary")
    labels = run_labels(frame)
    snrs = sorted(frame["db_level"].unique(), key=snr_order)
    per_snr = average(frame, list(metrics), ["model", "variant", "db_level"])
    costs, busy = average(frame, list(COSTS)), busy_costs(frame, ["model", "variant"])
    overall = average(frame, ["auc"])["auc"].sort_values(ascending=False)
    residual = average(frame, ["auc_residual"])["auc_residual"].dropna().to_dict()
    extra: dict[str, dict[Any, float]] = {"AUC seed\ndeviation": seed_deviations_of(frame), "residual\nAUC": residual}
    extra["official\nscore"] = official_scores_of(frame)
    extra = {heading: values for heading, values in extra.items() if values}

    several = len(snrs) > 1
    titles = [metric.title for metric in metrics.values()]
    groups = [cell for snr in snrs for cell in (snr.replace(NO_LEVEL, ""), *[""] * (len(titles) - 1))]
    header = ["all\nAUC"] if several else []
    header += [f"{group}\n{title}" for group, title in zip(groups, titles * len(snrs), strict=True)]
    header += extra
    header += [f"{name}\n{unit}" for name, unit, _ in COSTS.values()]
    rows = []
    for key in overall.index:
        cells = [labels[key], *([metrics["auc"].text(overall[key])] if several else [])]
        for snr in snrs:
            there = (*key, snr) in per_snr.index
            cells += [metric.text(per_snr.loc[(*key, snr), name]) if there else "" for name, metric in metrics.items()]
        cells += [metrics["auc"].text(values[key]) if key in values else "" for values in extra.values()]
        amounts = {cost: float(costs[cost][key]) for cost in COSTS}
        written = {cost: "" if amount != amount else f"{amount:{COSTS[cost][2]}}" for cost, amount in amounts.items()}
        cells += [text + "*" * ((*key, cost) in busy) for cost, text in written.items()]
        rows.append(cells)
    aligned = ("left", *["right"] * len(header))
    # Text as it is: numbers are written already.
    text = tabulate(rows, ["\nmodel", *header], tablefmt="simple", colalign=aligned, disable_numparse=True)
    lines = (line.rstrip() for line in text.splitlines())
    hints = [*direction_hints(frame), *load_hints(frame), *([RESIDUAL] if residual else [])]
    return "\n".join([*lines, *(f"\n{hint}" for hint in hints)])


def seed_deviations_of(frame: "pd.DataFrame") -> dict[Any, float]:
    """Standard deviation of the overall AUC over seeds by model and variant; those with one seed have none."""
    by_seed = average(frame, ["auc"], ["model", "variant", "seed"])["auc"]
    deviations: dict[Any, float] = by_seed.groupby(level=["model", "variant"]).std(ddof=1).dropna().to_dict()
    return deviations


def official_scores_of(frame: "pd.DataFrame") -> dict[Any, float]:
    """The official score of DCASE's task 2 by model and variant, where every run has one and is at the same SNR."""
    snrs = frame["db_level"].unique()
    if len(snrs) != 1 or frame["official_score"].isna().any():
        return {}
    scores = frame["official_score"]
    if dcase_year(snrs[0]) != 2020:
        # Sections are of equally many values: the harmonic mean of their scores is that of all values.
        keys = [frame[name] for name in ("model", "variant", "seed")]
        scores = 1 / (1 / scores).groupby(keys, dropna=False).transform("mean")
    found: dict[Any, float] = average(frame.assign(score=scores), ["score"])["score"].to_dict()
    return found
