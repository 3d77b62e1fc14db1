import re
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
from mimii.paper.table import COSTS, Cell, Table
from mimii.paper.tables import differences, machine_ids, overview, ranks, thresholds

VAE, FOREST = "Variational autoencoder", "Isolation forest"


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
    assert [[cell.text for cell in row[:2]] for row in table.rows] == [[VAE, "1.00"], [FOREST, "2.00"]]
    assert "Friedman" not in table.notes  # two models
    three = {
        metric: {**one, "friedman": {"statistic": 4.0, "p_value": 0.1353, "f_statistic": 2.5, "f_p_value": 2e-5}}
        for metric, one in results.statistics.ranks.items()
    }
    changed = replace(results, statistics=replace(results.statistics, ranks=three))
    assert "AUC 4.0, p = .14 (F 2.5, p < .001)" in ranks.make(changed).notes
    no_claim = "Nor does Friedman's test, which is of all models together, allow a claim."
    one_seed = replace(changed, frame=results.frame[results.frame["seed"] == 1])
    assert [no_claim in ranks.make(own).notes for own in (changed, one_seed)] == [False, True]


def test_differences_are_row_minus_column_and_bold_where_significant(made):
    results, written = made
    frame, found = results.frame, results.statistics
    vae, forest = (frame[frame["model"] == model]["auc"].mean() for model in ("vae", "isolation_forest"))
    rows = written["differences"].rows
    assert [cell.text for cell in rows[0]] == [f"{VAE} (1)", "–", f"{vae - forest:+.3f}"]
    assert [cell.text for cell in rows[1]] == [f"{FOREST} (2)", f"−{vae - forest:.3f}", "–"]
    assert rows[0][2].bold
    assert rows[1][1].bold
    never = replace(found, comparisons=found.comparisons.assign(p_holm=1.0))
    table = differences.make(replace(results, statistics=never))
    assert not any(cell.bold for row in table.rows for cell in row)


def test_overview_has_best_first_in_bold_and_empty_costs_empty(made):
    results, found = made
    frame = results.frame
    overview = found["overview"]
    assert [row[0].text for row in overview.rows] == [VAE, FOREST]
    assert all(cell.bold for cell in overview.rows[0][1:4])
    assert not any(cell.bold for cell in overview.rows[1])
    assert [cell.second for cell in overview.rows[1]][:5] == [False, True, True, True, False]
    parameters = [cell.text for cell in overview.header].index("Parameters")
    assert [row[parameters].text for row in overview.rows] == ["42,440", "–"]
    assert "GPU memory" not in [cell.text for cell in overview.header]  # nobody used one
    expected = frame[frame["model"] == "vae"]["auc"].mean()
    assert overview.data["auc"][0] == pytest.approx(expected)
    assert overview.rows[0][1].text.split(" ± ")[0] == f"{expected:.3f}"


def test_times_of_a_busy_machine_are_marked_where_they_stand(made):
    results, written = made
    titles = [(cell.text, cell.below) for cell in written["overview"].header]
    times = [titles.index(title) for title in (("Training", "s"), ("Training", "CPU s"), ("Inference", "ms/clip"))]
    assert not any(row[place].below for row in written["overview"].rows for place in times)
    frame = results.frame.copy()
    frame.loc[frame["model"] == "vae", "training_load"] = [0.5] * 11 + [4.0]
    table = overview.make(replace(results, frame=frame))
    assert [[row[place].below for place in times] for row in table.rows] == [["busy", "busy", ""], ["", "", ""]]
    assert "in 1 of 24 runs the machine had more work than cores" in table.notes
    study = study_table(frame, results.runs_root, "rates", [["vae", "default"]], [])
    assert [cell.below for cell in study.rows[0]].count("busy") == 2
    assert "in 1 of 12 runs" in study.notes


