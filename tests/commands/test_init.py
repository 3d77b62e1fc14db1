"""A first configuration from a folder of recordings: for each layout it is read back, planned, and one is run."""

import csv
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import yaml
from dcase_layout import lay_out, small_dcase
from workspace import REPOSITORY, Workspace, write_recordings

from mimii.commands.first_config import choose_features, choose_split, propose, write_config
from mimii.commands.main import main
from mimii.common.errors import UserError
from mimii.data.inspection import Inspection
from mimii.data.recordings import Format
from mimii.features.settings import check_feature_settings, feature_declarations
from mimii.planning.config import read_config
from mimii.planning.config_file import read_yaml
from mimii.planning.plan import Plan

soundfile = pytest.importorskip("soundfile")


def write(path, rate=16000, seconds=0.6, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(list(str(path.name).encode())).normal(0, 0.1, (int(rate * seconds), channels))
    soundfile.write(path, values, rate)


def write_folders(root, counts, ending="wav", **kind):
    """counts: recordings of each folder."""
    for folder, count in counts.items():
        for number in range(count):
            write(root / folder / f"{number:03}.{ending}", **kind)


def write_table(root, classes, header=("path", "label"), name="labels.csv", **kind):
    """classes: words, one for each recording."""
    with (root / name).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for number, own in enumerate(classes):
            write(root / f"{number:03}.wav", **kind)
            writer.writerow([f"{number:03}.wav", own])


def planned(root, tmp_path, normal=()):
    """The configuration as it is written and planned, and what is said of it."""
    proposed = propose(root, normal)
    write_config(proposed, tmp_path / "first.yaml")
    raw = read_yaml(tmp_path / "first.yaml")
    plan = Plan(raw)
    assert plan.sections == sorted(proposed.counts)
    return raw, str(proposed)


def snapshot(root):
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "recordings").mkdir()
    return tmp_path / "recordings"


def test_class_folders_at_any_depth(root, tmp_path):
    write_folders(
        root, {"hall/press/unit 7/Healthy": 30, "hall/press/unit 7/cracked": 4, "hall/press/8/Healthy/mon": 15}
    )
    write_folders(root, {"hall/press/8/cracked": 2, "notes": 0})
    before = snapshot(root)
    raw, said = planned(root, tmp_path)
    assert snapshot(root) == before
    assert raw["dataset"]["labelled"] == {"normal": ["Healthy"], "abnormal": ["cracked"]}
    assert "hall/press/unit_7: 26 clips to train, 4 normal and 4 abnormal to test" in said
    assert "Not sure: what is abnormal: the folders cracked" in said


def test_known_words_need_no_guess(root, tmp_path):
    write_folders(root, {"ok": 14, "nok": 3}, ending="flac")
    raw, said = planned(root, tmp_path)
    assert raw["dataset"]["labelled"] == {"normal": ["ok"], "abnormal": ["nok"]}
    assert "Not sure" not in said


def test_a_table_with_classes_beside_the_recordings(root, tmp_path):
    write_table(root, ["ok"] * 30 + ["belt", "bearing"] * 3, ("file", "class"), "classes.csv", rate=44100)
    raw, said = planned(root, tmp_path)
    assert raw["dataset"]["table"] == {
        "file": "classes.csv",
        "normal": ["ok"],
        "abnormal": ["bearing", "belt"],
        "columns": {"path": "file", "label": "class"},
    }
    assert raw["features"]["sample_rate"] == 44100
    assert "36 recordings, 44100 Hz, 1 channel, 0.6 s" in said
    assert "(+ stands where nothing names an SNR, a machine or its ID)" in said
    assert "what is abnormal: bearing, belt" in said


@pytest.mark.parametrize(
    ("column", "normal", "abnormal"), [("is_anomaly", "0", "1"), ("OK", "yes", "no"), ("label", "0", "1")]
)
def test_yes_and_no_by_the_name_of_the_column(root, tmp_path, column, normal, abnormal):
    write_table(root, [normal] * 14 + [abnormal] * 3, ("path", column))
    raw, said = planned(root, tmp_path)
    table = raw["dataset"]["table"]
    assert (table["normal"], table["abnormal"]) == ([normal], [abnormal])
    assert f"what is normal: {normal} in the column {column}" in said


