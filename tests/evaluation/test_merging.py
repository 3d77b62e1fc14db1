"""One CSV of exactly the runs that are asked for, of the present settings, code and recordings."""

import csv
import json

import pandas as pd
import pytest
from made_up_runs import expectation_of, merge, run_of

from mimii.common.errors import UserError
from mimii.data.recordings import Recordings
from mimii.data.sections import Section
from mimii.evaluation.columns import read_columns
from mimii.evaluation.merge_files import metrics_csv
from mimii.evaluation.merging import merge_results
from mimii.evaluation.results import read_results
from mimii.features.file import FeaturesMetadata, FeatureWriter
from mimii.runs.records import MetricsRecord
from mimii.runs.run import Run, Variant


def rewrite(root, row, **change):
    """Another row in a run's metrics, as if the job had written it."""
    path = root / row["run_path"] / "metrics.json"
    metrics = MetricsRecord.read(path)
    MetricsRecord({**metrics.row, **change}, metrics.scores).write(path)


def test_exactly_the_expected_rows_in_their_order_and_every_digit(run_folder, tmp_path):
    rows = [run_folder(tmp_path, section=f"6dB/fan/id_0{number}") for number in (4, 0, 2)]
    run_folder(tmp_path, section="0dB/fan/id_00")  # stale: nobody asks for it
    merge(rows, tmp_path, tmp_path / "out" / "results.csv")

    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == [column.name for column in read_columns()]
    assert len(table) == 4
    frame = read_results(tmp_path / "out" / "results.csv")
    for number, row in enumerate(rows):
        for name, value in row.items():
            cell = frame.loc[number, name]
            assert pd.isna(cell) if value is None else cell == value, name
    files = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert files == ["metrics.csv", "results.csv", "results.record.json"]


def test_the_long_metrics_have_every_score_of_every_run(run_folder, tmp_path):
    rows = [run_folder(tmp_path, section=f"6dB/fan/id_0{number}") for number in (4, 0)]
    merge(rows, tmp_path, tmp_path / "results.csv")
    long = pd.read_csv(tmp_path / "metrics.csv")
    assert list(long) == ["run_path", "score", "domain", "attributes", "metric", "value", "low", "high"]
    assert list(long["score"].unique()) == ["mean", "max", "top_k"]
    of_mean = long[(long["score"] == "mean") & (long["metric"] == "auc")]
    assert of_mean["value"].to_list() == [row["auc"] for row in rows]


@pytest.mark.parametrize(
    ("name", "beside"), [("results.csv", "metrics.csv"), ("vae.csv", "vae_metrics.csv"), ("a.b.csv", "a.b_metrics.csv")]
)
def test_each_csv_has_long_metrics_of_its_own(name, beside):
    assert metrics_csv(f"x/{name}").name == beside


def test_a_csv_that_was_changed_after_the_merge_is_refused(run_folder, tmp_path):
    merge([run_folder(tmp_path)], tmp_path, tmp_path / "results.csv")
    text = (tmp_path / "results.csv").read_text()
    (tmp_path / "results.csv").write_text(text.replace("default", "defaults"))
    with pytest.raises(UserError, match="was changed after it was merged"):
        read_results(tmp_path / "results.csv")


def test_all_that_contradicts_is_listed_and_nothing_is_written(run_folder, tmp_path):
    changes = [{"seed": 7}, {"machine_id": "id_09"}, {"training_code": "old"}, {"auc": 0.5}]
    changes += [{"scoring_code": "old", "metrics_code": "old"}, {"metrics_code": "old"}, {"top_k": 3}]
    rows = [run_folder(tmp_path, section=f"6dB/fan/id_0{number}") for number in range(len(changes))]
    rows.append(run_folder(tmp_path, section="6dB/valve/id_00"))
    runs = [run_of(row) for row in rows]
    for row, change in zip(rows, changes, strict=False):
        rewrite(tmp_path, row, **change)
    runs[-1].settings["learning_rate"] = 0.5
    runs[-1].features["n_mels"] = 128
    missing = Run(Variant("vae", "default", {}, {}, "default"), 42, Section("6dB", "pump", "id_00"))
    runs.insert(-1, missing)
    with pytest.raises(UserError) as raised:
        merge_results(runs, tmp_path, tmp_path / "results.csv", expectation_of(rows, tmp_path))
    message = str(raised.value)
    assert message.startswith("8 of 9 runs")
    for part in (
        "fan/id_00: seed is 7, the path says 42",
        "fan/id_01: machine_id is 'id_09'",
        "fan/id_02: training was done by other code than the present one",
        "fan/id_04: scoring was done by other code than the present one",
        "fan/id_05: metrics was done by other code than the present one",
        "fan/id_06: top_k is 3, the configuration says 10",
        "pump/id_00: metrics.json is missing",
        "learning_rate = 0.001, the configuration says 0.5",
        "n_mels = 64, the configuration says 128",
    ):
        assert part in message
    due = message.rpartition("add this to your snakemake command: --forcerun ")[2].split()
    first = dict(zip((0, 1, 2, 4, 5, 6, 7, 8), due, strict=True))
    for number, record in ((2, "training"), (4, "scoring"), (5, "metrics"), (6, "scoring"), (8, "training")):
        assert first[number] == f"{tmp_path / runs[number].path}/{record}.json"
    assert "fan/id_03" not in message
    assert not (tmp_path / "results.csv").exists()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"row": {}, "scores": []}'])
