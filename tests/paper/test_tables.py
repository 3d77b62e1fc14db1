import shutil
import subprocess
from dataclasses import replace
from xml.etree import ElementTree

import pandas as pd
import pytest

from mimii.data.sections import NO_LEVEL, snr_title
from mimii.evaluation.compared import compute_statistics
from mimii.evaluation.resampling import select_runs
from mimii.evaluation.summary import summary
from mimii.paper import table_formats
from mimii.paper.entries import table_entries
from mimii.paper.results import Results, all_figures, make_tables
from mimii.paper.study_tables import study_table
from mimii.paper.table import Cell, Table
from mimii.paper.tables import differences, ranks


@pytest.fixture(scope="module")
def made(run_folder, tmp_path_factory):
    """(results, tables by name) of two models, one far better, the other without a count of parameters."""
    root = tmp_path_factory.mktemp("runs")
    rows = [
        run_folder(
            root, model=model, section=f"{snr}/{machine}/id_00", seed=seed, quality=quality, num_parameters=parameters
        )
        for model, quality, parameters in (("isolation_forest", 0.3, None), ("vae", 3.0, 42440))
        for snr in ("min6dB", "6dB")
        for machine in ("fan", "pump")
        for seed in (1, 2, 3)
    ]
    frame = select_runs(pd.DataFrame(rows), [["isolation_forest", "default"], ["vae", "default"]])
    results = Results(frame, compute_statistics(frame, root), root)
    return results, {table.name: table for table in make_tables(results)}


def test_all_tables_that_are_planned_are_there(made):
    assert list(made[1]) == [entry.name for entry in table_entries(["isolation_forest", "vae"], ["6dB", "min6dB"])]


def test_ranks_and_friedmans_test_stand_together(made):
    results, written = made
    table = written["ranks"]
    assert [[cell.text for cell in row[:2]] for row in table.rows] == [["vae", "1.00"], ["isolation_forest", "2.00"]]
    assert "Friedman" not in table.caption  # two models
    three = {
        metric: {**one, "friedman": {"statistic": 4.0, "p_value": 0.1353, "f_statistic": 2.5, "f_p_value": 0.12}}
        for metric, one in results.statistics.ranks.items()
    }
    changed = replace(results, statistics=replace(results.statistics, ranks=three))
    assert "AUC 4.0, p = 0.14 (F 2.5, p = 0.12)" in ranks.make(changed).caption


def test_differences_are_row_minus_column_and_bold_where_significant(made):
    results, written = made
    frame, found = results.frame, results.statistics
    vae, forest = (frame[frame["model"] == model]["auc"].mean() for model in ("vae", "isolation_forest"))
    rows = written["differences"].rows
    assert [cell.text for cell in rows[0]] == ["vae (1)", "–", f"{vae - forest:+.3f}".replace("0.", ".")]
    assert [cell.text for cell in rows[1]] == ["isolation_forest (2)", f"−{vae - forest:.3f}".replace("0.", "."), "–"]
    assert rows[0][2].bold
    assert rows[1][1].bold
    never = replace(found, comparisons=found.comparisons.assign(p_holm=1.0))
    table = differences.make(replace(results, statistics=never))
    assert not any(cell.bold for row in table.rows for cell in row)


def test_overview_has_best_first_in_bold_and_empty_costs_empty(made):
    results, found = made
    frame = results.frame
    overview = found["overview"]
    assert [row[0].text for row in overview.rows] == ["vae", "isolation_forest"]
    assert all(cell.bold for cell in overview.rows[0][1:4])
    assert not any(cell.bold for cell in overview.rows[1])
    parameters = [cell.text for cell in overview.header].index("Parameters")
    assert [row[parameters].text for row in overview.rows] == ["42,440", "–"]
    assert "GPU memory" not in [cell.text for cell in overview.header]  # nobody used one
    expected = frame[frame["model"] == "vae"]["auc"].mean()
    assert overview.data["auc"][0] == pytest.approx(expected)
    assert overview.rows[0][1].text.split(" ± ")[0] == f"{expected:.3f}"


def test_snrs_and_machine_types_are_columns(made):
    _, found = made
    assert [cell.text for cell in found["auc"].header] == ["Model", "6 dB", "−6 dB", "Overall"]
    assert [cell.text for cell in found["machine_types_min6dB"].header] == ["Model", "Fan", "Pump", "Mean"]
    assert "±" in found["auc"].rows[0][1].text


