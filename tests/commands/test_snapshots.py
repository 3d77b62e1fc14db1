"""Results saved under a name are compared, paired, and put on a page; nothing is replaced, nothing damaged is used."""

import csv
import json
import zipfile

import pytest

from mimii.commands import snapshots
from mimii.commands.main import main
from mimii.commands.snapshots import results_named, save_snapshot
from mimii.common.errors import UserError
from mimii.evaluation.columns import read_columns
from mimii.evaluation.comparison import compare_results
from mimii.paper.page.readers import read_any
from mimii.planning.plan import Plan

SECTIONS = ["6dB/fan/id_00", "min6dB/fan/id_00"]


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Of a workflow in a folder of its own."""
    monkeypatch.setattr(snapshots, "REPOSITORY", tmp_path / "workflow")
    return Plan({"dataset": {"source": "made_up", "root": str(tmp_path / "dataset")}, "models": {"vae": {}}})


@pytest.fixture
def write_results(plan, tmp_path, run_folder):
    """Makes the results that the workflow has now."""

    def write(quality):
        results = tmp_path / "workflow" / "results"
        rows = [run_folder(results / "runs", "pca", section, quality=quality) for section in SECTIONS]
        with (results / "results.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, [column.name for column in read_columns()])
            writer.writeheader()
            writer.writerows(rows)
        (results / "page").mkdir(exist_ok=True)
        (results / "page" / "config.json").write_text(json.dumps({"seeds": [42]}))

    return write


def test_a_snapshot_is_compared_with_what_came_after_it(plan, write_results, capsys, monkeypatch):
    write_results(1.5)
    file = save_snapshot(plan, "before")
    assert file.name == "before.zip"
    write_results(0.2)
    monkeypatch.setattr("mimii.commands.main._plan_now", lambda configfile: plan)
    with pytest.raises(SystemExit) as ended:
        main(["compare", "before", "now", "--model", "pca"])
    assert ended.value.code == 1  # it got worse
    printed = capsys.readouterr().out
    with results_named("before", lambda: plan) as old, results_named("now", lambda: plan) as new:
        overall = compare_results(old[0], new[0], old_runs=old[1], new_runs=new[1]).overall.iloc[0]
    assert bool(overall["paired"])
    assert overall["low"] < overall["difference"] < overall["high"] < 0
    (line,) = (line for line in printed.splitlines() if line.startswith("pca  "))
    assert line.split()[1:] == [
        f"{overall['old']:.3f}",
        f"{overall['new']:.3f}",
        f"{overall['difference']:+.3f}",
        f"{overall['low']:+.3f}",
        "to",
        f"{overall['high']:+.3f}",
        f"{overall['p_value']:.2g}",
        "worse",
    ]


def test_a_snapshot_compared_with_itself_has_no_difference(plan, write_results):
    write_results(1.5)
    save_snapshot(plan, "before")
    with results_named("before", lambda: plan) as old, results_named("now", lambda: plan) as new:
        overall = compare_results(old[0], new[0], old_runs=old[1], new_runs=new[1]).overall.iloc[0]
    assert (overall["difference"], overall["p_value"], overall["verdict"]) == (0.0, 1.0, "within noise")


def test_now_without_results_says_how_to_name_the_configuration(plan):
    with (
        pytest.raises(UserError, match=r"now: there is no results/results.csv; .*--configfile"),
        results_named("now", lambda: plan),
    ):
        pass


def test_a_snapshot_is_read_for_a_page(plan, write_results, tmp_path):
    write_results(1.5)
    results = read_any(save_snapshot(plan, "before"), tmp_path)
    assert (results.name, len(results.frame), results.config) == ("before", len(SECTIONS), {"seeds": [42]})
    assert snapshots.snapshot_or_path("before") == tmp_path / "workflow" / "snapshots" / "before.zip"


def test_no_snapshot_is_replaced(plan, write_results):
    write_results(1.5)
    file = save_snapshot(plan, "before")
    kept = file.read_bytes()
    write_results(0.2)
    with pytest.raises(UserError, match=r"before\.zip is there already; choose another name"):
        save_snapshot(plan, "before")
    assert file.read_bytes() == kept


@pytest.mark.parametrize(
    "name",
    ["", "now", ".", "..", "../out", "a/b", "/tmp/x", "-x", ".hidden", "a..b", "x.zip", "x.csv", 101 * "x"],
)
def test_a_name_is_a_safe_file_name(plan, write_results, name):
    write_results(1.5)
    with pytest.raises(UserError, match="cannot be a snapshot's name"):
        save_snapshot(plan, name)
    assert not snapshots.snapshots().exists()


def test_what_is_not_there_is_said(plan, write_results):
    with pytest.raises(UserError, match="there are no results yet"):
        save_snapshot(plan, "before")
    write_results(1.5)
    save_snapshot(plan, "before")
    for name, says in (("befor", "did you mean 'before'"), ("other/folder", "cannot be read")):
        with pytest.raises(UserError, match=says), results_named(name, lambda: plan) as old:
            compare_results(old[0], old[0])


def test_results_that_were_scored_again_since_are_not_saved(plan, write_results, tmp_path):
    write_results(1.5)
    scores = sorted((tmp_path / "workflow").rglob("scores.parquet"))
    scores[0].write_bytes(scores[1].read_bytes())
    with pytest.raises(UserError, match="scored again since"):
        save_snapshot(plan, "before")
    scores[0].unlink()
    with pytest.raises(UserError, match="1 runs have no scores"):
        save_snapshot(plan, "before")


@pytest.mark.parametrize("member", ["results.csv", "runs/pca/default/seed=42/6dB/fan/id_00/scores.parquet"])
def test_a_changed_snapshot_is_refused(plan, write_results, tmp_path, member):
    write_results(1.5)
    file = save_snapshot(plan, "before")
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] += b"\n"
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match=f"{member} is not as it was saved"), results_named("before", lambda: plan):
        pass
    with pytest.raises(UserError, match="is not as it was saved"):
        read_any(file, tmp_path)