def test_broken_record_is_listed(run_folder, tmp_path, text):
    row = run_folder(tmp_path)
    (tmp_path / row["run_path"] / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=r"metrics.json: damaged"):
        merge([row], tmp_path, tmp_path / "results.csv")


def test_metrics_that_were_edited_are_refused(run_folder, tmp_path):
    row = run_folder(tmp_path)
    path = tmp_path / row["run_path"] / "metrics.json"
    path.write_text(path.read_text().replace('"eval_files": 60', '"eval_files": 61'))
    with pytest.raises(UserError, match="edited"):
        merge([row], tmp_path, tmp_path / "results.csv")


def test_empty_auc_never_enters(run_folder, tmp_path):
    row = run_folder(tmp_path)
    rewrite(tmp_path, row, auc=None)
    with pytest.raises(UserError, match="auc is empty"):
        merge([row], tmp_path, tmp_path / "results.csv")


def test_runs_of_other_recordings_are_refused(run_folder, tmp_path):
    row = run_folder(tmp_path)
    expected = expectation_of([row], tmp_path)
    expected.listings[row["run_path"].partition("seed=42/")[2]] = "replaced"
    with pytest.raises(UserError, match=r"other recordings of 6dB/fan/id_00.*check_dataset --content"):
        merge_results([run_of(row)], tmp_path, tmp_path / "results.csv", expected)


def test_runs_of_other_features_than_those_that_are_there_are_refused(run_folder, tmp_path):
    row = run_folder(tmp_path)
    file = tmp_path / "features" / "default" / "6dB" / "fan" / "id_00.parquet"
    file.parent.mkdir(parents=True)
    for content, refused in (("content", False), ("restored", True)):
        with FeatureWriter(file, FeaturesMetadata("6dB/fan/id_00", {}, recordings=Recordings("listed", content))):
            pass
        output = tmp_path / content / "results.csv"
        if refused:
            with pytest.raises(UserError, match="trained on other features"):
                merge([row], tmp_path, output)
        else:
            merge([row], tmp_path, output)


def test_one_section_has_one_content_in_a_csv(run_folder, tmp_path):
    rows = [
        run_folder(tmp_path, variant=name, recordings={"6dB/fan/id_00": {"listed": "listed", "content": name}})
        for name in ("one", "two")
    ]
    with pytest.raises(UserError, match="recordings of 6dB/fan/id_00 had another content"):
        merge(rows, tmp_path, tmp_path / "results.csv")


def test_networks_of_different_numbers_of_threads_are_not_merged(run_folder, tmp_path):
    rows = [run_folder(tmp_path, section=f"6dB/fan/id_0{number}", threads=number) for number in (1, 2)]
    with pytest.raises(UserError, match="different numbers of threads"):
        merge(rows, tmp_path, tmp_path / "results.csv")


@pytest.mark.parametrize("trained", [["6dB/fan/id_00"], ["6dB/fan/id_00", "6dB/fan/id_02", "6dB/fan/id_04"]])
def test_a_model_of_several_sections_was_trained_on_exactly_those(run_folder, tmp_path, trained):
    both = ["6dB/fan/id_00", "6dB/fan/id_02"]
    settings = {"val_split": 0.1, "train_per": "machine_type"}
    row = run_folder(
        tmp_path, settings=settings, recordings={one: {"listed": "listed", "content": one} for one in trained}
    )
    expected = expectation_of([row], tmp_path)
    expected.listings.clear()
    expected.listings.update(dict.fromkeys(both, "listed"))
    with pytest.raises(UserError, match="trained on other sections than the present ones"):
        merge_results([run_of(row)], tmp_path, tmp_path / "results.csv", expected)
    recordings = {one: {"listed": "listed", "content": one} for one in both}
    row = run_folder(tmp_path, settings=settings, recordings=recordings)
    assert set(json.loads(row["recordings"])) == set(both)
    merge_results([run_of(row)], tmp_path, tmp_path / "results.csv", expected)
