"""The folder that a paper starts from."""

import csv
import json
import re
import shutil
import subprocess

import pandas as pd
import pytest

from mimii.common.errors import UserError
from mimii.detectors.declaration import model_declaration, model_names
from mimii.evaluation.columns import read_columns
from mimii.evaluation.compared import compute_statistics
from mimii.evaluation.resampling import select_runs
from mimii.paper import setup_section
from mimii.paper.drawing import save
from mimii.paper.manuscript import write_manuscript
from mimii.paper.references import IDENTIFIER, bibliography, entries, fields, papers_of
from mimii.paper.results import Results, all_figures, make_tables
from mimii.paper.table_formats import write_tables


@pytest.fixture(scope="module")
def manuscript(run_folder, tmp_path_factory):
    """(folder of results, what is written of them)."""
    folder = tmp_path_factory.mktemp("paper") / "results"
    rows = [
        run_folder(folder / "runs", model=model, section=f"6dB/{machine}/id_00", quality=quality)
        for model, quality in (("vae", 2.0), ("pca", 1.0))
        for machine in ("fan", "pump")
    ]
    with (folder / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [column.name for column in read_columns()])
        writer.writeheader()
        writer.writerows(rows)
    frame = select_runs(pd.DataFrame(rows), [["vae", "default"], ["pca", "default"]])
    results = Results(frame, compute_statistics(frame, folder / "runs"), folder / "runs")
    results.statistics.write(folder / "statistics")
    write_tables(make_tables(results), folder / "tables")
    figures = all_figures(results)
    for name, endings in (("auc_over_snr", ["pdf", "png"]), ("critical_difference/nemenyi", ["png"])):
        save(figures[name](), folder / "figures" / name, endings=endings)
    write_manuscript(folder, folder.parent / "paper")
    return folder, folder.parent / "paper"


def test_all_tables_and_figures_are_in_it_and_everything_cited_is_listed(manuscript):
    folder, paper = manuscript
    main, setup, bib = ((paper / name).read_text() for name in ("main.tex", "setup.tex", "references.bib"))
    for table in (folder / "tables").glob("*.tex"):
        assert rf"\input{{tables/{table.stem}}}" in main
        assert (paper / "tables" / table.name).read_bytes() == table.read_bytes()
    assert r"\includegraphics{figures/auc_over_snr}" in main
    assert {path.name for path in (paper / "figures").rglob("*.p*")} == {"auc_over_snr.pdf", "nemenyi.png"}
    assert (
        r"\begin{figure*}\centering\includegraphics{figures/critical_difference/nemenyi}" in main
    )  # over both columns
    assert r"\caption{AUC of each model.}\label{fig:auc-over-snr}" in main
    assert "dotted: chance" in main  # what a reader has to know of the figure
    cited = {key for keys in re.findall(r"\\cite\{([^}]+)\}", setup) for key in keys.split(",")}
    assert cited == set(re.findall(r"@\w+\{(\w+),", bib))
    assert {"kingma2014vae", "jackson1979residuals", "holm1979multiple"} <= cited
    assert model_declaration("vae").title in setup


def test_what_may_be_said_of_the_results_is_in_it_with_titles_of_models(manuscript):
    text = (manuscript[1] / "results.tex").read_text()
    assert rf"On these clips \textit{{{model_declaration('vae').title}}} scored higher than" in text
    assert "2 machines are too few to say whether the order holds" in text
    assert "`" not in text


def test_the_setup_says_data_features_models_seeds_tests_and_versions(manuscript):
    setup = " ".join((manuscript[1] / "setup.tex").read_text().split())
    for part in (
        "2 sections: 1 of each of fan and pump at SNRs of 6 dB",
        "180 in all",
        "60 normal and 60 abnormal",
        "64 bands",
        "(42,440 parameters): batch size 256, epochs 50",
        "trained with 1 seed (42)",
        r"95\,\% bootstrap intervals",
        "python 3.11.0",
    ):
        assert part in setup, part
    assert "early stopping patience" not in setup  # it is not set
    assert "node1" not in setup  # a host's name is nobody's business


