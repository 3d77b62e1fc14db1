"""The table of a study: its variants in the configured order, none of them marked as the best."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mimii.common.files import written_whole
from mimii.data.sections import AVERAGE, snr_order, snr_title
from mimii.evaluation.inference import average_metrics
from mimii.evaluation.metrics import metrics_in
from mimii.evaluation.official_averages import by_type, scores_of_runs
from mimii.evaluation.official_score import SCORE
from mimii.evaluation.resampling import resample_runs, select_runs
from mimii.evaluation.results import average, busy_costs, load_hints
from mimii.evaluation.seeds import has_enough_seeds
from mimii.paper.table import (
    COSTS,
    MISSING,
    Cell,
    Table,
    averaging_notes,
    cost_cell,
    interval_cell,
    lookup,
    mean_cell,
    model_title,
    no_claim,
)
from mimii.paper.table_formats import as_html, as_latex, as_markdown

SHOWN_COSTS = ("training_time_sec", "training_cpu_sec", "inference_time_per_clip_ms", "num_parameters")


def study_table(
    results: pd.DataFrame, runs_root: str | Path, study: str, variants: Sequence[Sequence[str]], varied: Sequence[str]
) -> Table:
    """A row for each variant: what was varied, AUC per SNR and overall, the other metrics overall, and costs; where
    every run has one, at one SNR, the official score too.

    results: the study's CSV. variants: (model, variant) in the configured order. varied: settings that the study sets.
    Raises UserError where variants were not run on the same sections.
    """
    frame = select_runs(results, variants)
    confidence = float(frame["confidence"].iloc[0])
    resampled = resample_runs(frame, runs_root, samples=int(frame["bootstrap_samples"].iloc[0]))
    averages = average_metrics(frame, resampled, confidence=confidence)
    means = lookup(averages)
    unclaimed = [label for label, enough in has_enough_seeds(frame).items() if not enough]
    costs, busy = average(frame, list(SHOWN_COSTS), ["label"]).to_dict("index"), busy_costs(frame, ["label"])
    snrs = sorted(frame["db_level"].unique(), key=snr_order)
    several = snrs if len(snrs) > 1 else []
    scored = len(snrs) == 1 and frame[SCORE].notna().all()
    official = by_type(scores_of_runs(frame, Path(runs_root), snrs[0])) if scored else {}
    scopes = [*(("auc", snr) for snr in several), *((metric, AVERAGE) for metric in metrics_in("tables"))]

    rows, data = [], []
    for first in frame.drop_duplicates("label").to_dict("records"):
        label = first["label"]
        settings = {**json.loads(first["settings"]), **json.loads(first["features"])}
        numbers: dict[str, Any] = {"model": first["model"], **{name: settings.get(name) for name in varied}}
        cells = [Cell(model_title(first["model"])), *(Cell(_write_setting(settings, name)) for name in varied)]
        for metric, snr in scopes:
            value = means[label, metric, snr, AVERAGE]
            cells.append(mean_cell(value, mark=False))
            name = metric if snr == AVERAGE else f"{metric}_{snr}"
            numbers |= {name: value["mean"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
            numbers[f"{name}_seed_deviation"] = value["seed_deviation"]
        if official:
            score = official[label, AVERAGE, SCORE]
            cells.append(interval_cell(score))
            numbers |= {SCORE: score["value"], f"{SCORE}_low": score["low"], f"{SCORE}_high": score["high"]}
            numbers[f"{SCORE}_seed_deviation"] = score["seed_deviation"]
        for cost in SHOWN_COSTS:
            amount = float(costs[label][cost])
            cells.append(cost_cell(cost, amount, busy=(label, cost) in busy))
            numbers[cost] = amount
        rows.append(cells)
        data.append(numbers)
    header = _header(varied, scopes, official=bool(official))
    caption = f"Study {study}: variants in the configured order, none marked as the best."
    notes = " ".join([_notes(averages, confidence, unclaimed), *load_hints(frame)])
    return Table(study, caption, header, rows, pd.DataFrame(data), notes)


def _header(varied: Sequence[str], scopes: Sequence[tuple[str, str]], *, official: bool) -> list[Cell]:
    """scopes: (metric, SNR) of each mean."""
    metrics = metrics_in("tables")
    return [
        Cell("Model"),
        *map(Cell, varied),
        *(Cell(metrics[metric].title, "" if snr == AVERAGE else snr_title(snr)) for metric, snr in scopes),
        *([Cell("Official score")] if official else []),
        *(COSTS[cost][0] for cost in SHOWN_COSTS),
    ]


def _write_setting(settings: Mapping[str, Any], name: str) -> str:
    if name not in settings:
        return MISSING
    value = settings[name]
    if value is None:
        return "null"  # as in the configuration
    if isinstance(value, list):
        return "-".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _notes(averages: pd.DataFrame, confidence: float, unclaimed: Sequence[str]) -> str:
    notes = (
        "A setting picked by its AUC on the test clips, and reported with that AUC, is no fair baseline: the test "
        "clips were then used for training. "
        f"{averaging_notes(averages, confidence)}"
    )
    return f"{notes} {no_claim(unclaimed)}" if unclaimed else notes


def write_study_table(table: Table, folder: str | Path) -> None:
    """`<study>.md`, `.tex` and `.html` beside the study's CSV."""
    for ending, text in (("md", as_markdown(table)), ("tex", as_latex(table)), ("html", as_html(table))):
        with written_whole(Path(folder) / f"{table.name}.{ending}") as temporary:
            temporary.write_text(text, encoding="utf-8")