def test_words_that_nobody_can_know_are_asked_for(root, tmp_path, capsys):
    write_folders(root, {"lauf": 14, "stau": 3})
    with pytest.raises(UserError, match=r"17 recordings, and nothing says .*folders: lauf, stau.*--normal NAME"):
        propose(root)
    raw, _ = planned(root, tmp_path, ("lauf",))
    assert raw["dataset"]["labelled"] == {"normal": ["lauf"], "abnormal": ["stau"]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("ok", "gut"), r"no column says .* which recordings are normal \(class: belt, gut\)"),
        (lambda text: text.replace(".wav", ""), "no column names recordings of this folder"),
        (lambda text: text.replace("0", "..\\0"), "no column names recordings of this folder"),
        (lambda text: text.removeprefix("file,class\n"), "its first line names a recording"),
        (lambda text: text.replace("belt", "Förderband").encode("latin-1"), "cannot be read as a table in UTF-8"),
        (lambda text: text.encode("utf-16"), "cannot be read as a table in UTF-8"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(root, change, says):
    write_table(root, ["ok"] * 14 + ["belt"] * 3, ("file", "class"), "classes.csv")
    changed = change((root / "classes.csv").read_text().replace("\r\n", "\n"))
    (root / "classes.csv").write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    with pytest.raises(UserError, match=f"Not used: classes.csv: {says}"):
        propose(root)


def test_recordings_that_a_table_does_not_name_are_counted(root, tmp_path):
    write_table(root, ["ok"] * 14 + ["belt"] * 3)
    write(root / "more.wav")
    assert "Not sure: 1 recording(s) that labels.csv does not name" in planned(root, tmp_path)[1]


def test_the_layout_of_mimii(root, tmp_path):
    write_recordings(root / "6dB/fan/id_00", samples=16000)
    raw, said = planned(root, tmp_path)
    assert raw["dataset"]["source"] == "folder"
    assert "MIMII's layout" in said
    assert raw["features"] == {**raw["features"], "sample_rate": 16000, "n_fft": 1024, "hop_length": 512, "n_mels": 64}


@pytest.mark.parametrize("layout", ["zipped", "unpacked"])
@pytest.mark.parametrize(("year", "certain"), [(2020, True), (2024, False), (2026, True)])
def test_the_layout_of_dcase(root, tmp_path, layout, year, certain):
    machine = {2020: "ToyConveyor", 2024: "ToyTrain", 2026: "ToyCarEmu"}[year]
    archives, _ = small_dcase(year, machines=[machine])
    lay_out(root, archives, layout)
    raw, said = planned(root, tmp_path)
    assert raw["dataset"]["source"] == "dcase"
    if certain:
        assert raw["dataset"]["dcase"]["year"] == year
        assert "the year" not in said
    else:
        assert "Not sure: the year: these names are those of 2025, and of " in said
    assert "come with a split" in (tmp_path / "first.yaml").read_text()


def test_as_many_normal_as_abnormal_leaves_none_to_train_on(root, tmp_path):
    write_folders(root, {"normal": 42, "abnormal": 42})
    raw, said = planned(root, tmp_path)
    assert raw["dataset"]["split"] == 0.3
    assert "29 clips to train, 13 normal and 42 abnormal to test" in said


@pytest.mark.parametrize(
    ("counts", "split"),
    [
        ([(100, 20)], "as_many_as_abnormal"),
        ([(42, 42)], 0.3),
        ([(100, 20), (42, 42)], 0.3),
        ([(12, 5)], 2),
        ([(5, 5)], "as_many_as_abnormal"),  # nothing helps
    ],
)
def test_the_split_is_what_the_counts_allow(counts, split):
    labels = {number: {"normal": normal, "abnormal": abnormal} for number, (normal, abnormal) in enumerate(counts)}
    assert choose_split(labels) == split


def test_long_recordings_are_cut(root, tmp_path):
    write_folders(root, {"normal": 2}, rate=8000, seconds=180)
    write_folders(root, {"faulty": 1}, rate=8000, seconds=65, ending="flac")
    raw, said = planned(root, tmp_path)
    assert raw["dataset"]["clip_seconds"] == 10
    assert "30 clips to train, 6 normal and 6 abnormal to test" in said
    assert "recordings of up to 180 s are cut into 10 s" in said


@pytest.mark.parametrize("seconds", [0.1, 1, 10])
@pytest.mark.parametrize("rate", [1000, 8000, 16000, 22050, 44100, 48000, 96000, 192000])
def test_features_suit_every_rate_and_length(rate, seconds):
    inspection = Inspection(formats={Format(rate, 1, round(rate * seconds)): 5})
    settings = choose_features(inspection)
    defaults = {name: rule["default"] for name, rule in feature_declarations().items()}
    assert check_feature_settings({**defaults, **settings}) == []
    assert (settings["sample_rate"], settings["resample"]) == (min(rate, 96000), rate > 96000)
    if seconds == 10 and rate < 192000:
        assert 0.045 <= settings["n_fft"] / rate <= 0.091


def test_several_rates_become_the_lowest_and_are_named(root, tmp_path):
    write_folders(root, {"a/normal": 14, "a/abnormal": 3}, rate=16000)
    write_folders(root, {"b/normal": 13, "b/abnormal": 3}, rate=44100)
    raw, said = planned(root, tmp_path)
    assert (raw["features"]["sample_rate"], raw["features"]["resample"]) == (16000, True)
    assert "17 of 16000 Hz and 16 of 44100 Hz; all become 16000 Hz" in said


def test_several_rates_in_one_section_are_refused(root):
    write_folders(root, {"normal": 14}, rate=16000)
    write_folders(root, {"abnormal": 3}, rate=44100)
    with pytest.raises(UserError, match="14 of 16000 Hz and 3 of 44100 Hz, which a detector would hear"):
        propose(root)


def test_what_cannot_be_read_is_left_out_and_named(root, tmp_path):
    write_folders(root, {"normal": 14, "abnormal": 3})
    (root / "normal" / "000.wav").write_bytes(b"no recording")
    raw, said = planned(root, tmp_path)
    assert raw["dataset"]["on_bad_clip"] == "skip"
    assert "1 recording(s) cannot be read" in said
    assert "000.wav" in said


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({}, "holds no recordings, at any depth"),
        ({"normal": 14}, "nothing says which of them are normal"),
        (
            {"a/normal": 9, "a/abnormal": 3},
            r"1 of 1 sections cannot be used.*no configuration was written(.|\n)*\+/a/\+",
        ),
    ],
)
def test_what_cannot_be_run_is_refused(root, counts, says):
    write_folders(root, counts)
    with pytest.raises(UserError, match=says):
        propose(root)


