"""Tables of a paper, as CSV, Markdown and LaTeX (booktabs), from results.csv and the statistics made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mimii.files import written_whole
from mimii.results import METRICS, average, snr_order
from mimii.statistics import ALL

MISSING = "–"


@dataclass(frozen=True)
class Cell:
    """One value: its text, what stands in small print below it, and whether it is the significantly best one."""

    text: str
    below: str = ""
    bold: bool = False


# Column of results.csv: its heading with the unit below, and how it is written.
COSTS = {
    "training_time_sec": (Cell("Training", "s"), "{:,.2f}"),
    "inference_time_per_clip_ms": (Cell("Inference", "ms/clip"), "{:,.2f}"),
    "num_parameters": (Cell("Parameters"), "{:,.0f}"),
    "model_size_mb": (Cell("Size", "MB"), "{:,.2f}"),
    "peak_host_memory_mb": (Cell("Memory", "MB"), "{:,.0f}"),
    "memory_usage_mb": (Cell("GPU memory", "MB"), "{:,.0f}"),
}


@dataclass(frozen=True)
class Table:
    """name: of its files. rows: the cells to read. data: the same as numbers, for the CSV."""

    name: str
    caption: str
    header: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    data: pd.DataFrame


def snr_title(snr: str) -> str:
    """`min6dB` as a text has it: −6 dB."""
    if snr == ALL:
        return "Overall"
    order, _ = snr_order(snr)
    return snr if order == float("inf") else f"{0 - order:g} dB".replace("-", "−")


def make_tables(frame: pd.DataFrame, averages: pd.DataFrame) -> list[Table]:
    """All tables: an overview with costs, each metric per SNR, model by machine type at each SNR.

    frame: rows of `statistics.select_runs`. averages: `statistics.average_metrics` of them.
    """
    snrs = sorted(frame["db_level"].unique(), key=snr_order)
    how = _how(frame["confidence"].to_numpy(dtype=float)[0])
    return [
        overview(frame, averages, how),
        *(metric_table(averages, metric, snrs, how) for metric in METRICS),
        *(machine_type_table(averages, snr, how) for snr in snrs),
    ]


def overview(frame: pd.DataFrame, averages: pd.DataFrame, how: str) -> Table:
    """Model by overall AUC, PR-AUC and pAUC, with intervals, and by what it costs; best AUC first."""
    means = _lookup(averages)
    costs = average(frame, list(COSTS), ["label"])
    shown = [cost for cost in COSTS if costs[cost].notna().any()]
    rows, data = [], []
    for label in _best_first(averages, "auc", ALL):
        found = {metric: means[label, metric, ALL, ALL] for metric in METRICS}
        amounts = {cost: float(costs[cost].to_dict()[label]) for cost in shown}
        written = (MISSING if amount != amount else COSTS[cost][1].format(amount) for cost, amount in amounts.items())
        rows.append([Cell(label), *map(_mean_cell, found.values()), *map(Cell, written)])
        numbers = {"model": label, **amounts}
        for metric, value in found.items():
            numbers |= {metric: value["mean"], f"{metric}_low": value["low"], f"{metric}_high": value["high"]}
        data.append(numbers)
    caption = f"Means over all sections, and what a model costs on average on one section. {how}"
    header = [Cell("Model"), *map(Cell, METRICS.values()), *(COSTS[cost][0] for cost in shown)]
    return Table("overview", caption, header, rows, pd.DataFrame(data))


def metric_table(averages: pd.DataFrame, metric: str, snrs: Sequence[str], how: str) -> Table:
    """Model by SNR and overall: mean ± deviation over machines, and the interval below."""
    means = _lookup(averages)
    rows, data = [], []
    for label in _best_first(averages, metric, ALL):
        found = [means[label, metric, snr, ALL] for snr in [*snrs, ALL]]
        rows.append([Cell(label), *(_mean_cell(value, deviation=True) for value in found)])
        data += [{name: value[name] for name in averages.columns if name != "machine_type"} for value in found]
    caption = f"{METRICS[metric]} per SNR: mean ± standard deviation over machines. {how}"
    header = [Cell("Model"), *(Cell(snr_title(snr)) for snr in [*snrs, ALL])]
    return Table(metric, caption, header, rows, pd.DataFrame(data).rename(columns={"label": "model"}))


def machine_type_table(averages: pd.DataFrame, snr: str, how: str) -> Table:
    """Model by machine type at one SNR: AUC, averaged over IDs."""
    means = _lookup(averages)
    there = averages[averages["db_level"] == snr]["machine_type"].unique()
    machine_types = [*sorted(name for name in there if name != ALL), ALL]
    rows, data = [], []
    for label in _best_first(averages, "auc", snr):
        found = {name: means[label, "auc", snr, name] for name in machine_types}
        rows.append([Cell(label), *map(_mean_cell, found.values())])
        numbers: dict[str, Any] = {"model": label}
        for name, value in found.items():
            numbers |= {name: value["mean"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
        data.append(numbers)
    caption = f"AUC at {snr_title(snr)} per machine type. {how}"
    header = [Cell("Model"), *(Cell("Mean" if name == ALL else name.capitalize()) for name in machine_types)]
    return Table(f"machine_types_{snr}", caption, header, rows, pd.DataFrame(data))


def _lookup(averages: pd.DataFrame) -> dict[tuple[str, str, str, str], Mapping[str, Any]]:
    rows: list[dict[str, Any]] = [
        {str(name): value for name, value in row.items()} for row in averages.to_dict("records")
    ]
    return {(row["label"], row["metric"], row["db_level"], row["machine_type"]): row for row in rows}


def _best_first(averages: pd.DataFrame, metric: str, snr: str) -> list[str]:
    chosen = averages[
        (averages["metric"] == metric) & (averages["db_level"] == snr) & (averages["machine_type"] == ALL)
    ]
    return list(chosen.sort_values("mean", ascending=False, kind="stable")["label"])


def _mean_cell(value: Mapping[str, Any], *, deviation: bool = False) -> Cell:
    text = f"{value['mean']:.3f}"
    if deviation and value["machine_deviation"] == value["machine_deviation"]:
        text += f" ± {value['machine_deviation']:.3f}"
    return Cell(text, f"[{value['low']:.3f}, {value['high']:.3f}]", bool(value["is_significantly_best"]))


def _how(confidence: float) -> str:
    return (
        "Averaged over seeds, then machine IDs, then machine types, then SNRs. "
        f"Brackets: {100 * confidence:g} % bootstrap interval over test clips. "
        f"Bold: better than every other model, paired by clip, at the {100 * (1 - confidence):.3g} % level."
    )


def as_markdown(table: Table) -> str:
    """A pipe table below its caption."""

    def written(cell: Cell) -> str:
        text = cell.text.replace("|", "\\|")
        return (f"**{text}**" if cell.bold else text) + (f"<br>{cell.below}" if cell.below else "")

    lines = [
        table.caption,
        "",
        "| " + " | ".join(map(written, table.header)) + " |",
        "|:---" + "|---:" * (len(table.header) - 1) + "|",
        *("| " + " | ".join(map(written, row)) + " |" for row in table.rows),
    ]
    return "\n".join(lines) + "\n"


LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "[": "{[}",  # at the start of a row, LaTeX would read a length
}


def escape_latex(text: str) -> str:
    """`text` as LaTeX prints it."""
    return "".join(LATEX.get(character, character) for character in text)


def as_latex(table: Table) -> str:
    """A table environment for booktabs; what stands below a cell is a row of its own, in small print."""

    def upper(cell: Cell) -> str:
        text = escape_latex(cell.text)
        return rf"\textbf{{{text}}}" if cell.bold else text

    def lower(cell: Cell) -> str:
        return rf"\scriptsize {escape_latex(cell.below)}" if cell.below else ""

    def lines(row: Sequence[Cell]) -> list[str]:
        if not any(cell.below for cell in row):
            return [" & ".join(map(upper, row)) + r" \\"]
        return [
            " & ".join(map(upper, row)) + r" \\[-2pt]",
            " & ".join(map(lower, row)) + r" \\",
            r"\addlinespace[2pt]",
        ]

    return "\n".join(
        [
            r"% Needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape_latex(table.caption)}}}",
            rf"\label{{tab:{table.name.replace('_', '-')}}}",
            r"\small",
            r"\setlength{\tabcolsep}{4pt}",
            rf"\begin{{tabular}}{{@{{}}l{'r' * (len(table.header) - 1)}@{{}}}}",
            r"\toprule",
            *lines(table.header),
            r"\midrule",
            *(line for row in table.rows for line in lines(row)),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def write_tables(tables: Sequence[Table], folder: str | Path) -> None:
    """`<name>.csv`, `.md` and `.tex` of every table."""
    for table in tables:
        # Python's digits: a float reads back as itself.
        written = {
            "csv": table.data.to_csv(index=False, lineterminator="\n"),
            "md": as_markdown(table),
            "tex": as_latex(table),
        }
        for ending, text in written.items():
            with written_whole(Path(folder) / f"{table.name}.{ending}") as temporary:
                temporary.write_text(text, encoding="utf-8")
