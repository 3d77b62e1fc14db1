"""The start of a paper: a folder that LaTeX compiles, with tables, figures, the experimental setup and references."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.data.sections import snr_order, snr_title
from mimii.evaluation.results import read_results
from mimii.paper.drawing import COLUMN
from mimii.paper.entries import Entry, figure_entries, table_entries
from mimii.paper.references import bibliography
from mimii.paper.setup_section import setup_section
from mimii.paper.table_formats import escape_latex

MAIN = r"""\documentclass[10pt,twocolumn]{article}
\usepackage[a4paper,textwidth=7.16in,textheight=9.6in,columnsep=0.16in]{geometry}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage{siunitx}
\extrafloats{200}
\setlength{\belowcaptionskip}{4pt}
\setlength{\emergencystretch}{3em}
\title{Anomalous sound detection: results}
\author{}
\begin{document}
\maketitle
\input{setup}
\section{Results}
%s
\clearpage
\bibliographystyle{plain}
\bibliography{references}
\end{document}
"""
INCHES = 72  # PDF's points
BOX = re.compile(rb"/MediaBox \[ ?0 0 ([\d.]+) ")


def write_manuscript(results: Path, output: Path) -> None:
    """Write main.tex, setup.tex, references.bib, tables/ and figures/ into `output`, made of a folder of results.

    Raises UserError where the results hold no tables, or where `output` holds anything.
    """
    frame = read_results(results / "results.csv")
    models, snrs = list(frame["model"].unique()), sorted(frame["db_level"].unique(), key=snr_order)
    # Of what there may be, what is there.
    tables = [one for one in table_entries(models, snrs, snrs) if (results / "tables" / f"{one.name}.tex").is_file()]
    if not tables:
        raise UserError(f"{results}: holds no tables/*.tex; set report.tables in the configuration and run it again")
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise UserError(f"{output}: is not empty or no folder, and nothing is overwritten; give another one")
    # Scores of each model at each SNR are for the report alone.
    compared = [one for one in figure_entries(models, snrs, snrs) if one.category == "Comparison"]
    figures = [one for one in compared if (results / "figures" / f"{one.name}.pdf").is_file()]
    for kind, chosen, ending in (("tables", tables, "tex"), ("figures", figures, "pdf")):
        for entry in chosen:
            target = output / kind / f"{entry.name}.{ending}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(results / kind / target.relative_to(output / kind), target)
    config = results / "page" / "config.json"
    setup = setup_section(frame, json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {})
    cited = [key for keys in re.findall(r"\\cite\{([^}]+)\}", setup) for key in keys.split(",")]
    written = {
        "main.tex": MAIN % "\n".join([*_inputs(tables), *_floats(figures, output / "figures")]),
        "setup.tex": setup,
        "references.bib": bibliography(cited),
    }
    for name, text in written.items():
        with written_whole(output / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _inputs(tables: Sequence[Entry]) -> Iterator[str]:
    """The tables: the overview first, those of each SNR last."""
    for entry in sorted(tables, key=lambda one: (one.labels["SNR"] != "all", one.name != "overview")):
        yield rf"\input{{tables/{entry.name}}}"


def _floats(figures: Sequence[Entry], folder: Path) -> Iterator[str]:
    """The figures, each over as many columns as it is wide."""
    for entry in figures:
        wide = "*" * (_width(folder / f"{entry.name}.pdf") > COLUMN * INCHES + 1)
        snr = entry.labels["SNR"]
        caption = escape_latex(entry.labels["Figure"] + ("" if snr == "all" else f", {snr_title(snr)}"))
        yield rf"\begin{{figure{wide}}}\centering\includegraphics{{figures/{entry.name}}}%"
        yield rf"\caption{{{caption}.}}\end{{figure{wide}}}"


def _width(pdf: Path) -> float:
    """In PDF's points, of its first page."""
    match = BOX.search(pdf.read_bytes())
    return float(match[1]) if match else 0.0
