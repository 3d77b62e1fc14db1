"""The start of a paper: a folder that LaTeX compiles, with tables, figures, the experimental setup and references."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.data.sections import snr_order, snr_title
from mimii.evaluation.compared import Statistics
from mimii.evaluation.resampling import select_runs
from mimii.evaluation.results import read_results
from mimii.evaluation.seeds import has_enough_seeds
from mimii.paper.drawing import COLUMN, DPI
from mimii.paper.entries import Entry, caption_text, figure_entries, table_entries
from mimii.paper.page.board import complete_variants
from mimii.paper.page.claims import Findings, caveats, sentences
from mimii.paper.references import bibliography
from mimii.paper.setup_section import setup_section
from mimii.paper.table import model_title
from mimii.paper.table_formats import escape_latex

MAIN = r"""\documentclass[10pt,twocolumn]{article}
\usepackage[a4paper,textwidth=516pt,textheight=9.6in,columnsep=12pt]{geometry}
\usepackage{booktabs}
\usepackage{cite}
\usepackage{graphicx}
\usepackage{siunitx}
\extrafloats{200}
\setlength{\belowcaptionskip}{4pt}
\setlength{\emergencystretch}{3em}
\raggedbottom
\makeatletter %% floats of a page stand at its top
\setlength{\@fptop}{0pt}
\setlength{\@dblfptop}{0pt}
\makeatother
\title{Anomalous sound detection: results}
\author{}
\begin{document}
\maketitle
\input{setup}
\input{results}
%s
\clearpage
\bibliographystyle{plain}
\bibliography{references}
\end{document}
"""
INCH = 72  # PDF's points
BOX = re.compile(rb"/MediaBox \[ ?0 0 ([\d.]+) ")


def write_manuscript(results: Path, output: Path) -> None:
    """Write main.tex, setup.tex, results.tex, references.bib, tables/ and figures/ into `output`.

    results: a folder of results. Raises UserError where it holds no tables or statistics, or where `output` holds
    anything.
    """
    frame = read_results(results / "results.csv")
    models, snrs = list(frame["model"].unique()), sorted(frame["db_level"].unique(), key=snr_order)
    # Of what there may be, what is there.
    tables = [one for one in table_entries(models, snrs, snrs) if (results / "tables" / f"{one.name}.tex").is_file()]
    if not tables or not (results / "statistics").is_dir():
        raise UserError(f"{results}: holds no tables/*.tex; set report.tables in the configuration and run it again")
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise UserError(f"{output}: is not empty or no folder, and nothing is overwritten; give another one")
    statistics = Statistics.read(results / "statistics")
    # Scores of each model at each SNR are for the report alone.
    compared = [one for one in figure_entries(models, snrs, snrs) if one.category == "Comparison"]
    figures = [(one, path) for one in compared if (path := _figure_file(results / "figures" / one.name))]
    for path in (*(results / "tables" / f"{one.name}.tex" for one in tables), *(path for _, path in figures)):
        target = output / path.relative_to(results)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    config_file = results / "page" / "config.json"
    config = json.loads(config_file.read_text(encoding="utf-8")) if config_file.is_file() else {}
    setup = setup_section(frame, config)
    cited = [key for keys in re.findall(r"\\cite\{([^}]+)\}", setup) for key in keys.split(",")]
    texts = {
        "main.tex": MAIN % "\n".join([*_inputs(tables), *_floats(figures)]),
        "setup.tex": setup,
        "results.tex": _results_section(frame, statistics, config),
        "references.bib": bibliography(cited),
    }
    for name, text in texts.items():
        with written_whole(output / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _inputs(tables: Sequence[Entry]) -> Iterator[str]:
    """The tables: the overview first, those of each SNR last."""
    for entry in sorted(tables, key=lambda one: (one.labels["SNR"] != "all", one.name != "overview")):
        yield rf"\input{{tables/{entry.name}}}"


def _figure_file(path: Path) -> Path | None:
    """As PDF, else as PNG, whichever report.figures asked for; None where there is neither."""
    files = (path.with_name(f"{path.name}.{ending}") for ending in ("pdf", "png"))
    return next((file for file in files if file.is_file()), None)


def _floats(figures: Sequence[tuple[Entry, Path]]) -> Iterator[str]:
    """The figures, each over as many columns as it is wide, with what a reader has to know of it in small print."""
    for entry, path in figures:
        wide = "*" * (_width(path) > COLUMN * INCH + 1)
        snr = "" if entry.labels["SNR"] == "all" else snr_title(entry.labels["SNR"])
        caption = escape_latex(", ".join(filter(None, [entry.labels["Figure"], snr])))
        yield rf"\begin{{figure{wide}}}\centering\includegraphics{{figures/{entry.name}}}%"
        yield rf"\caption{{{caption}.}}\label{{fig:{entry.name.replace('/', '-').replace('_', '-')}}}%"
        yield rf"\parbox{{\linewidth}}{{\scriptsize {escape_latex(caption_text(entry))}}}\end{{figure{wide}}}"


def _width(figure: Path) -> float:
    """In PDF's points, of its first page; of a PNG as `drawing.save` writes it."""
    content = figure.read_bytes()
    if figure.suffix == ".png":
        return int.from_bytes(content[16:20]) / DPI * INCH
    match = BOX.search(content)
    return float(match[1]) if match else 0.0


def _results_section(frame: pd.DataFrame, statistics: Statistics, config: Mapping[str, Any]) -> str:
    """What the page says of the results, as LaTeX."""
    compared = select_runs(frame, complete_variants(frame))
    ranked = set(statistics.averages["label"])
    enough_seeds = {label: enough for label, enough in has_enough_seeds(compared).items() if label in ranked}
    confidence = float(compared["confidence"].iloc[0])
    findings = Findings(
        compared, statistics.averages, statistics.comparisons, statistics.ranks["auc"], confidence, enough_seeds, config
    )
    said = " ".join([*sentences(findings), *caveats(findings)]).split("`")  # names of methods between backticks
    texts = [
        rf"\textit{{{escape_latex(model_title(text))}}}" if place % 2 else escape_latex(text)
        for place, text in enumerate(said)
    ]
    return "\\section{Results}\nTable~\\ref{tab:overview} has the means over all sections. " + "".join(texts) + "\n"
