"""Tables of a paper, as CSV, Markdown, LaTeX (booktabs) and HTML, from results.csv and the statistics made of it."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mimii.common.files import written_whole
from mimii.data.sections import AVERAGE, snr_order, snr_title
from mimii.evaluation.inference import Statistics
from mimii.evaluation.results import METRICS, average, direction_hints

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


def make_tables(frame: pd.DataFrame, found: Statistics) -> list[Table]:
    """All tables: an overview with costs, each metric per SNR, ranks, differences, machine types at each SNR.

    frame: rows of `statistics.select_runs`. found: `statistics.compute_statistics` of them.
    """
    snrs = sorted(frame["db_level"].unique(), key=snr_order)
    confidence = float(frame["confidence"].to_numpy(dtype=float)[0])
    how = _how(confidence)
    return [
        overview(frame, found.averages, how),
        *(metric_table(found.averages, metric, snrs, how) for metric in METRICS),
        rank_table(found.ranks),
        difference_table(found.averages, found.comparisons, confidence),
        *(machine_type_table(found.averages, snr, how) for snr in snrs),
    ]


def overview(frame: pd.DataFrame, averages: pd.DataFrame, how: str) -> Table:
    """Model by overall AUC, PR-AUC and pAUC, with intervals, and by what it costs; best AUC first."""
    means = _lookup(averages)
    costs = average(frame, list(COSTS), ["label"])
    shown = [cost for cost in COSTS if costs[cost].notna().any()]
    rows, data = [], []
    for label in _best_first(averages, "auc", AVERAGE):
        found = {metric: means[label, metric, AVERAGE, AVERAGE] for metric in METRICS}
        amounts = {cost: float(costs[cost].to_dict()[label]) for cost in shown}
        written = (MISSING if amount != amount else COSTS[cost][1].format(amount) for cost, amount in amounts.items())
        rows.append([Cell(label), *map(_mean_cell, found.values()), *map(Cell, written)])
        numbers = {"model": label, **amounts}
        for metric, value in found.items():
            numbers |= {metric: value["mean"], f"{metric}_low": value["low"], f"{metric}_high": value["high"]}
        data.append(numbers)
    caption = f"Means over all sections, and what a model costs on average on one section. {how}"
    caption = " ".join([caption, *direction_hints(frame)])
    header = [Cell("Model"), *map(Cell, METRICS.values()), *(COSTS[cost][0] for cost in shown)]
    return Table("overview", caption, header, rows, pd.DataFrame(data))


def metric_table(averages: pd.DataFrame, metric: str, snrs: Sequence[str], how: str) -> Table:
    """Model by SNR and overall: mean ± deviation over machines, and the interval below."""
    means = _lookup(averages)
    rows, data = [], []
    for label in _best_first(averages, metric, AVERAGE):
        found = [means[label, metric, snr, AVERAGE] for snr in [*snrs, AVERAGE]]
        rows.append([Cell(label), *(_mean_cell(value, deviation=True) for value in found)])
        data += [{name: value[name] for name in averages.columns if name != "machine_type"} for value in found]
    caption = f"{METRICS[metric]} per SNR: mean ± standard deviation over machines. {how}"
    header = [Cell("Model"), *(Cell(snr_title(snr)) for snr in snrs), Cell("Overall")]
    return Table(metric, caption, header, rows, pd.DataFrame(data).rename(columns={"label": "model"}))


def machine_type_table(averages: pd.DataFrame, snr: str, how: str) -> Table:
    """Model by machine type at one SNR: AUC, averaged over IDs."""
    means = _lookup(averages)
    there = averages[averages["db_level"] == snr]["machine_type"].unique()
    machine_types = [*sorted(name for name in there if name != AVERAGE), AVERAGE]
    rows, data = [], []
    for label in _best_first(averages, "auc", snr):
        found = {name: means[label, "auc", snr, name] for name in machine_types}
        rows.append([Cell(label), *map(_mean_cell, found.values())])
        numbers: dict[str, Any] = {"model": label}
        for name, value in found.items():
            numbers |= {name: value["mean"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
        data.append(numbers)
    caption = f"AUC at {snr_title(snr)} per machine type. {how}"
    header = [Cell("Model"), *(Cell("Mean" if name == AVERAGE else name.capitalize()) for name in machine_types)]
    return Table(f"machine_types_{snr}", caption, header, rows, pd.DataFrame(data))


def rank_table(ranks: Mapping[str, Mapping[str, Any]]) -> Table:
    """Model by average rank over machines in each metric; Friedman's test in the caption."""
    order = list(ranks["auc"]["average_ranks"])
    data = pd.DataFrame(
        [{"model": label, **{metric: ranks[metric]["average_ranks"][label] for metric in METRICS}} for label in order]
    )
    rows = [[Cell(row["model"]), *(Cell(f"{row[metric]:.2f}") for metric in METRICS)] for _, row in data.iterrows()]
    machines, models, alpha = (ranks["auc"][name] for name in ("machines", "models", "alpha"))
    tests = []
    for metric, title in METRICS.items():
        if friedman := ranks[metric]["friedman"]:
            tests.append(f"{title} {friedman['statistic']:.1f} (p = {friedman['p_value']:.2g})")
    caption = f"Average rank over {machines} machine(s); 1 is best, and the SNRs of a machine are averaged first. "
    if tests:
        caption += f"Friedman's χ² with {models - 1} degrees of freedom: {', '.join(tests)}. "
    if ranks["auc"]["critical_difference"] is not None:
        caption += (
            f"Nemenyi's critical difference at the {100 * alpha:.3g} % level is "
            f"{ranks['auc']['critical_difference']:.2f}: ranks further apart differ significantly."
        )
    return Table("ranks", caption.strip(), [Cell("Model"), *map(Cell, METRICS.values())], rows, data)


