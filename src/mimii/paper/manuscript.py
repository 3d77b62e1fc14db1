"""The start of a paper: a folder that LaTeX compiles, with tables, figures, the experimental setup and references."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.detectors.declaration import model_declaration, model_names
from mimii.evaluation.results import read_results
from mimii.paper.table_formats import escape_latex

MAIN = r"""\documentclass{article}
\usepackage[a4paper,margin=2cm]{geometry}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\usepackage{graphicx}
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
# Beside the models: what the data and the statistics are from.
GENERAL = {
    "bootstrap": "Efron and Tibshirani, An Introduction to the Bootstrap, Chapman and Hall 1993",
    "holm": "Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 1979",
    "demsar": "Demšar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7, 2006",
}


def write_manuscript(results: Path, output: Path) -> None:
    """Write main.tex, setup.tex, references.bib, tables/ and figures/ into `output`, made of a folder of results.

    Raises UserError where the results hold no tables, or where `output` holds anything.
    """
    frame = read_results(results / "results.csv")
    tables = sorted((results / "tables").glob("*.tex"))
    if not tables:
        raise UserError(f"{results}: holds no tables/*.tex; set report.tables in the configuration and run it again")
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise UserError(f"{output}: is not empty or no folder, and nothing is overwritten; give another one")
    figures = sorted((results / "figures").glob("*.pdf"))
    for kind, files in (("tables", tables), ("figures", figures)):
        (output / kind).mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, output / kind / file.name)
    written = {
        "main.tex": MAIN % "\n".join(_floats(tables, figures)),
        "setup.tex": setup_section(frame),
        "references.bib": references(list(frame["model"].unique())),
    }
    for name, text in written.items():
        with written_whole(output / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _floats(tables: Sequence[Path], figures: Sequence[Path]) -> Iterator[str]:
    for table in tables:
        yield rf"\input{{tables/{table.stem}}}"
    for figure in figures:
        caption = escape_latex(figure.stem.replace("_", " ").replace("auc", "AUC").replace("snr", "SNR").capitalize())
        yield rf"\begin{{figure}}\centering\includegraphics{{figures/{figure.stem}}}"
        yield rf"\caption{{{caption}.}}\end{{figure}}"


def setup_section(frame: pd.DataFrame) -> str:
    """Data, split, features, models with their settings, seeds, statistics, versions and hardware, as LaTeX."""
    first = frame.iloc[0]
    sections = frame[["db_level", "machine_type", "machine_id"]].drop_duplicates()
    seeds = sorted(frame["seed"].dropna().unique())
    features = ", ".join(f"{name} {_text(value)}" for name, value in json.loads(first["features"]).items())
    sentences = [
        f"The data are {len(sections)} sections of {frame['machine_type'].nunique()} machine type(s). "
        "A model is trained on normal clips alone.",
        f"Features: {features}.",
        f"Seeds: {', '.join(map(str, seeds)) or 'none'}.",
        f"Intervals: {100 * first['confidence']:g} % bootstrap ({first['bootstrap_samples']}) over clips and seeds",
    ]
    text = " ".join(map(escape_latex, sentences)) + r"~\cite{bootstrap}; "
    text += r"pairs are corrected by Holm's procedure~\cite{holm}, ranks tested as in~\cite{demsar}." + "\n\n"
    runs = frame.drop_duplicates(["model", "variant"])
    for row in runs.to_dict("records"):
        text += _model(row) + "\n\n"
    if machines := sorted(set(frame["host"].dropna())):
        text += escape_latex(f"Trained on {', '.join(machines)} ({', '.join(sorted(set(frame['device'].dropna())))}). ")
    versions = json.loads(first["versions"]) if isinstance(first["versions"], str) else {}
    text += escape_latex(f"Versions: {', '.join(f'{name} {version}' for name, version in versions.items())}.")
    return "\\section{Experimental setup}\n" + text + "\n"


def _model(row: dict[Any, Any]) -> str:
    name = row["model"]
    title, cited = name, ""
    if name in model_names():
        title, cited = model_declaration(name).title, rf"~\cite{{{name}}}"
    settings = ", ".join(f"{key} {_text(value)}" for key, value in json.loads(row["settings"]).items())
    variant = "" if row["variant"] == "default" else f" ({row['variant']})"
    return rf"\textbf{{{escape_latex(title + variant)}}}{cited}: {escape_latex(settings or 'no settings')}."


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def references(models: Sequence[str]) -> str:
    """BibTeX of the models' declared papers, under the models' names, and of the statistics."""
    papers = {name: model_declaration(name).paper for name in models if name in model_names()}
    return "\n".join(_entry(key, paper) for key, paper in {**papers, **GENERAL}.items() if paper)


def _entry(key: str, paper: str) -> str:
    """The declared text as it is: authors, title and venue are one sentence there."""
    return f"@misc{{{key},\n  key = {{{key}}},\n  note = {{{escape_latex(paper)}}}\n}}\n"
