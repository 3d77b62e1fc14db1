"""DCASE task 2 from archives to a table with the official score, by the configuration that is shipped for it."""

import csv
import hashlib
import json
import subprocess
import sys

import pytest
import yaml
from dcase_layout import lay_out, packed, small_dcase, wav
from in_process import compute, tabulate
from mirror import serving
from small_benchmark import working_in
from workspace import QUICK, Workspace

from mimii.data.dcase_years import Year, years
from mimii.data.sections import AVERAGE


def shipped():
    return yaml.safe_load((Workspace.shipped() / "dcase.yaml").read_text())


def configured(root, year, *, models=None, studies=None, features=None, **dcase):
    """config/dcase.yaml with year and root filled in, and less to compute."""
    config = shipped()
    config["dataset"]["root"] = str(root)
    config["dataset"]["dcase"] |= {"year": year, **dcase}
    config |= {"models": models or {"mahalanobis": {}}, "seeds": [42], "studies": studies or {}, "metrics": QUICK}
    config["features"] = features or {}
    config["report"] = {"figures": [], "tables": True, "page": False}
    return config


def run(workspace, config):
    (workspace.folder / "my_dcase.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "mimii", "run", "--configfile", "my_dcase.yaml", "--cores", "2"]
    done = subprocess.run(
        command, cwd=workspace.folder, env=workspace.environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr


def official_scores(folder, year):
    """{(machine type, ID, metric): value} of the table's CSV."""
    with (folder / f"results/tables/official_score_dcase{year}.csv").open(newline="") as file:
        return {
            (row["machine_type"], row["machine_id"], row["metric"]): float(row["value"]) for row in csv.DictReader(file)
        }


def recording(seed, channels):
    return wav(seed, channels, samples=8000)


@pytest.mark.parametrize("year", years())
def test_development_data_in_archives_come_to_a_table_with_the_official_score(tmp_path, year):
    machines = Year(year).types("development")[:2]
    lay_out(tmp_path / "data", small_dcase(year, machines, content=recording)[0], "zipped")
    with working_in(tmp_path):
        tabulate(compute(configured(tmp_path / "data", year, download=False)))
    scores = official_scores(tmp_path, year)
    id = Year(year).ids("development", machines[0])[0]
    for key in [(AVERAGE, AVERAGE), *((machine, name) for machine in machines for name in (AVERAGE, id))]:
        assert 0 < scores[*key, "official_score"] < 1
    if year == 2020:
        parts = [(scores[machine, id, "auc"] + scores[machine, id, "pauc"]) / 2 for machine in machines]
        assert scores[AVERAGE, AVERAGE, "official_score"] == pytest.approx(sum(parts) / 2)


@pytest.mark.slow
def test_the_workflow_takes_archives_as_they_were_published(tmp_path):
    """Of the year whose test clips lie in a folder for each domain."""
    machine = Year(2021).types("development")[0]
    workspace = Workspace(tmp_path)
    lay_out(tmp_path / "data", small_dcase(2021, [machine], content=recording)[0], "zipped")
    run(workspace, configured("data", 2021, download=False))
    assert 0 < official_scores(tmp_path, 2021)[machine, AVERAGE, "official_score"] < 1


def test_defaults_are_chosen_on_development_types_and_reported_on_evaluation_types(tmp_path):
    """The first-shot setting, by the study of config/dcase.yaml and what its comment says to do after it."""
    root = tmp_path / "data"
    for part, machines in (("development", ["fan", "slider"]), ("evaluation", ["Scanner", "HairDryer"])):
        archives, labels = small_dcase(2024, machines, part=part, content=recording)
        lay_out(root, archives, "zipped")
    (root / "eval_data_list_2024.csv").write_text(labels)
    study = shipped()["studies"]["first_shot"]
    models = {study["model"]: {}}
    with working_in(tmp_path):
        compute(configured(root, 2024, download=False, studies={"first_shot": study}, models=models))
    table = (tmp_path / "results/studies/first_shot.md").read_text()
    assert "Official score" in table
    with (tmp_path / "results/studies/first_shot.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["machine_type"] for row in rows} == {"fan", "slider"}
    (name,) = study["vary"]
    assert {int(row[name]) for row in rows} == set(study["vary"][name])
    chosen = study["vary"][name][-1]
    reported = configured(root, 2024, models=models, features={name: chosen}, download=False, data="evaluation")
    with working_in(tmp_path):
        tabulate(compute(reported))
    assert {machine for machine, _, _ in official_scores(tmp_path, 2024)} == {AVERAGE, "Scanner", "HairDryer"}
    with (tmp_path / "results/results.csv").open(newline="") as file:
        assert {int(row[name]) for row in csv.DictReader(file)} == {chosen}


@pytest.mark.slow
def test_evaluation_data_are_downloaded_and_scored_by_the_published_labels(tmp_path):
    archives, labels = small_dcase(2024, ["3DPrinter"], part="evaluation", content=recording)
    files = {}
    for archive in Year(2024).archives("evaluation", "3DPrinter"):
        content = packed(archives[archive.name])
        files[f"{archive.record}/{archive.name}"] = content
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        listed = [{"key": archive.name, "size": len(content), "checksum": f"md5:{md5}"}]
        files[f"api/{archive.record}"] = json.dumps({"files": listed}).encode()
    workspace = Workspace(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/eval_data_list_2024.csv").write_text(labels)
    with serving(files) as mirror, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        host = mirror.address.removesuffix("/{archive}")
        addresses = {"address": f"{host}/{{record}}/{{archive}}", "listing": f"{host}/api/{{record}}"}
        config = configured("data", 2024, data="evaluation", keep_archives=False, **addresses)
        config["dataset"]["machines"] = ["3DPrinter"]
        mirror.drops = 1
        run(workspace, config)
        assert sorted(set(mirror.names())) == sorted(files)
    assert not list((tmp_path / "data").glob("*.zip"))
    assert 0 < official_scores(tmp_path, 2024)["3DPrinter", "section_00", "official_score"] < 1