@pytest.mark.parametrize("snr", [NO_LEVEL, "dcase2020"])
def test_a_dataset_without_snrs_has_no_word_of_them(snr, run_folder, tmp_path):
    rows = [
        run_folder(tmp_path, model=model, section=f"{snr}/{machine}/id_00", seed=seed, quality=quality, epochs_run=None)
        for model, quality in (("one_class_svm", 2.0), ("pca", 1.0))
        for machine in ("fan", "pump")
        for seed in (1, 2)
    ]
    frame = select_runs(pd.DataFrame(rows), [["one_class_svm", "default"], ["pca", "default"]])
    results = Results(frame, compute_statistics(frame, tmp_path), tmp_path)
    for table in make_tables(results):
        assert "SNR" not in table_formats.as_markdown(table), table.name
        assert " at  " not in table.caption
    for name, draw in all_figures(results).items():
        if "/" not in name or name.startswith("roc"):  # of the others, one like it is enough
            texts = {text.get_text() for text in draw().findobj(lambda artist: hasattr(artist, "get_text"))}
            assert not any("SNR" in text or NO_LEVEL in text for text in texts), name
    study = study_table(frame, tmp_path, "rates", [["pca", "default"]], [])
    printed = summary(frame.drop(columns="label"))
    assert "SNR" not in study.caption + printed
    assert NO_LEVEL not in printed


def test_nothing_is_bold_where_the_best_is_not_significantly_so(made):
    results, _ = made
    averages = results.statistics.averages.assign(is_significantly_best=False)
    nobody = replace(results, statistics=replace(results.statistics, averages=averages))
    nothing = [table for table in make_tables(nobody) if table.name != "differences"]
    assert not any(cell.bold for table in nothing for row in table.rows for cell in row)


@pytest.mark.parametrize(("snr", "title"), [("6dB", "6 dB"), ("0dB", "0 dB"), ("min6dB", "−6 dB"), ("lab", "lab")])
def test_snr_title(snr, title):
    assert snr_title(snr) == title


def test_files_read_back(made, tmp_path):
    table_formats.write_tables(list(made[1].values()), tmp_path / "tables")
    assert len(list((tmp_path / "tables").iterdir())) == 4 * len(made[1])
    read = pd.read_csv(tmp_path / "tables" / "overview.csv")
    pd.testing.assert_frame_equal(read, made[1]["overview"].data, rtol=1e-15, check_dtype=False)


def test_markdown():
    table = Table(
        "t", "What.", [Cell("Model"), Cell("AUC")], [[Cell("a|b"), Cell("0.9", "[0, 1]", True)]], pd.DataFrame()
    )
    assert table_formats.as_markdown(table) == (
        "What.\n\n| Model | AUC |\n|:---|---:|\n| a\\|b | **0.9**<br>[0, 1] |\n"
    )


def test_html_is_one_page_with_the_same_cells():
    table = Table(
        "t", "A & B.", [Cell("Model"), Cell("AUC")], [[Cell("<a>"), Cell("0.9", "[0, 1]", True)]], pd.DataFrame()
    )
    page = ElementTree.fromstring(table_formats.as_html(table).replace('<meta charset="utf-8">', "").partition("\n")[2])
    assert ["".join(cell.itertext()) for cell in page.iter("td")] == ["<a>", "0.9[0, 1]"]
    assert [cell.text for cell in page.iter("strong")] == ["0.9"]
    assert page.find(".//caption").text == "A & B."


def test_latex_escapes_and_small_print():
    row = [Cell("a_b & 5 %"), Cell("0.9 ± 0.1", "[0, 1]", True)]
    text = table_formats.as_latex(Table("t_1", "50 %", [Cell("Model"), Cell("AUC")], [row], pd.DataFrame()))
    assert r"a\_b \& 5 \% & \textbf{0.9 $\pm$ 0.1} \\[-2pt]" in text
    assert r" & \scriptsize {[}0, 1] \\" in text
    assert r"\caption{50 \%}" in text
    assert r"\label{tab:t-1}" in text


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex (texlive-latex-recommended)")
def test_latex_compiles_within_the_page(made, tmp_path):
    table_formats.write_tables(list(made[1].values()), tmp_path)
    inputs = "\n".join(rf"\input{{{name}.tex}}" for name in made[1])
    (tmp_path / "main.ltx").write_text(
        r"\documentclass{article}\usepackage[margin=2cm]{geometry}\usepackage{booktabs}\begin{document}"
        + f"\n{inputs}\n"
        + r"\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.ltx"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
