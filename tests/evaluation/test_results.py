import csv
import json
from dataclasses import dataclass, field

import pandas as pd
import pytest

from mimii.common.errors import UserError
from mimii.data.sections import snr_order
from mimii.evaluation.columns import read_columns
from mimii.evaluation.results import average, merge_results, read_results
from mimii.evaluation.summary import summary

PRESENT = {
    model: {
        "training_code": "training-code",
        "scoring_code": "scoring-code",
        "metrics_code": "metrics-code",
        "pooling": "mean",
        "top_k": 10,
    }
    for model in ("vae", "isolation_forest")
}


@dataclass
class ExpectedRun:
    path: str
    settings: dict = field(default_factory=dict)
    features: dict = field(default_factory=dict)


def expected(row):
    return ExpectedRun(row["run_path"], json.loads(row["settings"]), json.loads(row["features"]))


def test_exactly_the_expected_rows_in_their_order_and_every_digit(run_folder, tmp_path):
    rows = [run_folder(tmp_path, section=f"6dB/fan/id_0{number}") for number in (4, 0, 2)]
    run_folder(tmp_path, section="0dB/fan/id_00")  # stale: nobody asks for it
    merge_results([expected(row) for row in rows], tmp_path, tmp_path / "out" / "results.csv", PRESENT)

    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == [column.name for column in read_columns()]
    assert len(table) == 4
    frame = read_results(tmp_path / "out" / "results.csv")
    for number, row in enumerate(rows):
        for name, value in row.items():
            cell = frame.loc[number, name]
            assert pd.isna(cell) if value is None else cell == value, name
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["results.csv"]


def test_all_that_contradicts_is_listed_and_nothing_is_written(run_folder, tmp_path):
    runs = []
    changes = [{"seed": 7}, {"machine_id": "id_09"}, {"training_code": "old"}, {"auc": 0.5}]
    changes += [{"scoring_code": "old", "metrics_code": "old"}, {"metrics_code": "old"}, {"pooling": "max"}]
    for number, change in enumerate(changes):
        row = run_folder(tmp_path, section=f"6dB/fan/id_0{number}")
        runs.append(expected(row))
        (tmp_path / row["run_path"] / "metrics.json").write_text(json.dumps({**row, **change}))
    runs.append(ExpectedRun("vae/default/seed=42/6dB/pump/id_00"))
    other = run_folder(tmp_path, section="6dB/valve/id_00")
    runs.append(expected(other))
    runs[-1].settings["learning_rate"] = 0.5
    runs[-1].features["n_mels"] = 128
    with pytest.raises(UserError) as raised:
        merge_results(runs, tmp_path, tmp_path / "results.csv", PRESENT)
    message = str(raised.value)
    assert message.startswith("8 of 9 runs")
    for part in (
        "fan/id_00: seed is 7, the path says 42",
        "fan/id_01: machine_id is 'id_09'",
        "fan/id_02: training was done by other code than the present one",
        "fan/id_04: scoring was done by other code than the present one",
        "fan/id_05: metrics was done by other code than the present one",
        "fan/id_06: pooling is 'max', the configuration says 'mean'",
        "pump/id_00: metrics.json is missing",
        "learning_rate = 0.001, the configuration says 0.5",
        "n_mels = 64, the configuration says 128",
    ):
        assert part in message
    again = message.rpartition("add this to your snakemake command: --forcerun ")[2].split()
    first = dict(zip((0, 1, 2, 4, 5, 6, 7, 8), again, strict=True))
    for number, record in ((2, "training"), (4, "scoring"), (5, "metrics"), (6, "metrics"), (8, "training")):
        assert first[number] == f"{tmp_path / runs[number].path}/{record}.json"
    assert "fan/id_03" not in message
    assert not (tmp_path / "results.csv").exists()


def test_broken_record_is_listed(run_folder, tmp_path):
    row = run_folder(tmp_path)
    (tmp_path / row["run_path"] / "metrics.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        merge_results([expected(row)], tmp_path, tmp_path / "results.csv", PRESENT)


def test_empty_auc_never_enters(run_folder, tmp_path):
    row = run_folder(tmp_path)
    (tmp_path / row["run_path"] / "metrics.json").write_text(json.dumps({**row, "auc": None}))
    with pytest.raises(UserError, match="auc is empty"):
        merge_results([expected(row)], tmp_path, tmp_path / "results.csv", PRESENT)


def table_of(cells):
    columns = ["model", "variant", "db_level", "machine_type", "machine_id", "seed", "auc"]
    return pd.DataFrame([(*cell[:-1], float(cell[-1])) for cell in cells], columns=columns)


def test_average_is_over_seeds_then_ids_then_machine_types():
    frame = table_of(
        [
            ("a", "default", "6dB", "fan", "id_00", 1, 0.9),
            ("a", "default", "6dB", "fan", "id_00", 2, 0.7),
            ("a", "default", "6dB", "fan", "id_02", 1, 0.6),  # 0.7 = mean of 0.8 and 0.6
            ("a", "default", "6dB", "pump", "id_00", 1, 0.5),  # 0.6 = mean of 0.7 and 0.5
            ("a", "default", "0dB", "fan", "id_00", 1, 0.4),
        ]
    )
    assert average(frame, ["auc"], ["model", "variant", "db_level"])["auc"].to_dict() == pytest.approx(
        {("a", "default", "6dB"): 0.6, ("a", "default", "0dB"): 0.4}
    )
    assert average(frame, ["auc"])["auc"].to_dict() == pytest.approx({("a", "default"): 0.5})
    # Every row once: nothing to average.
    keys = ["model", "variant", "db_level", "machine_type", "machine_id", "seed"]
    assert sorted(average(frame, ["auc"], keys)["auc"]) == sorted(frame["auc"])


def test_missing_value_is_not_averaged_away():
    frame = table_of(
        [("a", "default", "6dB", "fan", "id_00", 1, 0.9), ("a", "default", "6dB", "fan", "id_02", 1, "nan")]
    )
    assert average(frame, ["auc"])["auc"].isna().all()


def test_snrs_from_easy_to_hard():
    names = ["min6dB", "0dB", "odd", "6dB", "-12_dB"]
    assert sorted(names, key=snr_order) == ["6dB", "0dB", "min6dB", "-12_dB", "odd"]


def test_summary_shows_each_model_once_best_first(run_folder, tmp_path):
    rows = [
        run_folder(tmp_path, model=model, section=f"{snr}/fan/id_00", quality=quality, num_parameters=parameters)
        for model, quality, parameters in (("isolation_forest", 0.5, None), ("vae", 3.0, 42440))
        for snr in ("min6dB", "6dB")
    ]
    merge_results([expected(row) for row in rows], tmp_path, tmp_path / "results.csv", PRESENT)
    lines = summary(read_results(tmp_path / "results.csv")).splitlines()
    assert lines[0].split()[:2] == ["6dB", "min6dB"]
    assert lines[1].split()[:4] == ["model", "AUC", "PR-AUC", "pAUC"]
    assert [line.split()[0] for line in lines[3:]] == ["vae", "isolation_forest"]
    assert f"{rows[3]['auc']:.3f}" == lines[3].split()[1]
    assert lines[3].endswith("42,440")
    assert len(lines[4].split()) == len(lines[3].split()) - 1  # no number of parameters: empty