def test_snrs_and_machine_types_are_columns(made):
    results, found = made
    assert [cell.text for cell in found["auc"].header] == ["Model", "6 dB", "−6 dB", "Overall"]
    assert [cell.text for cell in found["pauc_machine_types_min6dB"].header] == ["Model", "Fan", "Pump", "Mean"]
    assert "±" in found["auc"].rows[0][1].text
    ids = found["machine_ids_6dB"]
    assert [(cell.text, cell.below) for cell in ids.header[1:]] == [("Fan", "00"), ("Pump", "00")]
    aucs = results.frame.set_index(["model", "db_level", "machine_type"])["auc"].loc["vae", "6dB", "fan"]
    assert (ids.rows[0][1].text, ids.rows[0][1].below) == (f"{aucs.mean():.3f}", f"± {aucs.std():.3f}")
    assert "±" in ids.notes
    one_seed = replace(results, frame=results.frame[results.frame["seed"] == results.frame["seed"].min()])
    assert "±" not in machine_ids.make(one_seed, "6dB").notes
    assert "±" in found["auc"].notes
    alone = results.statistics.averages.assign(seed_deviation=float("nan"))
    assert "±" not in replace(results, statistics=replace(results.statistics, averages=alone)).notes


def test_a_kind_of_threshold_that_no_model_has_is_left_out(made):
    results, found = made
    assert [row[1].text for row in found["thresholds"].rows] == ["Gamma fit", "Conformal"] * 2
    averages = results.statistics.averages
    unknown = averages.assign(mean=averages["mean"].mask(averages["metric"].str.startswith("conformal")))
    table = thresholds.make(replace(results, statistics=replace(results.statistics, averages=unknown)))
    assert [row[1].text for row in table.rows] == ["Gamma fit"] * 2
    assert "for which there are too few" in table.notes


def test_every_caption_is_one_line_and_every_rate_has_three_digits(made):
    for table in made[1].values():
        assert len(table.caption) < 80, table.caption
        costs = {place for place, cell in enumerate(table.header) if cell in {cost for cost, _ in COSTS.values()}}
        texts = [cell.text for row in table.rows for place, cell in enumerate(row) if place not in costs]
        rates = [text for text in texts if re.match(r"[+−]?0\.\d", text)]
        assert [rate for rate in rates if not re.fullmatch(r"[+−]?0\.\d{3}( ± 0\.\d{3})?", rate)] == [], table.name


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
        if table.name == "auc":
            assert [cell.text for cell in table.header] == ["Model", "Overall"]  # and not the same twice
        assert "SNR" not in table_formats.as_markdown(table), table.name
        assert " at  " not in table.caption + table.notes
    for name, draw in all_figures(results).items():
        if "/" not in name or name.startswith("roc"):  # of the others, one like it is enough
            texts = {text.get_text() for text in draw().findobj(lambda artist: hasattr(artist, "get_text"))}
            assert not any("SNR" in text or NO_LEVEL in text for text in texts), name
    study = study_table(frame, tmp_path, "rates", [["pca", "default"]], [])
    printed = summary(frame.drop(columns="label"))
    assert "SNR" not in study.caption + study.notes + printed
    assert NO_LEVEL not in printed


def test_nothing_is_bold_where_the_best_is_not_significantly_so(made):
    results, _ = made
    averages = results.statistics.averages.assign(is_significantly_best=False)
    nobody = replace(results, statistics=replace(results.statistics, averages=averages))
    nothing = [table for table in make_tables(nobody) if table.name != "differences"]
    assert not any(cell.bold or cell.second for table in nothing for row in table.rows for cell in row)


@pytest.mark.parametrize(("snr", "title"), [("6dB", "6 dB"), ("0dB", "0 dB"), ("min6dB", "−6 dB"), ("lab", "lab")])
def test_snr_title(snr, title):
    assert snr_title(snr) == title


def test_files_read_back(made, tmp_path):
    table_formats.write_tables(list(made[1].values()), tmp_path / "tables")
    assert len(list((tmp_path / "tables").iterdir())) == 4 * len(made[1])
    read = pd.read_csv(tmp_path / "tables" / "overview.csv")
    pd.testing.assert_frame_equal(read, made[1]["overview"].data, rtol=1e-15, check_dtype=False)


