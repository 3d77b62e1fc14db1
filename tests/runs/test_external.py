"""Scores of other code: exactly the test clips enter, and everything else is said."""

import csv
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mimii.common.errors import UserError
from mimii.data.sections import Section
from mimii.evaluation.columns import check_rows
from mimii.evaluation.merging import Expectation, merge_results
from mimii.evaluation.results import read_results
from mimii.evaluation.row import compute_metrics
from mimii.evaluation.summary import direction_hints, summary
from mimii.features.file import ClipTable, FeaturesMetadata
from mimii.planning.config import read_config
from mimii.planning.job_parameters import listed_runs
from mimii.planning.plan import Plan
from mimii.runs.clip_scores import read_clip_scores
from mimii.runs.external import import_scores, match_scores, read_rows

SECTION = "6dB/fan/id_00"
METRICS = {
    "bootstrap_samples": 100,
    "confidence": 0.95,
    "max_fpr": 0.1,
    "threshold_quantile": 0.9,
}


def clips(*, broken=()):
    """Two training clips, three normal and three abnormal test clips."""
    names = [f"{SECTION}/normal/{number:08d}.wav" for number in (3, 4, 0, 1, 2)]
    names += [f"{SECTION}/abnormal/{number:08d}.wav" for number in range(3)]
    return ClipTable(
        paths=names,
        labels=["normal"] * 5 + ["abnormal"] * 3,
        splits=["train"] * 2 + ["test"] * 6,
        domains=[None] * 8,
        attributes=[""] * 8,
        frames=[10] * 8,
        errors=["broken" if name in broken else None for name in names],
        metadata=FeaturesMetadata(SECTION, {}),
    )


TESTED = clips().paths[2:]


