"""A run's row is computed from files that belong together, and from no others."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from mimii.common.errors import UserError
from mimii.common.fingerprints import metrics_code
from mimii.common.records import sha256_of
from mimii.evaluation.columns import check_rows
from mimii.evaluation.kinds import clips_of_kinds
from mimii.evaluation.row import compute_metrics
from mimii.runs.records import MetricsRecord, ScoringRecord, TrainingRecord

ENDS = ("", "_low", "_high")
SETTINGS = {"bootstrap_samples": 200, "confidence": 0.95, "max_fpr": 0.1, "threshold_quantile": 0.9}


def rewrite(paths, change):
    """Other scores, as if the job had written them: its record describes them."""
    table = change(pq.read_table(paths[0]).to_pandas())
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), paths[0])
    record = ScoringRecord.read(paths[2])
    ScoringRecord.parse({**record.plain(), "scores_sha256": sha256_of(paths[0])}).write(paths[2])


def test_row_has_every_column_and_the_right_values(run_files):
    paths = run_files()
    row = compute_metrics(*paths, SETTINGS, code="metrics-code").row
    check_rows([row])
    table = pq.read_table(paths[0]).to_pandas()
    test = table[table["split"] == "test"]
    assert row["auc"] == pytest.approx(roc_auc_score(test["label"] == "abnormal", test["mean"]))
    assert row["auc_low"] < row["auc"] < row["auc_high"]
    assert row["pr_auc_low"] < row["pr_auc"] < row["pr_auc_high"]
    assert row["run_path"] == "vae/default/seed=42/6dB/fan/id_00"
    assert (row["eval_files"], row["normal_test_clips"], row["abnormal_test_clips"]) == (60, 30, 30)
    above = test["mean"] > row["threshold"]
    assert row["tpr"] == above[test["label"] == "abnormal"].mean()
    assert row["fpr"] == above[test["label"] == "normal"].mean()
    assert row["memory_usage_mb"] is None
    assert row["peak_host_memory_mb"] == 500.0  # the larger of 400 and 500
    assert row["memory_above_imports_mb"] == 250.0  # the larger of 400 - 150 and 500 - 300
    assert (row["training_cpu_sec"], row["scoring_cpu_sec"]) == (12.0, 0.4)
    assert (row["features_cpu_sec"], row["features_cpu_per_clip_ms"]) == (1.5, 1.25)
    assert (row["training_load"], row["scoring_load"]) == (0.9, 1.0)


def test_every_score_has_its_metrics_and_the_primary_one_is_the_row_s(run_files):
    record = compute_metrics(*run_files(), SETTINGS)
    auc = {metric.score: metric for metric in record.scores if metric.metric == "auc"}
    assert list(auc) == ["mean", "max", "top_k"]
    assert len({metric.value for metric in auc.values()}) == 3
    mean = auc["mean"]
    assert (mean.value, mean.low, mean.high) == tuple(record.row[name] for name in ("auc", "auc_low", "auc_high"))


@pytest.mark.parametrize(("year", "parts"), [(2020, 0), (2021, 4), (2024, 2)])
def test_a_dcase_run_has_its_official_score_and_the_parts_of_each_domain(run_files, year, parts):
    paths = run_files(section=f"dcase{year}/fan/section_00", domains=True)
    record = compute_metrics(*paths, SETTINGS)
    assert record.row == compute_metrics(*paths, SETTINGS).row
    mine = {(one.domain, one.metric): one for one in record.scores if one.score == "mean"}
    score = mine[None, "official_score"]
    assert score.low < score.value < score.high
    of_domains = [one.value for (domain, _), one in mine.items() if domain]
    assert len(of_domains) == parts
    of_all = [mine[None, name].value for name in {2020: ["auc", "pauc"], 2021: []}.get(year, ["pauc"])]
    values = [*of_domains, *of_all]
    wanted = np.mean(values) if year == 2020 else len(values) / np.sum(1 / np.array(values))
    assert score.value == pytest.approx(wanted)
    columns = {"official_score": score, "auc_source": mine.get(("source", "auc"))}
    for name, metric in columns.items():
        for end, attribute in (("", "value"), ("_low", "low"), ("_high", "high")):
            assert record.row[f"{name}{end}"] == getattr(metric, attribute, None)
    assert (record.row["auc_source"] is None) == (year == 2020)


def test_other_data_with_domains_are_scored_as_dcase_has_it_since_2022(run_files):
    own, dcase = (
        compute_metrics(*run_files(section=section, domains=True), SETTINGS)
        for section in ("+/fan/id_00", "dcase2022/fan/id_00")
    )
    for record in (own, dcase):
        row = record.row
        parts = [row["auc_source"], row["auc_target"], row["pauc"]]
        assert row["official_score"] == pytest.approx(len(parts) / np.sum(1 / np.array(parts)))
        check_rows([{**row, "metrics_code": "x"}])


def test_other_data_and_clips_without_domains_have_no_official_score(run_files):
    for section in ("6dB/fan/id_00", "dcase2024/fan/section_00"):
        record = compute_metrics(*run_files(section=section), SETTINGS)
        assert not [one for one in record.scores if one.domain or one.metric == "official_score"]
        row = record.row
        assert {row[f"{name}{end}"] for name in ("auc_source", "auc_target", "official_score") for end in ENDS} == {
            None
        }


def test_a_domain_without_a_class_leaves_its_own_values_empty_alone(run_files):
    paths = run_files(section="dcase2024/fan/section_00", domains=True)
    rewrite(paths, lambda table: table.assign(domain=table["domain"].where(table["label"] == "abnormal", "source")))
    record = compute_metrics(*paths, SETTINGS)
    assert (record.row["auc_target"], record.row["official_score"]) == (None, None)
    assert 0 < record.row["auc_source_low"] < record.row["auc_source"] < record.row["auc_source_high"]
    assert {one.domain for one in record.scores} == {None, "source"}


def test_residual_columns_are_empty_without_such_a_score_and_filled_with_one(run_files):
    paths = run_files()
    assert compute_metrics(*paths, SETTINGS).row["auc_residual"] is None
    rewrite(paths, lambda table: table.assign(residual=table["max"]))
    record = compute_metrics(*paths, SETTINGS)
    (of_max,) = [metric for metric in record.scores if (metric.score, metric.metric) == ("max", "auc")]
    assert record.row["auc_residual"] == of_max.value
    check_rows([{**record.row, "metrics_code": "x"}])


def test_test_labels_do_not_move_the_threshold(run_files):
    paths = run_files()
    before = compute_metrics(*paths, SETTINGS).row

    def relabel(table):
        test = table["split"] == "test"
        table.loc[test, "label"] = table.loc[test, "label"].to_numpy()[::-1]
        return table

    rewrite(paths, relabel)
    after = compute_metrics(*paths, SETTINGS).row
    assert after["auc"] != before["auc"]
    assert after["threshold"] == before["threshold"]


def test_classical_model_without_validation_clips(run_files):
    paths = run_files(
        settings={"frames": 5, "hop_frames": 1, "val_split": 0.0, "trees": 200},
        validation_clips=0,
        training_loss=None,
        validation_loss=None,
        epochs_run=None,
        kept_epoch=None,
        num_parameters=None,
    )
    row = compute_metrics(*paths, SETTINGS, code="metrics-code").row
    check_rows([row])
    for name in ("epochs", "batch_size", "learning_rate", "threshold", "threshold_method", "tpr", "fpr"):
        assert row[name] is None


def test_model_that_reads_whole_clips_has_no_window(run_files):
    paths = run_files(settings={"frames": None, "hop_frames": None, "val_split": 0.1})
    row = compute_metrics(*paths, SETTINGS, code="metrics-code").row
    check_rows([row])
    assert row["frames"] is None
    assert row["hop_frames"] is None


@pytest.mark.parametrize("value", [np.nan, np.inf, None])
def test_score_that_is_no_number_names_the_run_and_the_clip(run_files, value):
    paths = run_files()

    def spoil(table):
        table["mean"] = table["mean"].astype(object)
        table.loc[3, "mean"] = value
        return table.astype({"mean": "float64"})

    rewrite(paths, spoil)
    with pytest.raises(UserError, match=r"vae/default/seed=42/6dB/fan/id_00.*1 of .* clips.*wav"):
        compute_metrics(*paths, SETTINGS)


def test_one_class_only_is_refused(run_files):
    paths = run_files(test_abnormal_clips=0)
    rewrite(paths, lambda table: table[table["label"] == "normal"])
    with pytest.raises(UserError, match="no abnormal test clip"):
        compute_metrics(*paths, SETTINGS)


def exchanged(table):
    return table.assign(label=table["label"].to_numpy()[::-1])


@pytest.mark.parametrize(
    "change",
    [exchanged, lambda table: table[5:], lambda table: pd.concat([table, table[-3:]])],
    ids=["labels exchanged", "rows removed", "rows doubled"],
)
def test_scores_that_were_changed_since_they_were_written_are_refused(run_files, change):
    paths = run_files()
    table = pq.read_table(paths[0]).to_pandas()
    pq.write_table(pa.Table.from_pandas(change(table), preserve_index=False), paths[0])
    with pytest.raises(UserError, match=r"scores.parquet: damaged .*checksum"):
        compute_metrics(*paths, SETTINGS)


@pytest.mark.parametrize(
    "change", [lambda table: table[25:], lambda table: pd.concat([table, table[-3:]])], ids=["fewer", "more"]
)
def test_scores_of_other_clips_than_the_trained_section_s_are_refused(run_files, change):
    paths = run_files()
    rewrite(paths, change)
    with pytest.raises(UserError, match=r"scores.parquet: damaged .*test clips, and the section has 60"):
        compute_metrics(*paths, SETTINGS)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_sha256": "7" * 64}, "another model scored"),
        ({"recordings": {"listed": "listed", "content": "other"}}, "other recordings were scored"),
    ],
)
def test_records_of_two_runs_are_refused(run_files, changes, says):
    paths = run_files()
    record = ScoringRecord.read(paths[2])
    ScoringRecord.parse({**record.plain(), **changes}).write(paths[2])
    with pytest.raises(UserError, match=says):
        compute_metrics(*paths, SETTINGS)


def test_a_record_that_was_edited_is_refused(run_files):
    paths = run_files()
    paths[1].write_text(paths[1].read_text().replace('"seed": 42', '"seed": 43'))
    with pytest.raises(UserError, match=r"training.json: damaged .*edited"):
        compute_metrics(*paths, SETTINGS)


def test_command_writes_the_row_or_says_what_is_wrong(run_files, tmp_path, project_root):
    code = metrics_code()

    def command(scores, training, scoring):
        return [
            *(sys.executable, str(project_root / "scripts" / "compute_metrics.py")),
            *("--scores", str(scores), "--training", str(training), "--scoring", str(scoring)),
            *(
                "--job",
                json.dumps({"metrics": SETTINGS, "code": code}),
                "--output",
                str(tmp_path / "metrics.json"),
            ),
        ]

    paths = run_files()
    subprocess.run(command(*paths), check=True)
    assert MetricsRecord.read(tmp_path / "metrics.json") == compute_metrics(*paths, SETTINGS, code=code)

    paths[1].write_text("{}")
    broken = subprocess.run(command(*paths), capture_output=True, text=True, check=False)
    assert broken.returncode == 1
    assert broken.stderr.startswith("error: ")
    assert len(broken.stderr.splitlines()) == 1


def test_memory_above_the_imports_is_never_negative(run_files):
    """The kernel counts pages in batches, so the peak of a small job may come out below what it was before."""
    paths = run_files()
    for path, kind in zip(paths[1:], (TrainingRecord, ScoringRecord), strict=True):
        record = kind.read(path)
        replace(record, imports_memory_mb=record.peak_host_memory_mb + 0.2).write(path)
    row = compute_metrics(*paths, SETTINGS, code="metrics-code").row
    check_rows([row])
    assert row["memory_above_imports_mb"] == 0


def test_each_kind_of_fault_has_its_auc_against_all_normal_clips(run_files):
    paths = run_files()

    def name_faults(table):
        table["attributes"] = [
            "" if label == "normal" else ("leakage", "late")[number % 2] for number, label in enumerate(table["label"])
        ]
        return table

    assert not [one for one in compute_metrics(*paths, SETTINGS).scores if one.attributes]
    rewrite(paths, name_faults)
    record = compute_metrics(*paths, SETTINGS)
    test = pq.read_table(paths[0]).to_pandas().query("split == 'test'")
    for kind in ("late", "leakage"):
        (one,) = (one for one in record.scores if (one.score, one.attributes) == ("mean", kind))
        clips = test[(test["label"] == "normal") | (test["attributes"] == kind)]
        assert one.metric == "auc"
        assert one.value == pytest.approx(roc_auc_score(clips["label"] == "abnormal", clips["mean"]))
        assert one.low < one.value < one.high
    assert record.row["auc"] == next(
        one.value for one in record.scores if (one.score, one.metric, one.attributes) == ("mean", "auc", None)
    )


def test_attributes_of_single_clips_are_no_kinds():
    abnormal = np.arange(80) >= 40
    names = np.array([f"serial={number}" for number in range(80)])
    assert clips_of_kinds(abnormal, names) == {}
    assert set(clips_of_kinds(abnormal, np.where(np.arange(80) < 70, "a", ""))) == {"a"}
