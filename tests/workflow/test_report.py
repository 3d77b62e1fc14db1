"""The report, and a method from elsewhere in it."""

import csv
import json
import subprocess
import zipfile
from pathlib import Path

import pytest
import warm_python
import yaml
from browser import visit_report
from devtools import opened_browser
from workspace import REPOSITORY, TINY

from mimii.paper.entries import figure_entries, table_entries
from mimii.planning.plan import Plan

MODELS = list(TINY["models"])
FIGURES = [entry.name for entry in figure_entries(MODELS, ["6dB"])]
CLIPS = [f"clips/simple_ae/6dB/{machine}/id_00" for machine in ("fan", "valve")]


def test_one_csv_asks_for_no_figures(workspace):
    workspace.configure({**TINY, "report": {}})
    made = {"make_statistics", "make_tables", "make_figures", "draw_clips", "gather_clips", "make_page"}
    assert made <= {rule for rule, _ in workspace.planned()}
    assert not made & {rule for rule, _ in workspace.planned("results/results.csv")}


def test_the_demo_s_figures_are_all_there_are():
    config = yaml.safe_load(Path(REPOSITORY, "config", "demo.yaml").read_text())
    clips = config["report"]["clips"]
    wanted = {f"{model}/{section}" for model in clips["models"] for section in clips["sections"]}
    assert set(Plan(config).clip_figures()) == wanted


@pytest.mark.slow
def test_every_table_and_figure_is_written(finished_report):
    results = finished_report.folder / "results"
    for entry in table_entries(MODELS, ["6dB"]):
        for ending in ("csv", "md", "tex", "html"):
            assert (results / "tables" / f"{entry.name}.{ending}").stat().st_size > 50
    for name in [*FIGURES, *CLIPS]:
        for ending in ("png", "svg", "pdf"):
            assert (results / "figures" / f"{name}.{ending}").stat().st_size > 1000
    assert finished_report.planned() == set()


@pytest.mark.slow
def test_the_report_opens_in_a_browser_and_shows_everything(finished_report, tmp_path):
    report = tmp_path / "report.html"
    finished_report.snakemake("--report", str(report))
    shown = visit_report(report, tmp_path / "browser")
    assert shown["faults"] == []
    assert set(shown["pictures"]) == {f"results/figures/{name}.png" for name in [*FIGURES, *CLIPS]}
    assert all(width >= 1000 for width in shown["pictures"].values())
    kinds = {"Tables": "page", "Comparison": "image", "Scores of clips": "image", "Clips": "image"}
    assert {one["category"] for one in shown["seen"]} == set(kinds)
    assert all(one["kind"] == kinds[one["category"]] for one in shown["seen"])
    assert all(entry["caption"] and entry["labels"] for entry in shown["entries"])
    labels = [entry["labels"] for entry in shown["entries"]]
    assert {"Model": "simple_ae", "Machine": "valve", "ID": "id_00", "SNR": "6dB"} in labels
    assert {"Model": "deep_ae", "SNR": "6dB"} in labels


@pytest.mark.slow
def test_the_launcher_ends_with_the_report_s_path(kept_report):
    command = [warm_python.executable(), "-m", "mimii", "run", "--cores", "2", "--report"]
    done = subprocess.run(
        command, cwd=kept_report.folder, env=kept_report.environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    report, page = (line.split() for line in done.stdout.splitlines()[-2:])
    assert report == ["Report:", "results/report.html"]
    assert page == ["Page:", "results/page.html"]
    assert (kept_report.folder / "results" / "report.html").stat().st_size > 1_000_000
    assert not list((kept_report.folder / "results").glob(".report*"))


@pytest.mark.slow
def test_the_page_plays_the_clips_that_the_model_heard(finished_report, tmp_path):
    page = finished_report.folder / "results" / "page.html"
    with opened_browser(tmp_path / "browser") as tab:
        tab.open(page.as_uri())
        assert "The recordings are made up" in tab.do("document.body.innerText")
        tab.show("section/0/0")
        clips = tab.do("document.querySelectorAll('.clip').length")
        assert clips == 6  # all test clips of the section: they are fewer than 2 of each kind
        assert tab.do("document.querySelectorAll('.clip canvas').length") == 2 * clips
        assert tab.do(
            "new Promise(done => { const audio = document.querySelector('audio'); audio.onplaying = () => "
            "done(audio.duration); audio.play(); })"
        ) == pytest.approx(1.5, abs=0.1)
        assert tab.faults == []
        assert tab.requests == [page.as_uri()]


@pytest.mark.slow
def test_the_report_may_be_a_zip(finished_report, tmp_path):
    finished_report.snakemake("--report", str(tmp_path / "report.zip"))
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        names = archive.namelist()
    assert len([name for name in names if name.endswith(".png")]) == len([*FIGURES, *CLIPS])
    assert any(name.endswith("report.html") for name in names)


def write_scores(folder, *, reverse=False):
    """A perfect method's scores of the tiny benchmark's test clips."""
    for machine in ("fan", "valve"):
        (folder / "6dB" / machine).mkdir(parents=True)
        with (folder / "6dB" / machine / "id_00.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "score"])
            for label in ("normal", "abnormal"):
                for number in range(3):
                    score = number + 10 * (label == "abnormal")
                    writer.writerow([f"{label}/{number:08d}.wav", -score if reverse else score])


@pytest.mark.slow
def test_a_method_from_elsewhere_is_in_results_and_tables(kept):
    write_scores(kept.folder / "theirs")
    kept.configure({**TINY, "external_scores": {"my_method": "theirs"}, "report": {"tables": True, "figures": []}})
    assert {rule for rule, _ in kept.planned("results/results.csv")} == {
        *("import_scores", "compute_external_metrics", "merge_results"),
    }
    assert ("merge_model", "results/models/my_method.csv") in kept.planned("results/models/my_method.csv")
    kept.snakemake()
    with (kept.folder / "results" / "results.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == "my_method"]
    assert [(row["variant"], row["auc"], row["seed"], row["training_time_sec"]) for row in rows] == 2 * [
        ("external", "1.0", "", "")
    ]
    assert "| my_method | " in (kept.folder / "results" / "tables" / "overview.md").read_text()
    ranks = json.loads((kept.folder / "results" / "statistics" / "ranks.json").read_text())
    assert "my_method" in ranks["auc"]["average_ranks"]
    # One file changed: its section alone.
    changed = kept.folder / "theirs" / "6dB" / "fan" / "id_00.csv"
    changed.write_text(changed.read_text().replace(",0\n", ",0.5\n").replace(",0\r\n", ",0.5\r\n"))
    assert ("import_scores", "results/runs/my_method/external/6dB/fan/id_00") in kept.planned()
    assert ("import_scores", "results/runs/my_method/external/6dB/valve/id_00") not in kept.planned()


def test_a_method_without_scores_of_a_section_is_refused_before_any_job(workspace):
    write_scores(workspace.folder / "theirs")
    (workspace.folder / "theirs" / "6dB" / "valve" / "id_00.csv").unlink()
    workspace.configure({**TINY, "external_scores": {"my_method": "theirs"}})
    done = workspace.snakemake(check=False)
    printed = done.stdout + done.stderr
    assert done.returncode != 0
    assert "theirs/6dB/valve/id_00.csv, .parquet or anomaly_score_valve_id_00_test.csv is needed" in printed
    assert "Traceback" not in printed