def test_every_declared_paper_has_an_entry_with_proper_fields():
    for model in model_names():
        declared = model_declaration(model).paper
        assert papers_of(model) != [model], f"{model}: its paper has no entry in references.bib"
        found = {key: fields(key) for key in papers_of(model)}
        identifiers = IDENTIFIER.findall(declared)
        known = " ".join(f"{own.get('doi', '')} {own.get('url', '')}" for own in found.values())
        assert [one for one in identifiers if one not in known] == [], model
        for own in found.values():
            assert own["author"].split(",")[0].replace('{\\"o}', "ö") in declared or "et al." in declared
            assert own["year"] in declared or f"arXiv:{own['year'][2:]}" in declared
    for key in entries():
        own = fields(key)
        assert {"author", "title", "year"} <= set(own), key
        assert {"booktitle", "journal", "howpublished", "publisher"} & set(own), key
        assert {"doi", "url"} & set(own) or int(own["year"]) < 1940, key


def test_a_model_without_an_entry_cites_what_it_declares_and_external_scores_nothing(monkeypatch):
    assert papers_of("my_method") == []
    monkeypatch.setattr("mimii.paper.references.entries", dict)
    assert papers_of("vae") == ["vae"]
    assert "Kingma and Welling" in bibliography(["vae"])


def test_nothing_is_overwritten_and_results_without_tables_are_said(manuscript, tmp_path):
    folder, paper = manuscript
    with pytest.raises(UserError, match="is not empty or no folder"):
        write_manuscript(folder, paper)
    shutil.copy(folder / "results.csv", tmp_path)
    with pytest.raises(UserError, match=r"holds no tables/\*\.tex"):
        write_manuscript(tmp_path, tmp_path / "paper")
    shutil.copytree(folder, tmp_path / "older")
    (tmp_path / "older" / "statistics" / "ranks.json").unlink()
    with pytest.raises(UserError, match=r"older/statistics: cannot be read .*; run the workflow again"):
        write_manuscript(tmp_path / "older", tmp_path / "paper")
    assert not (tmp_path / "paper").exists()


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("pdflatex") and shutil.which("pdffonts")),
    reason="needs pdflatex with siunitx (texlive-latex-extra, texlive-science) and pdffonts (poppler-utils)",
)
def test_it_compiles_and_no_reference_is_undefined(manuscript, tmp_path):
    shutil.copytree(manuscript[1], tmp_path / "paper")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main"]
    for step in (command, ["bibtex", "main"], command, command):
        done = subprocess.run(step, cwd=tmp_path / "paper", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
    assert "undefined" not in done.stdout
    assert not re.search(r"Overfull|LaTeX Warning|Package \w+ Warning", done.stdout)
    fonts = subprocess.run(["pdffonts", "main.pdf"], cwd=tmp_path / "paper", capture_output=True, text=True, check=True)
    assert {line.split()[-5] for line in fonts.stdout.splitlines()[2:]} == {"yes"}


def test_embeddings_are_described_as_such_and_ensembles_by_their_members():
    settings = {"extractor": "audio_transformer", "channel": 0, "checkpoint": "ast-3f0c1b2a4d5e6f70", "layer": None}
    row = {"model": "knn", "variant": "x", "features": json.dumps({**settings, "frame_seconds": 0.5, "bands": "mean"})}
    (sentence,) = setup_section.features(pd.DataFrame([row]))
    assert "embeddings of ast-3f0c1b2a4d5e6f70, the last layer, mean over 0.5 s" in sentence
    ensemble = {"how": "rank", "members": ["knn/default", "pca/components=8"]}
    row = {
        "model": "both",
        "variant": "ensemble=knn+pca-components=8,how=rank",
        "features": "{}",
        "settings": json.dumps(ensemble),
    }
    (sentence,) = setup_section.models(pd.DataFrame([row]))
    assert sentence == r"\textit{both}: mean of the ranks of the scores of knn, pca/components=8."