def difference_table(averages: pd.DataFrame, comparisons: pd.DataFrame, confidence: float) -> Table:
    """Overall AUC of each model minus that of each other one, paired by clip."""
    order = _best_first(averages, "auc", AVERAGE)
    chosen = comparisons[(comparisons["metric"] == "auc") & (comparisons["db_level"] == AVERAGE)]
    found = {}
    for _, pair in chosen.iterrows():
        found[pair["label"], pair["other"]] = pair["difference"], pair["p_holm"]
        found[pair["other"], pair["label"]] = -pair["difference"], pair["p_holm"]
    rows = []
    for number, label in enumerate(order, 1):
        row = [Cell(f"{label} ({number})")]
        for other in order:
            difference, p_value = found.get((label, other), (None, None))
            if difference is None:
                row.append(Cell(MISSING))
            else:
                # Without the zero: a dozen models then fit a page.
                row.append(Cell(signed(difference).replace("0.", ".", 1), bold=p_value < 1 - confidence))
        rows.append(row)
    caption = (
        "Overall AUC of the row's model minus that of the column's, paired by clip. "
        f"Bold: differs at the {100 * (1 - confidence):.3g} % level, with Holm's correction for all pairs. "
        "Intervals and p-values: differences.csv."
    )
    header = [Cell("Model"), *(Cell(f"({number})") for number in range(1, len(order) + 1))]
    return Table("differences", caption, header, rows, chosen.drop(columns=["metric", "db_level"]))


def signed(difference: float) -> str:
    """`+0.012`, `−0.012`"""
    return f"{difference:+.3f}".replace("-", "−")


def _lookup(averages: pd.DataFrame) -> dict[tuple[str, str, str, str], Mapping[str, Any]]:
    rows: list[dict[str, Any]] = [
        {str(name): value for name, value in row.items()} for row in averages.to_dict("records")
    ]
    return {(row["label"], row["metric"], row["db_level"], row["machine_type"]): row for row in rows}


def _best_first(averages: pd.DataFrame, metric: str, snr: str) -> list[str]:
    chosen = averages[
        (averages["metric"] == metric) & (averages["db_level"] == snr) & (averages["machine_type"] == AVERAGE)
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
    "χ": r"$\chi$",
    "²": "$^2$",
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
            rf"\setlength{{\tabcolsep}}{{{4 if len(table.header) < 10 else 2.5}pt}}",
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


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{name}</title>
<style>
body {{ font: 14px/1.4 sans-serif; margin: 1.5em; color: #111; background: #fff; }}
table {{ border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; }}
caption {{ text-align: left; max-width: 60em; padding-bottom: 1em; }}
th, td {{ padding: .25em .8em; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }}
th:first-child, td:first-child {{ text-align: left; }}
thead th {{ border-bottom: 1px solid; vertical-align: bottom; }}
small {{ display: block; color: #555; font-weight: normal; }}
</style>
</head>
<body>
<table>
<caption>{caption}</caption>
<thead>
{header}
</thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def as_html(table: Table) -> str:
    """A page that needs no other file."""

    def row(cells: Sequence[Cell], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{written(cell)}</{tag}>" for cell in cells) + "</tr>"

    def written(cell: Cell) -> str:
        text = html.escape(cell.text)
        text = f"<strong>{text}</strong>" if cell.bold else text
        return text + (f"<small>{html.escape(cell.below)}</small>" if cell.below else "")

    return PAGE.format(
        name=html.escape(table.name),
        caption=html.escape(table.caption),
        header=row(table.header, "th"),
        rows="\n".join(row(cells, "td") for cells in table.rows),
    )


def write_tables(tables: Sequence[Table], folder: str | Path) -> None:
    """`<name>.csv`, `.md`, `.tex` and `.html` of every table."""
    for table in tables:
        # Python's digits: a float reads back as itself.
        written = {
            "csv": table.data.to_csv(index=False, lineterminator="\n"),
            "md": as_markdown(table),
            "tex": as_latex(table),
            "html": as_html(table),
        }
        for ending, text in written.items():
            with written_whole(Path(folder) / f"{table.name}.{ending}") as temporary:
                temporary.write_text(text, encoding="utf-8")
