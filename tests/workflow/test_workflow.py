"""The workflow as a person uses it: targets, one CSV, the same numbers again, clear refusals."""

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml
from workspace import REPOSITORY, TINY, Workspace, blocks

from mimii.evaluation.columns import read_columns

RUN = "results/runs/simple_ae/epochs=2/seed=42/6dB/fan/id_00"


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_csv_has_a_row_for_each_model_and_section(finished):
    rows = rows_of(finished.folder / "results" / "results.csv")
    assert {(row["model"], row["machine_type"]) for row in rows} == {
        (model, machine) for model in TINY["models"] for machine in ("fan", "valve")
    }
    assert list(rows[0]) == [column.name for column in read_columns()]
    assert all(0 <= float(row["auc"]) <= 1 for row in rows)
    assert {row["train_files"] for row in rows} == {"10"}
    assert {row["eval_files"] for row in rows} == {"6"}


def test_a_second_start_runs_nothing(finished):
    assert finished.planned() == set()


def test_every_job_leaves_a_log_and_its_costs_beside_its_output(finished):
    for job in ("train_model", "score_clips", "compute_metrics"):
        assert (finished.folder / RUN / f"{job}.log").exists()
        assert (finished.folder / RUN / f"{job}.benchmark.tsv").exists()


def test_nothing_temporary_is_left(finished):
    assert not list(finished.folder.glob("**/*.tmp"))


def test_scores_hold_the_test_clips_and_the_held_out_ones_only(finished):
    pq = pytest.importorskip("pyarrow.parquet")
    scores = pq.read_table(finished.folder / RUN / "scores.parquet").to_pylist()
    features = pq.read_table(
        finished.folder / "results/features/default/6dB/fan/id_00.parquet", columns=["path", "split"]
    ).to_pylist()
    test = {row["path"] for row in features if row["split"] == "test"}
    assert {row["path"] for row in scores if row["split"] == "test"} == test
    assert len([row for row in scores if row["split"] == "validation"]) == 2
    assert not {row["path"] for row in scores if row["split"] == "validation"} & test


def test_the_same_seed_gives_the_same_scores_whatever_the_cores(finished, tmp_path):
    again = Workspace(tmp_path)
    again.configure(TINY)
    scores = [
        f"{RUN}/scores.parquet",
        RUN.replace("simple_ae/epochs=2", "isolation_forest/trees=10") + "/scores.parquet",
    ]
    again.snakemake("--cores", "1", *scores, python=sys.executable)
    for path in scores:
        assert (again.folder / path).read_bytes() == (finished.folder / path).read_bytes()


def test_a_typed_path_needs_no_configuration(kept):
    target = "results/runs/simple_ae/epochs=2,latent=4/seed=7/6dB/fan/id_00/metrics.json"
    kept.snakemake(target)
    row = json.loads((kept.folder / target).read_text())["row"]
    assert (row["seed"], json.loads(row["settings"])["latent"]) == (7, 4)


def test_one_model_s_csv_is_a_target(kept):
    done = kept.snakemake("results/models/isolation_forest.csv")
    # Said once, by the process that plans, not by those of its jobs.
    assert (done.stdout + done.stderr).count("With 1 seed, tables make no claim about simple_ae, deep_ae") == 1
    assert {row["model"] for row in rows_of(kept.folder / "results/models/isolation_forest.csv")} == {
        "isolation_forest"
    }


def test_an_ensemble_s_csv_is_a_target_as_a_model_s_is(kept):
    kept.configure({**TINY, "ensembles": {"both": {"members": ["simple_ae", "isolation_forest"], "how": "rank"}}})
    kept.snakemake("results/models/both.csv")
    rows = rows_of(kept.folder / "results/models/both.csv")
    assert [(row["model"], row["machine_type"]) for row in rows] == [("both", "fan"), ("both", "valve")]


def test_a_study_has_its_own_csv_and_its_runs_are_in_the_whole(kept):
    kept.configure({**TINY, "studies": {"latents": {"model": "simple_ae", "vary": {"latent": [16, 2]}}}})
    assert ("merge_study", "results/studies/latents.csv") in kept.planned("results/studies/latents.csv")
    kept.snakemake("results/studies/latents.csv", "results/results.csv")
    variants = [row["variant"] for row in rows_of(kept.folder / "results/studies/latents.csv")]
    assert list(dict.fromkeys(variants)) == ["epochs=2,latent=16", "epochs=2,latent=2"]
    assert len(rows_of(kept.folder / "results/results.csv")) == 6 + 4