def write(folder, rows, ending="csv"):
    path = folder / f"scores.{ending}"
    if ending == "csv":
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "score"])
            writer.writerows(rows)
    else:
        pq.write_table(pa.table({"path": [row[0] for row in rows], "score": [row[1] for row in rows]}), path)
    return path


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Imports rows and returns the row of the results that comes of them."""

    def run(rows, *, name="my_method", table=None, ending="csv", root=tmp_path / "runs"):
        monkeypatch.setattr("mimii.runs.external.read_table", lambda features: table or clips())
        folder = root / name / "external" / SECTION
        files = [folder / file for file in ("scores.parquet", "training.json", "scoring.json")]
        import_scores(
            [write(tmp_path, rows, ending)],
            tmp_path / "features.parquet",
            {"name": name, "section": SECTION, "recordings": ""},
            scores_file=files[0],
            training_file=files[1],
            scoring_file=files[2],
        )
        record = compute_metrics(*files, METRICS, code="metrics-code")
        record.write(folder / "metrics.json")
        return dict(record.row)

    return run


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_scores_become_a_row_whose_costs_are_empty(imported, ending):
    row = imported([(path, float("abnormal" in path)) for path in TESTED], ending=ending)
    check_rows([row])
    assert (row["auc"], row["model"], row["variant"], row["seed"]) == (1.0, "my_method", "external", None)
    assert row["eval_files"] == 6
    assert row["run_path"] == f"my_method/external/{SECTION}"
    for cost in ("training_time_sec", "inference_time_ms", "num_parameters", "model_size_mb", "peak_host_memory_mb"):
        assert row[cost] is None


def test_a_trained_model_s_row_may_not_be_empty_there(imported):
    row = imported([(path, 1.0) for path in TESTED])
    with pytest.raises(UserError, match="training_time_sec is empty"):
        check_rows([{**row, "variant": "default"}])


def test_external_scores_are_merged_beside_models(imported, run_folder, tmp_path):
    rows = [(path, number) for number, path in enumerate(TESTED)]
    external = imported(rows, root=tmp_path)
    model = run_folder(tmp_path)
    contents = {"variants": [], "external": ["my_method"], "ensembles": {}, "seeds": [42], "sections": [SECTION]}
    runs = listed_runs(contents)
    assert [run.path for run in runs] == [external["run_path"]]
    expected = Expectation({"my_method": {"training_code": None}}, {SECTION: ""}, tmp_path / "features")
    merge_results(runs, tmp_path, tmp_path / "results.csv", expected)
    frame = read_results(tmp_path / "results.csv")
    assert frame["seed"].isna().all()
    text = summary(pd.concat([frame, pd.DataFrame([model])]))
    assert "my_method" in text


def test_reversed_scores_are_suspected(imported):
    right = imported([(path, float("abnormal" in path)) for path in TESTED])
    wrong = imported([(path, -float("abnormal" in path)) for path in TESTED])
    assert direction_hints(pd.DataFrame([right])) == []
    assert "reversed" in direction_hints(pd.DataFrame([wrong]))[0]
    assert "reversed" in summary(pd.DataFrame([wrong]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows[1:], "1 test clips have no score, such as 6dB/fan/id_00/normal/00000000.wav"),
        (lambda rows: [*rows, rows[0]], "1 clips have several scores"),
        (lambda rows: [*rows, (f"{SECTION}/normal/00000003.wav", 1.0)], "1 scores are of training clips"),
        (lambda rows: [*rows, ("6dB/fan/id_02/normal/00000000.wav", 1.0)], "that this section does not have"),
        (lambda rows: [*rows[1:], (rows[0][0], "nan")], "1 scores are not finite numbers"),
        (lambda rows: [*rows[1:], (rows[0][0], "high")], "1 scores are not finite numbers"),
        (lambda rows: [*rows[1:], (rows[0][0], "")], "1 scores are not finite numbers"),
        (lambda rows: [], "6 test clips have no score"),
    ],
)
def test_what_does_not_fit_the_split_is_refused(imported, change, says):
    with pytest.raises(UserError) as raised:
        imported(change([(path, 1.0) for path in TESTED]))
    assert says in str(raised.value)
    assert "scores.csv" in str(raised.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("path,score\na.wav,0,71\n", "line 2 has more values than the header has columns"),
        ("path,score,score\na.wav,1,2\n", "has the column score twice"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path, content, says):
    file = tmp_path / "scores.csv"
    file.write_text(content)
    with pytest.raises(UserError, match=says):
        read_rows(file)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "path\nx\n", "\xff\xfe\x00", '"path","score\n'])
def test_what_is_no_table_is_refused(tmp_path, content):
    file = tmp_path / "scores.csv"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=r"scores\.csv"):
        read_rows(file)
    file.rename(tmp_path / "scores.parquet")
    with pytest.raises(UserError, match=r"scores\.parquet"):
        read_rows(tmp_path / "scores.parquet")


@given(st.permutations(range(6)), st.sampled_from(["", "./", "C:\\data\\", "/elsewhere/mimii/", "section"]))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_paths_may_have_another_root_and_any_order(order, root):
    def spelt(path):
        return path.removeprefix(f"{SECTION}/") if root == "section" else root + path

    rows = [(spelt(TESTED[number]), float(number)) for number in order]
    found = match_scores(rows, clips(), SECTION, "scores.csv")
    assert found == {path: float(number) for number, path in enumerate(TESTED)}


def test_a_clip_below_a_folder_is_not_the_one_of_its_name_above_it():
    paths = ["1.wav", "monday/1.wav", "monday/2.wav", "2.wav"]
    labels, splits = ["normal", "normal", "normal", "abnormal"], ["train", "test", "train", "test"]
    table = ClipTable(paths, labels, splits, [None] * 4, [""] * 4, [10] * 4, [None] * 4, FeaturesMetadata("+/+/+", {}))
    rows = [("monday/1.wav", 1.0), ("2.wav", 2.0)]
    assert match_scores(rows, table, "+/+/+", "scores.csv") == dict(rows)
    # One of a training clip is not taken for that of a test clip.
    with pytest.raises(UserError, match=r"1 scores are of training clips, such as monday/2.wav"):
        match_scores([("monday/1.wav", 1.0), ("monday/2.wav", 2.0)], table, "+/+/+", "scores.csv")


def test_a_broken_clip_needs_no_score_and_may_have_one():
    table = clips(broken=TESTED[:1])
    rows = [(path, 1.0) for path in TESTED]
    assert set(match_scores(rows, table, SECTION, "x")) == set(match_scores(rows[1:], table, SECTION, "x"))


def configuration(**changes):
    made_up = {"snrs": ["6dB"], "machines": ["fan", "pump"]}
    dataset = {"source": "made_up", "root": "nowhere", "made_up": made_up}
    return {"dataset": dataset, "models": {"vae": {}}, **changes}


def test_the_name_of_a_model_is_refused():
    with pytest.raises(UserError, match=r"external_scores\.pca: a model of this benchmark"):
        read_config(configuration(external_scores={"pca": "somewhere"}))


def test_every_missing_file_is_listed_while_planning(tmp_path):
    plan = Plan(configuration(external_scores={"mine": str(tmp_path)}))
    (tmp_path / "6dB" / "fan").mkdir(parents=True)
    for ending in ("csv", "parquet"):
        (tmp_path / "6dB" / "fan" / f"id_00.{ending}").touch()
    with pytest.raises(UserError) as raised:
        plan.check_external()
    assert "fan/id_00.csv, .parquet or anomaly_score_fan_id_00_test.csv is needed, and several" in str(raised.value)
    assert "pump/id_00.csv, .parquet or anomaly_score_pump_id_00_test.csv is needed, and none" in str(raised.value)
    (tmp_path / "6dB" / "fan" / "id_00.csv").unlink()
    assert [Path(file).name for file in plan.external_files("mine", Section.parse("6dB/fan/id_00"))] == [
        "id_00.parquet"
    ]


def dcase_clips():
    """A section of DCASE's: names say all, and the evaluation data's only the number."""
    names = ["fan/train/section_00_source_train_normal_0000_.wav"]
    names += [f"fan/test/section_00_{number:04d}.wav" for number in range(4)]
    return ClipTable(
        paths=names,
        labels=["normal", "normal", "abnormal", "normal", "abnormal"],
        splits=["train"] + ["test"] * 4,
        domains=["source", "source", "source", "target", "target"],
        attributes=[""] * 5,
        frames=[10] * 5,
        errors=[None] * 5,
        metadata=FeaturesMetadata("dcase2024/fan/section_00", {}),
    )


@pytest.mark.parametrize("file", ["anomaly_score_fan_section_00_test.csv", "anomaly_score_fan_section_00.csv"])
def test_submission_files_are_read_as_they_were_handed_in(tmp_path, file):
    source = tmp_path / file
    source.write_text("".join(f"section_00_{number:04d}.wav,{number / 8}\n" for number in (3, 0, 2, 1)))
    plan = Plan(configuration(external_scores={"team": str(tmp_path)}))
    assert plan.external_files("team", Section("dcase2024", "fan", "section_00")) == [str(source)]
    scores = match_scores(read_rows(source), dcase_clips(), "dcase2024/fan/section_00", source)
    assert scores == {f"fan/test/section_00_{number:04d}.wav": number / 8 for number in range(4)}
    source.write_text(source.read_text() + "section_00_source_train_normal_0000_.wav,1\nsection_00_0000.wav,1\n")
    with pytest.raises(UserError, match=r"(?s)1 clips have several scores.*1 scores are of training clips"):
        match_scores(read_rows(source), dcase_clips(), "dcase2024/fan/section_00", source)


def test_a_submission_beside_a_table_is_refused(tmp_path):
    (tmp_path / "dcase2024/fan").mkdir(parents=True)
    for file in ("dcase2024/fan/section_00.csv", "anomaly_score_fan_section_00_test.csv"):
        (tmp_path / file).touch()
    plan = Plan(configuration(external_scores={"team": str(tmp_path)}))
    with pytest.raises(UserError, match="several are there"):
        plan.external_files("team", Section("dcase2024", "fan", "section_00"))


def test_a_submission_of_2021_has_a_file_for_each_domain(tmp_path):
    plan = Plan(configuration(external_scores={"team": str(tmp_path)}))
    files = [tmp_path / f"anomaly_score_fan_section_03_{domain}_test.csv" for domain in ("source", "target")]
    files[1].touch()
    with pytest.raises(UserError, match=r"section_03_source_test.csv is missing beside"):
        plan.external_files("team", Section("dcase2021", "fan", "section_03"))
    files[0].touch()
    assert plan.external_files("team", Section("dcase2021", "fan", "section_03")) == list(map(str, files))


def test_external_scores_are_compared_like_a_model(tmp_path):
    plan = Plan(configuration(external_scores={"mine": str(tmp_path)}))
    assert plan.compared == [["vae", "default"], ["mine", "external"]]
    assert "scores/mine/6dB" in [figure.name for figure in plan.figures()]
    paths = [run.path for run in plan.runs()]
    assert paths[-1] == "mine/external/6dB/pump/id_00"
    assert [run.path for run in plan.runs(model="mine")] == paths[-2:]


def test_domain_and_attributes_are_kept_with_the_scores(tmp_path, monkeypatch):
    monkeypatch.setattr("mimii.runs.external.read_table", lambda features: dcase_clips())
    sources = [tmp_path / f"anomaly_score_fan_section_00_{domain}_test.csv" for domain in ("source", "target")]
    for source, numbers in zip(sources, ((0, 1), (2, 3)), strict=True):
        source.write_text("".join(f"section_00_{number:04d}.wav,{number / 8}\n" for number in numbers))
    files = [tmp_path / file for file in ("scores.parquet", "training.json", "scoring.json")]
    job = {"name": "team", "section": "dcase2024/fan/section_00", "recordings": ""}
    import_scores(
        sources, tmp_path / "f.parquet", job, scores_file=files[0], training_file=files[1], scoring_file=files[2]
    )
    clips = read_clip_scores(files[0], "mean")
    assert clips.scores.tolist() == [number / 8 for number in range(4)]
    assert list(clips.domains) == ["source", "source", "target", "target"]
    assert pq.read_table(files[0]).column("attributes").to_pylist() == [""] * 4