def test_the_command_says_what_to_run_and_never_overwrites(root, tmp_path, monkeypatch, capsys):
    write_folders(root, {"normal": 14, "abnormal": 3})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["init", "recordings"])
    assert ended.value.code == 0
    assert "python -m mimii run --configfile recordings.yaml" in capsys.readouterr().out
    written = (tmp_path / "recordings.yaml").read_text()
    assert yaml.safe_load(written)["seeds"] == [42, 43, 44]
    for output, says in (("recordings.yaml", "is there already"), ("recordings/new.yaml", "among the recordings")):
        with pytest.raises(SystemExit) as ended:
            main(["init", "recordings", "--output", output])
        assert ended.value.code == 1
        assert says in capsys.readouterr().err
    assert (tmp_path / "recordings.yaml").read_text() == written
    assert not (root / "new.yaml").exists()


def test_names_that_yaml_would_read_as_something_else(root, tmp_path):
    write_folders(root, {"normal": 14, "no": 2, "1:30": 2, "a: b #c": 2})
    raw, _ = planned(root, tmp_path)
    assert raw["dataset"]["labelled"]["abnormal"] == ["1:30", "a: b #c", "no"]
    assert read_config(raw)


@pytest.mark.slow
def test_the_page_on_own_recordings_can_be_followed(tmp_path):
    """A flat folder, 44.1 kHz, mono, and a csv of classes: every command but the set-up, as it stands.

    Of the models and seeds that the first command chooses, some are run.
    """
    workspace = Workspace(tmp_path)
    (tmp_path / "workshop").mkdir()
    write_table(
        tmp_path / "workshop", ["ok"] * 24 + ["belt", "bearing"] * 3, ("file", "class"), "classes.csv", rate=44100
    )
    write(tmp_path / "monday.wav", rate=44100)
    page = (REPOSITORY / "docs/own_recordings.md").read_text(encoding="utf-8")
    for command in re.findall(r"^python (-m mimii .+)$", page, re.MULTILINE):
        done = subprocess.run(
            ["bash", "-c", f"{shlex.quote(sys.executable)} {command}"],
            cwd=tmp_path,
            env=workspace.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, command + done.stdout + done.stderr
        if "init" in command:
            written = yaml.safe_load((tmp_path / "workshop.yaml").read_text())
            assert set(written["models"]) == {"mahalanobis", "pca", "simple_ae", "vae"}
            less = {"models": {"mahalanobis": {}, "pca": {}}, "seeds": [42], "report": {"figures": []}}
            (tmp_path / "workshop.yaml").write_text(yaml.safe_dump(written | less))
    results = tmp_path / "results/own/workshop"
    with (results / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["model"] for row in rows} == {"mahalanobis", "pca"}
    assert all(0 <= float(row["auc"]) <= 1 for row in rows)
    assert (results / "page.html").is_file()
    assert any((results / "tables").iterdir())
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 2
    assert any((tmp_path / "figures").iterdir())
    assert "within noise" in done.stdout