TUTORIAL = ["masked_ae", "median_distance", "band_classifier"]


def write_models(workspace, page):
    """The files that a page shows."""
    for block in blocks(page, "yaml") + blocks(page, "python"):
        file = workspace.folder / block.splitlines()[0].removeprefix("# ")
        assert file.parent == workspace.folder / "src/mimii/models"
        assert not file.exists()
        file.write_text(block)


def test_the_page_on_adding_a_model_can_be_followed(kept):
    page = (REPOSITORY / "docs/adding_a_model.md").read_text()
    write_models(kept, page)
    models = TUTORIAL
    kept.configure({**TINY, "models": {**TINY["models"], **{model: {} for model in models}}})
    commands = "".join(blocks(page, "bash")).splitlines()
    for model, line in zip(models, commands, strict=True):
        command, *arguments = shlex.split(line)
        assert command == "snakemake"
        kept.snakemake(*arguments)
        assert {row["model"] for row in rows_of(kept.folder / f"results/models/{model}.csv")} == {model}
    assert not {what for rule, what in kept.planned("results/results.csv") if "runs/" in what}


@pytest.mark.slow
def test_the_models_of_the_page_on_adding_a_model_keep_the_contract(workspace):
    """By the command that the page has for the first of them, of all three; a selection of nothing would fail, too."""
    page = (REPOSITORY / "docs/adding_a_model.md").read_text()
    write_models(workspace, page)
    (line,) = re.findall(r"^pytest .*$", page, re.MULTILINE)
    (*command, first) = shlex.split(line)
    assert first == TUTORIAL[0]
    for model in TUTORIAL:
        done = subprocess.run(
            [sys.executable, "-m", *command, model],
            cwd=REPOSITORY,
            env=workspace.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


def refused(workspace, *arguments):
    """What is printed by a start that is refused before any job."""
    done = workspace.snakemake(*arguments, check=False)
    printed = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in printed
    assert "Finished jobid" not in printed
    return printed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"models": {"vea": {}}}, "unknown model 'vea'; did you mean 'vae'"),
        ({"settings": {"epochs": -1}}, "settings.epochs: -1 is less than the minimum of 0"),
        ({"dataset": {"root": "nowhere"}}, "there is no folder 'nowhere'"),
        ({"dataset": {"root": "."}}, "no recordings in '.'"),
        ({"dataset": {**TINY["dataset"], "made_up": {"normal_clips": 12, "abnormal_clips": 5}}}, "at least 10"),
    ],
)
def test_what_cannot_work_is_refused_before_any_job(workspace, change, says):
    workspace.configure({**TINY, **change})
    assert says in refused(workspace)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (RUN.replace("epochs=2", "epoch=2") + "/metrics.json", "did you mean 'epochs'"),
        (RUN.replace("epochs=2", "epochs=-1") + "/metrics.json", "less than the minimum"),
        ("results/models/vea.csv", "vea"),
    ],
)
def test_a_target_that_cannot_be_is_refused(workspace, target, says):
    assert says in refused(workspace, target)


def test_too_few_real_clips_are_said_for_each_section_before_any_job(workspace, real_clips):
    workspace.configure({**TINY, "dataset": {"root": str(real_clips / "mimii")}})
    printed = refused(workspace)
    sections = [path for path in (real_clips / "mimii").glob("*/*/*") if path.is_dir()]
    for section in sections:
        assert f"section {section.relative_to(real_clips / 'mimii')}" in printed


@pytest.mark.slow
def test_all_models_run_on_real_recordings(workspace, real_clips):
    config = yaml.safe_load((workspace.folder / "config" / "config.yaml").read_text())
    shipped = yaml.safe_load((Workspace.shipped() / "config.yaml").read_text())
    shutil.copytree(real_clips / "dcase2020" / "pump", workspace.folder / "clips" / "6dB" / "pump")
    workspace.configure(
        {**config, "dataset": {"root": "clips"}, "models": shipped["models"], "settings": {"epochs": 2}}
    )
    workspace.snakemake()
    rows = rows_of(workspace.folder / "results" / "results.csv")
    assert [row["model"] for row in rows] == list(shipped["models"])
    assert all(row["auc"] for row in rows)