def small_table(*cells):
    return Table("t_1", "A & B, 50 %.", [Cell("Model"), Cell("AUC", "(all)")], cells, pd.DataFrame(), "Of <c>_d.")


def test_markdown():
    table = small_table([Cell("a|b"), Cell("0.9", "[0, 1]", bold=True)], [Cell("c"), Cell("0.8", second=True)])
    assert table_formats.as_markdown(table) == (
        "A & B, 50 %.\n\n| Model | AUC<br>(all) |\n|:---|---:|\n"
        "| a\\|b | **0.9**<br>[0, 1] |\n| c | <u>0.8</u> |\n\nOf <c>_d.\n"
    )


def test_html_is_one_page_with_the_same_cells():
    table = small_table([Cell("<a>"), Cell("0.9", "[0, 1]", bold=True)])
    page = ElementTree.fromstring(table_formats.as_html(table).replace('<meta charset="utf-8">', "").partition("\n")[2])
    assert ["".join(cell.itertext()) for cell in page.iter("td")] == ["<a>", "0.9[0, 1]"]
    assert [cell.text for cell in page.iter("strong")] == ["0.9"]
    assert page.find(".//caption").text == "A & B, 50 %."
    assert page.find(".//p").text == "Of <c>_d."


def test_latex_leaves_numbers_to_siunitx_and_escapes_the_rest():
    text = table_formats.as_latex(
        small_table(
            [Cell("a_b & 5 %"), Cell("0.900 ± 0.012", "[0, 1]", bold=True)],
            [Cell("c"), Cell("0.800 ± 0.001", second=True)],
            [Cell("d"), Cell("–")],
        )
    )
    assert r"{@{}l c@{}}" in text
    assert r"a\_b \& 5 \% & \bfseries \num{0.900(12)} \\[-1pt]" in text
    assert r" & {\scriptsize {[}0, 1]} \\" in text
    assert r"c & {\underline{\num{0.800(1)}}} \\" in text
    assert r"d & -- \\" in text
    plain = table_formats.as_latex(small_table([Cell("a"), Cell("0.90", bold=True)], [Cell("b"), Cell("–")]))
    assert r"{@{}l S[table-format=1.2]@{}}" in plain
    assert r"a & \bfseries 0.90 \\" in plain
    assert r"b & {--} \\" in plain
    assert text.count(r"\addlinespace[2pt]") == 3  # each row, with small print or without
    assert r"\caption{A \& B, 50 \%.}" in text
    assert r"\label{tab:t-1}" in text


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["1,234.50", "0.12"], "S[table-format=4.2]"),
        (["+0.012", "−0.100", "–"], "S[table-format=+1.3]"),
        (["0.912 ± 0.100", "0.8"], "c"),
        (["42,440"], "S[table-format=5]"),
        (["fast", "1"], "l"),
        (["–"], "c"),
    ],
)
def test_columns_of_numbers_say_their_format(texts, wanted):
    assert table_formats._column_type(texts) == wanted


def numbers_of(models):
    """A table as wide as that many models make the widest ones."""
    header = [Cell("Model"), *(Cell(f"({number})") for number in range(models))]
    rows = [
        [Cell(f"{VAE} ({number})"), *(Cell("+0.123", bold=True) for _ in range(models))] for number in range(models)
    ]
    return Table(f"wide_{models}", "Wide.", header, rows, pd.DataFrame(), "Notes " * 60)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex (texlive-latex-extra, texlive-science)")
def test_latex_compiles_within_the_columns_of_a_page(made, tmp_path):
    tables = [*made[1].values(), *(numbers_of(models) for models in (3, 8, 12, 20))]
    table_formats.write_tables(tables, tmp_path)
    inputs = "\n".join(rf"\input{{{table.name}.tex}}" for table in tables)
    (tmp_path / "main.ltx").write_text(
        r"\documentclass[twocolumn]{article}\usepackage[textwidth=516pt,columnsep=12pt]{geometry}"
        r"\usepackage{booktabs,graphicx,siunitx}\extrafloats{100}\begin{document}" + f"\n{inputs}\n" + r"\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.ltx"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert "Warning: Float too" not in done.stdout
