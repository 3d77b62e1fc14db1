"""DCASE 2020 task 2, a user's own recordings, and whether a dataset is whole."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mirror import clip_bytes, packed, small_archive

from mimii.common.errors import UserError
from mimii.data import published as official
from mimii.data.completeness import check_dataset
from mimii.data.lookup import open_source, source_names
from mimii.data.sections import AVERAGE, NO_LEVEL, Section
from mimii.planning.checking import format_problems
from mimii.planning.config import read_config, schema
from mimii.planning.plan import Plan

REAL_CLIPS = Path(__file__).resolve().parents[2].parent / "shared" / "real_clips" / "dcase2020"


def config(root, source, **changes):
    read = read_config({"dataset": {"root": str(root), "source": source, **changes}, "models": {"vae": {}}})
    return read["dataset"]


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def names(source):
    return [section.path for section in source.sections()]


def test_the_configuration_takes_every_source_that_has_a_file_and_no_other():
    assert schema()["properties"]["dataset"]["properties"]["source"]["enum"] == source_names()
    assert {"dcase2020", "folder", "labelled", "made_up", "table", "zenodo"} <= set(source_names())
    with pytest.raises(UserError, match=r"dataset.source: unknown value 'zenod'; did you mean 'zenodo'"):
        config(".", "zenod")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"zenodo": {"adress": "http://a/{archive}"}}, r"dataset.zenodo: unknown key 'adress'; did you mean 'address'"),
        ({"zenodo": {"address": "http://a/b"}}, r"dataset.zenodo.address"),
        ({"zenodo": {"address": "file:///a/{archive}"}}, r"dataset.zenodo.address"),
        ({"zenodo": {"keep_archives": "maybe"}}, r"dataset.zenodo.keep_archives"),
        ({"labelled": {"normal": []}}, r"dataset.labelled.normal"),
        ({"labelled": {"normal": ["a/b"]}}, r"dataset.labelled.normal"),
    ],
)
def test_wrong_settings_of_a_source_are_refused(changes, says):
    with pytest.raises(UserError, match=says):
        config(".", "zenodo", **changes)


def test_settings_from_the_command_line_are_text():
    assert config("recordings", "zenodo", zenodo={"keep_archives": "false"})["zenodo"]["keep_archives"] is False


# DCASE 2020 task 2


@pytest.fixture
def dcase(tmp_path):
    for machine, id in (("fan", "id_00"), ("fan", "id_02"), ("ToyCar", "id_01")):
        touch(tmp_path, *(f"{machine}/train/normal_{id}_{number:08d}.wav" for number in range(12)))
        touch(tmp_path, *(f"{machine}/test/normal_{id}_{number:08d}.wav" for number in range(3)))
        touch(tmp_path, *(f"{machine}/test/anomaly_{id}_{number:08d}.wav" for number in range(2)))
    return tmp_path


def test_dcase_sections_are_the_ids_in_its_names(dcase):
    source = open_source(config(dcase, "dcase2020"))
    assert names(source) == ["dcase2020/ToyCar/id_01", "dcase2020/fan/id_00", "dcase2020/fan/id_02"]
    assert names(open_source(config(dcase, "dcase2020", machines=["fan"], ids=["id_02"]))) == ["dcase2020/fan/id_02"]
    touch(dcase, "README.md", "docs/notes.txt")
    assert len(names(source)) == 3


def test_dcase_keeps_its_own_split(dcase):
    source = open_source(config(dcase, "dcase2020"))
    section = source.sections()[1]
    source.check(section)
    clips = source.clips(section)
    assert [(clip.split, clip.label) for clip in clips] == (
        [("train", "normal")] * 12 + [("test", "normal")] * 3 + [("test", "abnormal")] * 2
    )
    assert [clip.path for clip in clips[::15]] == [
        "fan/train/normal_id_00_00000000.wav",
        "fan/test/anomaly_id_00_00000000.wav",
    ]
    assert all(f"_{section.id}_" in clip.path for clip in clips)


def test_dcase_fingerprint_follows_the_split(dcase):
    def fingerprints():
        source = open_source(config(dcase, "dcase2020"))
        return [source.fingerprint(section) for section in source.sections()]

    before = fingerprints()
    (dcase / "fan/train/normal_id_02_00000011.wav").rename(dcase / "fan/test/normal_id_02_00000011.wav")
    assert [old == new for old, new in zip(before, fingerprints(), strict=True)] == [True, True, False]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fan/train/anomaly_id_00_00000000.wav", "an anomaly among the training recordings"),
        ("fan/train/id_00_00000000.wav", "says neither label nor machine ID"),
        ("fan/test/normal_id_07_00000000.wav", "fan has no id_07 in 2020"),
        ("fan/train/section_00_source_train_normal_0000.wav", "says neither label nor machine ID"),
    ],
)
def test_dcase_refuses_names_of_another_kind(dcase, name, says):
    touch(dcase, name)
    with pytest.raises(UserError, match=says):
        open_source(config(dcase, "dcase2020")).sections()


def test_dcase_refuses_sections_without_a_test(dcase):
    shutil.rmtree(dcase / "ToyCar/test")
    source = open_source(config(dcase, "dcase2020"))
    with pytest.raises(UserError, match=r"section dcase2020/ToyCar/id_01: none of its test .* dev_data_ToyCar.zip of"):
        source.check(source.sections()[0])
    for root in (dcase / "nowhere", dcase / "fan"):
        with pytest.raises(UserError, match=r"dataset.root"):
            open_source(config(root, "dcase2020")).sections()


def test_dcase_reads_real_recordings_in_its_own_layout(tmp_path):
    if not REAL_CLIPS.is_dir():
        pytest.skip(f"no real recordings in {REAL_CLIPS}")
    normal = sorted(REAL_CLIPS.glob("pump/id_00/normal/*.wav"))
    for folder in ("train", "test"):
        (tmp_path / "pump" / folder).mkdir(parents=True)
    for number, path in enumerate(normal):
        (tmp_path / f"pump/{'test' if number < 5 else 'train'}/normal_id_00_{number:08d}.wav").symlink_to(path)
    for path in REAL_CLIPS.glob("pump/id_00/abnormal/*.wav"):
        (tmp_path / f"pump/test/anomaly_id_00_{path.name}").symlink_to(path)
    said = []
    source = open_source(config(tmp_path, "dcase2020", machines=["pump"], ids=["id_00"]))
    assert check_dataset(source, said.append) == 0
    assert said[0] == f"dcase2020/pump/id_00: {len(normal)} normal, 1 abnormal: can be run"


# Your own recordings


def test_own_recordings_of_any_names_and_depth(tmp_path):
    touch(tmp_path, "plant 1/hall/press/unit 7/normal/2024/may/a b.wav", "plant 1/hall/press/unit 7/abnormal/x.WAV")
    touch(tmp_path, "press/Normal/1.wav", "press/ABNORMAL/2.wav", "press/notes/3.wav")
    touch(tmp_path, "press/unit 8/normal/1.wav", "fan/unit/abnormal/1.wav")
    source = open_source(config(tmp_path, "labelled"))
    assert names(source) == ["+/fan/unit", "+/press/+", "+/press/unit_8", "plant_1_hall/press/unit_7"]
    clips = source.clips(Section("plant_1_hall", "press", "unit_7"))
    assert [(clip.path, clip.label) for clip in clips] == [
        ("plant 1/hall/press/unit 7/normal/2024/may/a b.wav", "normal"),
        ("plant 1/hall/press/unit 7/abnormal/x.WAV", "abnormal"),
    ]
    assert all(Path(source.open(clip)).is_file() for clip in clips)
    assert len(source.clips(Section("+", "press", "+"))) == 2


def test_domain_and_attributes_are_the_folders_below_the_label(tmp_path):
    touch(tmp_path, "normal/new hall/speed 3/1.wav", "normal/speed 3/2.wav", "abnormal/old hall/3.wav", "normal/4.wav")
    own = {"source": ["old hall"], "target": ["new hall"]}
    source = open_source(config(tmp_path, "labelled", labelled=own))
    clips = {clip.path: (clip.domain, clip.attributes) for clip in source.clips(source.sections()[0])}
    assert clips == {
        "normal/new hall/speed 3/1.wav": ("target", "speed 3"),
        "normal/speed 3/2.wav": (None, "speed 3"),
        "abnormal/old hall/3.wav": ("source", ""),
        "normal/4.wav": (None, ""),
    }
    assert source.has_domains(source.sections()[0])
    assert not open_source(config(tmp_path, "labelled")).has_domains(source.sections()[0])
    touch(tmp_path, "normal/new hall/old hall/5.wav")
    with pytest.raises(UserError, match="lies in folders of both domains"):
        open_source(config(tmp_path, "labelled", labelled=own)).clips(source.sections()[0])


def test_own_recordings_right_below_the_root(tmp_path):
    touch(tmp_path, *(f"ok/{number}.wav" for number in range(15)), "broken/1.wav", "bad/1.wav")
    own = {"normal": ["ok"], "abnormal": ["broken", "bad"]}
    source = open_source(config(tmp_path, "labelled", labelled=own))
    assert names(source) == ["+/+/+"]
    source.check(source.sections()[0])
    assert [clip.split for clip in source.clips(source.sections()[0])].count("test") == 4


def test_a_folder_called_all_is_not_what_stands_for_all(tmp_path):
    touch(tmp_path, "all/all/all/normal/1.wav", "all/normal/1.wav", "normal/1.wav", "(all)/all/normal/1.wav")
    own = open_source(config(tmp_path, "labelled"))
    assert names(own) == ["+/+/+", "+/_all_/all", "+/all/+", "all/all/all"]
    assert not {NO_LEVEL, AVERAGE} & {"all", "_all_"}
    assert names(open_source(config(tmp_path, "labelled", snrs=["all"]))) == ["all/all/all"]
    assert names(open_source(config(tmp_path, "labelled", ids=["+"]))) == ["+/+/+", "+/all/+"]
    touch(tmp_path / "folder", "all/all/all/normal/1.wav")
    assert names(open_source(config(tmp_path / "folder", "folder"))) == ["all/all/all"]
    for root, source in ((tmp_path, "labelled"), (tmp_path / "folder", "folder")):
        touch(root, "+/press/unit/normal/1.wav")
        with pytest.raises(UserError, match=r"[+]': '[+]' stands for a level that is not there"):
            open_source(config(root, source)).sections()
        shutil.rmtree(root / "+")


def test_own_recordings_are_refused_where_names_are_not_enough(tmp_path):
    for root in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(UserError, match=r"dataset.root"):
            open_source(config(root, "labelled")).sections()
    touch(tmp_path / "workshop", "healthy/1.wav", "faulty/1.wav")
    with pytest.raises(UserError, match=r"is named normal or abnormal \(there: faulty, healthy\)"):
        open_source(config(tmp_path / "workshop", "labelled")).sections()
    shutil.rmtree(tmp_path / "workshop")
    touch(tmp_path, "a b/normal/1.wav", "a_b/normal/1.wav")
    with pytest.raises(UserError, match=r"a b' and .*a_b' would both be section [+]/a_b/[+]: rename one"):
        open_source(config(tmp_path, "labelled")).sections()
    shutil.rmtree(tmp_path / "a b")
    touch(tmp_path, "a_b/normal/more/abnormal/1.wav")
    source = open_source(config(tmp_path, "labelled"))
    with pytest.raises(UserError, match=r"abnormal': lies in a folder of recordings itself"):
        source.clips(source.sections()[0])
    (tmp_path / "a_b/loop").symlink_to(tmp_path)
    with pytest.raises(UserError, match="leads back to a folder"):
        source.sections()


# Completeness


@pytest.fixture
def published(monkeypatch):
    """MIMII, if it were two small sections of fans at one SNR."""
    counts = {"fan": {"id_00": {"normal": 14, "abnormal": 2}, "id_02": {"normal": 14, "abnormal": 2}}}
    archives = {"6_dB_fan.zip": {"bytes": 1, "md5": ""}}
    monkeypatch.setattr(official, "published_data", lambda: {"archives": archives, "clips": counts})
    return small_archive(normal=14, abnormal=2)


def checked(root, source="folder", **changes):
    """What is said, and how many faults of the recordings; the last line says what the exit code says."""
    said = []
    unusable = check_dataset(open_source(config(root, source, **changes)), said.append)
    assert said[-1].startswith(f"{unusable} of " if unusable else "All ")
    return said, sum(int(line.split()[0]) for line in said if "fault(s), named above" in line)


def unpacked(root, members):
    for name, content in members.items():
        (root / "6dB" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "6dB" / name).write_bytes(content)


@pytest.mark.parametrize("layout", ["zipped", "original"])
def test_a_whole_dataset_is_fine(tmp_path, published, layout):
    if layout == "zipped":
        (tmp_path / "6_dB_fan.zip").write_bytes(packed(published))
    else:
        unpacked(tmp_path, published)
    said, faults = checked(tmp_path)
    assert (said[0], said[2]) == (
        "6dB/fan/id_00: 14 normal, 2 abnormal: can be run",
        "6dB/fan/id_02: 14 normal, 2 abnormal: can be run",
    )
    assert said[1] == "  12 to train, 4 to test; 16000 Hz, 2 channel(s), 0.4 s, -20 dB"
    assert said[4:] == ["All 2 section(s) can be run as configured."]
    assert faults == 0


@pytest.mark.parametrize("layout", ["zipped", "original"])
def test_what_is_missing_extra_duplicated_or_broken_is_named(tmp_path, published, layout):
    folder = "fan/id_00/normal"
    del published[f"{folder}/00000001.wav"]
    published[f"{folder}/00000000 (1).wav"] = published[f"{folder}/00000000.wav"]
    published[f"{folder}/00000002.wav"] = published[f"{folder}/00000002.wav"][:-50]
    published[f"{folder}/00000003.wav"] = b"no recording"
    rate = Path(tmp_path, "other.wav")
    soundfile.write(rate, [0.1] * 500, 8000)
    published[f"{folder}/00000004.wav"] = rate.read_bytes()
    rate.unlink()
    for name in [name for name in published if "id_02" in name]:
        del published[name]
    if layout == "zipped":
        (tmp_path / "6_dB_fan.zip").write_bytes(packed(published))
    else:
        unpacked(tmp_path, published)
    said, faults = checked(tmp_path)
    assert faults == 4
    assert said[0] == "6dB/fan/id_00: 14 normal, 2 abnormal: cannot be run"
    assert said[1] == "  12 to train, 4 to test; 8000 to 16000 Hz, 1 to 2 channel(s), 0.1 to 0.4 s, -20 dB"
    assert said[2] == "  missing: 1 of 14 normal (00000001.wav)"
    assert said[3] == "  extra: 1 normal, not among the 14 published (00000000 (1).wav)"
    assert said[4].startswith("  broken: ")
    assert "00000002.wav: truncated" in said[4]
    assert "00000003.wav: not a readable recording" in said[5]
    assert said[6] == "  mixed sample rates: 13 of 16000 Hz, 1 of 8000 Hz"
    assert said[7] == "  look at: 1 constant: 6dB/fan/id_00/normal/00000004.wav"
    assert said[8] == (
        "duplicated: 6dB/fan/id_00/normal/00000000 (1).wav, 6dB/fan/id_00/normal/00000000.wav are one and the same "
        "recording"
    )
    assert said[9] == "missing: 6dB/fan: id_02"
    assert said[10] == "4 fault(s), named above: missing, extra, broken or there twice."
    assert said[11] == "1 of 1 section(s) cannot be run as configured; why stands above."
    assert checked(tmp_path, ids=["id_00"])[1] == 3


def test_faults_that_do_not_stand_against_running_are_no_error(tmp_path, published):
    del published["fan/id_00/normal/00000001.wav"]
    published["fan/id_00/normal/00000004.wav"] = published["fan/id_00/normal/00000003.wav"]
    unpacked(tmp_path, published)
    said, faults = checked(tmp_path)
    assert faults == 2
    assert said[-1] == "All 2 section(s) can be run as configured."


def test_recordings_that_only_begin_alike_are_no_duplicates(tmp_path):
    content = clip_bytes(0)
    touch(tmp_path, "normal/1.wav", "normal/2.wav", "abnormal/1.wav")
    (tmp_path / "normal/1.wav").write_bytes(content)
    (tmp_path / "normal/2.wav").write_bytes(content[:-2] + b"xy")
    (tmp_path / "abnormal/1.wav").write_bytes(content)
    said, faults = checked(tmp_path, "labelled")
    assert faults == 1
    assert "at least 10" in said[2]
    assert said[-3] == "duplicated: abnormal/1.wav, normal/1.wav are one and the same recording"


def test_sections_that_cannot_be_listed_do_not_stop_the_check(tmp_path, published):
    unpacked(tmp_path, published)
    (tmp_path / "6dB/fan/id_00/normal").rename(tmp_path / "6dB/fan/id_00/Normal")
    said, _ = checked(tmp_path)
    assert said[0] == "6dB/fan/id_00: 0 normal, 0 abnormal: cannot be run"
    assert "cannot be listed: folder" in "".join(said)
    assert "6dB/fan/id_02: 14 normal, 2 abnormal: can be run" in said


def test_an_archive_that_a_run_downloads_does_not_stand_against_it(tmp_path, published):
    said, faults = checked(tmp_path, "zenodo")
    assert said == [
        "6dB/fan/id_00: can be run, which downloads 6_dB_fan.zip",
        "6dB/fan/id_02: can be run, which downloads 6_dB_fan.zip",
        "All 2 section(s) can be run as configured.",
    ]
    assert faults == 0
    (tmp_path / "6_dB_fan.zip").write_bytes(packed(published)[:-100])
    said, _ = checked(tmp_path, "zenodo")
    assert "6_dB_fan.zip" in said[-3]
    assert said[-1] == "2 of 2 section(s) cannot be run as configured; why stands above."


def test_clips_that_may_spoil_results_are_named(tmp_path):
    touch(tmp_path, *(f"normal/{number:02d}.wav" for number in range(14)), "abnormal/1.wav")
    for number, path in enumerate(sorted(tmp_path.rglob("*.wav"))):
        soundfile.write(path, np.random.default_rng(number).normal(0, 0.1, 4000), 16000)
    soundfile.write(tmp_path / "normal/03.wav", np.zeros(4000), 16000)
    soundfile.write(tmp_path / "normal/04.wav", np.full(4000, 0.25), 16000)
    soundfile.write(tmp_path / "normal/05.wav", np.linspace(-2, 2, 4000).clip(-1, 1), 16000)
    said, faults = checked(tmp_path, "labelled")
    assert faults == 0
    assert said == [
        "+/+/+: 14 normal, 1 abnormal: can be run",
        "  13 to train, 2 to test; 16000 Hz, 1 channel(s), 0.2 s, -20 dB",
        "  look at: 1 silent: normal/03.wav",
        "  look at: 1 constant: normal/04.wav",
        "  look at: 1 at full scale: normal/05.wav",
        "All 1 section(s) can be run as configured.",
    ]


def test_what_the_configuration_does_not_suit_stands_against_a_section(tmp_path):
    touch(tmp_path, *(f"normal/{number:02d}.wav" for number in range(14)), "abnormal/1.wav")
    for number, path in enumerate(sorted(tmp_path.rglob("*.wav"))):
        soundfile.write(path, np.random.default_rng(number).normal(0, 0.1, 44100), 44100)
    source = {"dataset": {"root": str(tmp_path), "source": "labelled"}, "models": {"pca": {}}}
    for features, obstacle in (
        ({}, "  features: sample_rate 16000 Hz, but the recordings have 44100 Hz"),
        ({"resample": True, "channel": 2}, "  features: channel 2, counted from 0, but the recordings have 1"),
    ):
        plan = Plan({**source, "features": features})
        said = []
        assert check_dataset(plan.source, said.append, partial(format_problems, plan.variants)) == 1
        assert said[0].endswith("cannot be run")
        assert said[2].startswith(obstacle)
        assert said[-1] == "1 of 1 section(s) cannot be run as configured; why stands above."
    said = []
    plan = Plan({**source, "features": {"sample_rate": 44100}})
    assert check_dataset(plan.source, said.append, partial(format_problems, plan.variants)) == 0


def test_of_recordings_of_other_lengths_the_shortest_is_too_short_for_a_window(tmp_path):
    touch(tmp_path, *(f"normal/{number:02d}.wav" for number in range(14)), "abnormal/1.wav")
    for number, path in enumerate(sorted(tmp_path.rglob("*.wav"))):
        soundfile.write(path, np.random.default_rng(number).normal(0, 0.1, 5000 + 512 * number), 16000)
    source = {"dataset": {"root": str(tmp_path), "source": "labelled"}, "models": {"pca": {"frames": 40}}}
    plan, said = Plan(source), []
    assert check_dataset(plan.source, said.append, partial(format_problems, plan.variants)) == 1
    (obstacle,) = (line for line in said if "frames of a recording" in line)
    assert "(5000 samples at 16000 Hz, a frame every 0.032 s)" in obstacle


def test_parts_of_a_recording_are_no_duplicates(tmp_path):
    touch(tmp_path, "normal/a.wav", "abnormal/1.wav")
    for number, path in enumerate(sorted(tmp_path.rglob("*.wav"))):
        soundfile.write(path, np.random.default_rng(number).normal(0, 0.1, 19200), 16000)
    said, faults = checked(tmp_path, "labelled", clip_seconds=0.1, split=1)
    assert said[0] == "+/+/+: 12 normal, 12 abnormal: can be run"
    assert faults == 0
    said, _ = checked(tmp_path, "labelled", clip_seconds=0.12, split=1)
    assert said[0] == "+/+/+: 10 normal, 10 abnormal: cannot be run"
    assert "9 training, 1 normal test and 10 abnormal" in said[2]
