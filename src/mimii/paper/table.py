"""What a table is, and what tables share: cells, costs, means with their intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mimii.data.sections import AVERAGE, has_snrs
from mimii.detectors.declaration import model_declaration, model_names
from mimii.evaluation.resampling import MEASURED
from mimii.evaluation.seeds import NO_CLAIM

MISSING = "–"


@dataclass(frozen=True)
class Cell:
    """One value: its text, and what stands in small print below it.

    bold: the significantly best one. second: the next one, where one is.
    """

    text: str
    below: str = ""
    bold: bool = False
    second: bool = False


# Column of results.csv: its heading with the unit below, and how it is written.
COSTS = {
    "training_time_sec": (Cell("Training", "s"), "{:,.2f}"),
    "training_cpu_sec": (Cell("Training", "CPU s"), "{:,.2f}"),
    "features_cpu_per_clip_ms": (Cell("Features", "CPU ms/clip"), "{:,.2f}"),
    "inference_time_per_clip_ms": (Cell("Inference", "ms/clip"), "{:,.2f}"),
    "num_parameters": (Cell("Parameters"), "{:,.0f}"),
    "model_size_mb": (Cell("Size", "MB"), "{:,.2f}"),
    "memory_above_imports_mb": (Cell("Own memory", "MB"), "{:,.0f}"),
    "memory_usage_mb": (Cell("GPU memory", "MB"), "{:,.0f}"),
}


@dataclass(frozen=True)
class Table:
    """name: of its files. caption: one line. rows: the cells to read. data: the same as numbers, for the CSV.

    notes: what a reader has to know of the cells, in small print below them.
    """

    name: str
    caption: str
    header: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    data: pd.DataFrame
    notes: str = ""


def cost_cell(cost: str, amount: float, *, busy: bool) -> Cell:
    """An amount of one of `COSTS`, NaN where it is not known. busy: a time measured on a machine with other work."""
    return Cell(MISSING) if amount != amount else Cell(COSTS[cost][1].format(amount), "busy" if busy else "")


def model_title(label: str) -> str:
    """`Variational autoencoder (beta=2)` of `vae (beta=2)`; external scores keep their name."""
    name, space, variant = label.partition(" ")
    return (model_declaration(name).title if name in model_names() else name) + space + variant


def p_text(p: float) -> str:
    """`p = .013`; very small ones as a bound."""
    return "p < .001" if p < 0.001 else f"p = {p:.2g}".replace("0.", ".")


def signed(difference: float) -> str:
    """`+0.012`, `−0.012`"""
    return f"{difference:+.3f}".replace("-", "−")


def lookup(averages: pd.DataFrame) -> dict[tuple[str, str, str, str], Mapping[str, Any]]:
    """Rows by label, metric, SNR and machine type; with `is_second`: next to one that is significantly best."""
    scopes: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in averages.to_dict("records"):
        cells = {str(name): value for name, value in row.items()}
        scopes.setdefault((cells["metric"], cells["db_level"], cells["machine_type"]), []).append(cells)
    means: dict[tuple[str, str, str, str], Mapping[str, Any]] = {}
    for (metric, snr, machine_type), rows in scopes.items():
        sign = 1 if MEASURED[metric][0].lower_is_better else -1
        order = sorted(rows, key=lambda cells: (math.isnan(cells["mean"]), sign * cells["mean"]))
        second = order[1] if any(cells["is_significantly_best"] for cells in rows) else None
        for cells in rows:
            means[cells["label"], metric, snr, machine_type] = {**cells, "is_second": cells is second}
    return means


def best_first(averages: pd.DataFrame, metric: str, snr: str) -> list[str]:
    chosen = averages[
        (averages["metric"] == metric) & (averages["db_level"] == snr) & (averages["machine_type"] == AVERAGE)
    ]
    return list(chosen.sort_values("mean", ascending=False, kind="stable")["label"])


def mean_cell(value: Mapping[str, Any], *, mark: bool = True) -> Cell:
    """A mean, its deviation over several seeds, and its interval; marked if `mark` and one is clearly the best."""
    text = with_deviation(value["mean"], value["seed_deviation"])
    # A metric may have no value on some resamples, as precision where no clip is above the threshold.
    known = value["low"] == value["low"]
    interval = f"[{value['low']:.3f}, {value['high']:.3f}]" if known else ""
    return Cell(text, interval, mark and bool(value["is_significantly_best"]), mark and bool(value["is_second"]))


def with_deviation(mean: float, deviation: float) -> str:
    """`0.912 ± 0.004`; the mean alone where the deviation, over seeds, is NaN."""
    return f"{mean:.3f}" + (f" ± {deviation:.3f}" if deviation == deviation else "")


def interval_cell(value: Mapping[str, float]) -> Cell:
    """`value` and its `seed_deviation`, with its interval from `low` to `high` below; MISSING where it is NaN."""
    if value["value"] != value["value"]:
        return Cell(MISSING)
    text = with_deviation(value["value"], value["seed_deviation"])
    return Cell(text, f"[{value['low']:.3f}, {value['high']:.3f}]")


def averaging_notes(averages: pd.DataFrame, confidence: float) -> str:
    """How means of `average_metrics` were taken, in which order, and what deviations and brackets are."""
    snrs = ", then SNRs" if has_snrs(set(averages["db_level"]) - {AVERAGE}) else ""
    spread = "; ± standard deviation over seeds" if averages["seed_deviation"].notna().any() else ""
    return (
        f"Averaged over seeds, then machine IDs, then machine types{snrs}{spread}. "
        f"Brackets: {100 * confidence:g} % bootstrap interval over test clips and seeds."
    )


def bold_notes(confidence: float, unclaimed: Sequence[str]) -> str:
    """What is bold and underlined: nothing where `unclaimed` models lack seeds."""
    if unclaimed:
        return no_claim(unclaimed)
    return (
        f"Bold: better than every other model on other clips of these machines, paired by clip, at the "
        f"{100 * (1 - confidence):.3g} % level; underlined: the next one."
    )


def no_claim(unclaimed: Sequence[str]) -> str:
    """Why nothing is claimed of models with too few seeds."""
    return NO_CLAIM.format(", ".join(map(model_title, unclaimed)))
