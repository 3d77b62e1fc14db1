import io
import json
import math
import subprocess
import sys
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mimii.common.declarations import problems
from mimii.common.errors import UserError
from mimii.common.fingerprints import features_code
from mimii.data.lookup import open_source
from mimii.data.recordings import Clip, ordered_clips
from mimii.data.sections import Section
from mimii.data.source import DatasetSource
from mimii.features.clips import Clips, Group
from mimii.features.extraction import extract_features
from mimii.features.file import FeaturesMetadata, FeatureWriter, read_clips, read_clips_of_files, read_table
from mimii.features.log_mel import Extractor as LogMel
from mimii.features.record import read_extraction
from mimii.features.settings import check_feature_settings, feature_declarations, resolve_features

ROOT = Path(__file__).resolve().parents[2]
REAL_CLIPS = ROOT.parent / "shared" / "real_clips"
SECTION = Section("6dB", "fan", "id_00")
RATE = 16000


def with_defaults(**changes):
    assert not problems(changes, feature_declarations())
    return resolve_features(changes)


def by_librosa(samples, values):
    """The protocol's formula, (frames, n_mels)."""
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=values["sample_rate"],
        n_fft=values["n_fft"],
        hop_length=values["hop_length"],
        n_mels=values["n_mels"],
        power=values["power"],
        pad_mode=values["padding"],
        fmin=values["f_min"],
        fmax=values["f_max"],
    )
    return (20 / values["power"] * np.log10(mel + sys.float_info.epsilon)).T


def noise(samples=8000, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def config(root, source="folder"):
    return {"source": source, "root": str(root), "snrs": "all", "machines": "all", "ids": "all"}


def write_section(root, normal=14, abnormal=3, samples=4000, channels=2, rate=RATE):
    for label, count in (("normal", normal), ("abnormal", abnormal)):
        folder = root / SECTION.path / label
        folder.mkdir(parents=True)
        for number in range(count):
            values = np.random.default_rng([number, label == "abnormal"]).normal(0, 0.1, (samples, channels))
            soundfile.write(folder / f"{number:08d}.wav", values, rate, subtype="PCM_16")
    return open_source(config(root))


@pytest.fixture
def source(tmp_path):
    return write_section(tmp_path / "data")


def clip_path(tmp_path, name="normal/00000005.wav"):
    return tmp_path / "data" / SECTION.path / name


# The formula


def test_log_mel_is_librosas_on_every_real_clip():
    paths = sorted(REAL_CLIPS.rglob("*.wav"))
    if not paths:
        pytest.skip(f"no real clips in {REAL_CLIPS}")
    values = with_defaults()
    log_mel = LogMel(values).log_mel
    for path in paths:
        samples = np.ascontiguousarray(soundfile.read(path, dtype="float32", always_2d=True)[0][:, 0])
        computed = log_mel(samples)
        assert computed.shape == (313, 64)
        assert np.abs(computed - by_librosa(samples, values)).max() < 1e-3, path


@pytest.mark.parametrize(
    "changes",
    [
        {"n_mels": 128},
        {"n_mels": 8, "n_fft": 256, "hop_length": 128},
        {"n_mels": 30, "n_fft": 1023, "hop_length": 511},
        {"power": 1.0},
        {"power": 1.5},
        {"power": 3.0},
        {"padding": "constant"},
        {"padding": "edge"},
        {"f_min": 50.0, "f_max": 6000.0},
        {"f_min": 1500.0},
        {"sample_rate": 44100, "n_fft": 2048},
        {"n_fft": 16384, "n_mels": 256},
        {"hop_length": 1024},
    ],
)
def test_log_mel_is_librosas_with_every_setting(changes):
    values = with_defaults(**changes)
    samples = noise(20001)
    expected = by_librosa(samples, values)
    computed = LogMel(values).log_mel(samples)
    assert computed.shape == expected.shape
    assert np.abs(computed - expected).max() < 1e-3


@pytest.mark.filterwarnings("ignore:n_fft=1024 is too large")
def test_clips_of_several_files_are_read_into_one_array_and_never_held_twice(tmp_path):
    rng = np.random.default_rng(0)
    written, rows = {}, {}
    for number in range(4):
        path = tmp_path / f"{number}.parquet"
        written[path] = rng.normal(size=(30, 1000, 16)).astype(np.float32)
        with FeatureWriter(path, FeaturesMetadata(f"6dB/fan/id_{number:02d}", {})) as writer:
            for row, frames in enumerate(written[path]):
                writer.add(Clip(f"{row}.wav", "normal", "train"), frames)
        rows[path] = [*range(number, 30)]
    tracemalloc.start()
    clips = read_clips_of_files(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * clips.frames.nbytes
    expected = np.concatenate([frames[rows[path]].reshape(-1, 16) for path, frames in written.items()])
    np.testing.assert_array_equal(clips.frames, expected)
    assert [group.section[-2:] for group in clips.groups] == [f"{n:02d}" for n in range(4) for _ in range(n, 30)]


@settings(max_examples=40)
@given(st.integers(513, 6000), st.sampled_from([128, 500, 512]), st.integers(1, 3))
def test_any_length_is_librosas(samples, hop_length, at_once):
    values = with_defaults(hop_length=hop_length)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mimii.features.log_mel.SAMPLES_AT_ONCE", 1024 * at_once)
        computed = LogMel(values).log_mel(noise(samples))
    expected = by_librosa(noise(samples), values)
    assert computed.shape == expected.shape
    assert np.abs(computed - expected).max() < 1e-3


def test_pure_tone_and_silence():
    values = with_defaults()
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    computed, expected = LogMel(values).log_mel(tone), by_librosa(tone, values)
    loud = expected > expected.max() - 80  # beyond that both hold float32's rounding
    assert np.abs(computed - expected)[loud].max() < 0.05
    silence = LogMel(values).log_mel(np.zeros(RATE, np.float32))
    np.testing.assert_allclose(silence, 10 * math.log10(sys.float_info.epsilon), rtol=1e-6)


@settings(max_examples=60)
@given(
    st.integers(8, 512),
    st.integers(64, 4096),
    st.sampled_from([8000, 16000, 44100]),
    st.floats(0, 3000),
    st.one_of(st.none(), st.floats(100, 4000)),
)
@pytest.mark.filterwarnings("ignore:Empty filters")
def test_empty_bands_are_refused(n_mels, n_fft, sample_rate, f_min, f_max):
    values = with_defaults(n_mels=n_mels, n_fft=n_fft, hop_length=16, sample_rate=sample_rate, f_min=f_min, f_max=f_max)
    assume(f_min < (f_max or sample_rate / 2) - 1)
    expected = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max)
    found = check_feature_settings(values)
    # A weight may be nothing but rounding where a frequency meets a band's edge.
    if expected.max(axis=1).min() > 1e-6 * expected.max():
        assert found == []
    if expected.max(axis=1).min() == 0:
        assert "mel bands" in found[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hop_length": 2048}, "hop_length 2048 exceeds n_fft 1024"),
        ({"f_max": 8001.0}, r"f_max 8001 Hz is above half of sample_rate \(8000 Hz\)"),
        ({"f_min": 8000.0}, "f_min 8000 Hz is not below the upper edge 8000 Hz"),
        ({"f_min": 500.0, "f_max": 500.0}, "f_min 500 Hz is not below"),
        ({"n_mels": 256, "n_fft": 256, "hop_length": 256}, r"of 256 mel bands .* hold no frequency"),
    ],
)
def test_contradictions_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        LogMel(with_defaults(**changes))
    assert len(check_feature_settings(with_defaults(**changes))) == 1


def test_defaults_are_the_protocols():
    assert check_feature_settings(with_defaults()) == []
    assert with_defaults() == {
        "extractor": "log_mel",
        "n_mels": 64,
        "n_fft": 1024,
        "hop_length": 512,
        "power": 2.0,
        "channel": 0,
        "f_min": 0.0,
        "f_max": None,
        "padding": "reflect",
        "sample_rate": 16000,
        "resample": False,
    }


@pytest.mark.parametrize("channel", [0, 7, "mean"])
def test_channels_that_can_be_asked_for(channel):
    assert problems({"channel": channel}, feature_declarations()) == []


@pytest.mark.parametrize("channel", [-1, 64, "left", "0", True, None, 0.5])
def test_channels_that_cannot(channel):
    assert problems({"channel": channel}, feature_declarations())


# A section's file


def test_section_is_stored_as_it_was_split(source, tmp_path):
    values = with_defaults(channel=1)
    extract_features(source, SECTION, values, tmp_path / "f.parquet", code="abc")
    table = read_table(tmp_path / "f.parquet")
    assert table.paths == [clip.path for clip in source.clips(SECTION)]
    assert table.splits == ["train"] * 11 + ["test"] * 6
    assert table.labels == ["normal"] * 14 + ["abnormal"] * 3
    assert [table.count("train"), table.count("test", "normal"), table.count("test", "abnormal")] == [11, 3, 3]
    assert table.skipped() == []
    assert table.metadata.settings == values
    assert table.metadata.code == "abc"
    assert table.metadata.checkpoint == {}
    assert set(table.metadata.versions) >= {"python", "librosa", "numpy", "scipy", "soundfile"}
    clips = read_clips(tmp_path / "f.parquet", range(17))
    assert clips.lengths.tolist() == [8] * 17
    for row in (0, 10, 11, 16):
        samples = np.ascontiguousarray(
            soundfile.read(source.open(source.clips(SECTION)[row]), dtype="float32")[0][:, 1]
        )
        assert np.abs(clips.select(row, row + 1).frames - by_librosa(samples, values)).max() < 1e-3


def test_any_parquet_reader_finds_the_documented_columns(source, tmp_path):
    extract_features(source, SECTION, with_defaults(), tmp_path / "f.parquet")
    table = pq.read_table(tmp_path / "f.parquet")
    assert table.column_names == [*("path", "label", "split", "domain", "attributes", "frames", "values", "error")]
    row = table.to_pylist()[0]
    assert len(row["values"]) == row["frames"] * 64
    assert row["error"] is None
    assert table.schema.field("values").type.value_type == pa.float32()
    np.testing.assert_array_equal(
        np.array(row["values"], np.float32).reshape(-1, 64), read_clips(tmp_path / "f.parquet", [0]).frames
    )


def test_same_clips_make_the_same_bytes(source, tmp_path):
    for name in ("a", "b"):
        extract_features(source, SECTION, with_defaults(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@settings(max_examples=40)
@given(st.data())
def test_rows_are_read_in_the_order_asked_for(tmp_path_factory, data):
    lengths = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=30))
    skipped = data.draw(st.sets(st.integers(0, len(lengths) - 1)))
    train = data.draw(st.integers(0, len(lengths)))
    path = tmp_path_factory.mktemp("features") / "f.parquet"
    rng = np.random.default_rng(0)
    written = [rng.normal(size=(length, 4)).astype(np.float32) for length in lengths]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mimii.features.file.GROUP_VALUES", data.draw(st.integers(1, 300)))
        with FeatureWriter(path, FeaturesMetadata("6dB/fan/id_00", {"n_mels": 4})) as writer:
            for row, log_mel in enumerate(written):
                split = "train" if row < train else "test"
                bad = row in skipped
                clip = Clip(f"{row}.wav", "normal", split, "source" if row % 2 else None, f"speed_{row % 3}")
                writer.add(clip, None if bad else log_mel, "broken" if bad else None)
    table = read_table(path)
    assert table.usable("train") == [row for row in range(train) if row not in skipped]
    assert table.count("train") == train
    assert len(table.skipped()) == len(skipped)
    val_split = data.draw(st.sampled_from([0, 0.1, 0.25, 0.5]))
    fitted, held_out = table.fitted(val_split), table.held_out(val_split)
    assert fitted + held_out == table.usable("train")
    assert all(row < int(train * (1 - val_split)) for row in fitted)
    assert all(row >= int(train * (1 - val_split)) for row in held_out)
    usable = table.usable("train") + table.usable("test")
    rows = data.draw(st.permutations(usable))[: data.draw(st.integers(0, len(usable)))]
    clips = read_clips(path, rows)
    assert clips.lengths.tolist() == [lengths[row] for row in rows]
    np.testing.assert_array_equal(
        clips.frames, np.concatenate([np.empty((0, table.metadata.width)), *(written[row] for row in rows)])
    )
    groups = [Group("6dB/fan/id_00", "source" if row % 2 else None, f"speed_{row % 3}") for row in rows]
    assert list(clips.groups) == groups
    first = data.draw(st.integers(0, len(rows)))
    parts = clips.select(0, first), clips.select(first, len(rows))
    assert list(parts[1].groups) == groups[first:]
    assert Clips.joined(parts).groups == clips.groups
    if skipped:
        with pytest.raises(ValueError, match="was skipped"):
            read_clips(path, [min(skipped)])
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        assert len(set(file.read_row_group(group, columns=["split"]).column(0).to_pylist())) == 1


def test_clips_of_other_lengths_and_formats_work_side_by_side(source, tmp_path):
    soundfile.write(clip_path(tmp_path), noise(9000), RATE, subtype="PCM_24")
    soundfile.write(clip_path(tmp_path, "normal/00000006.wav"), noise(513), RATE, subtype="FLOAT")
    extract_features(open_source(config(tmp_path / "data")), SECTION, with_defaults(), tmp_path / "f.parquet")
    table = read_table(tmp_path / "f.parquet")
    assert sorted(set(table.frames)) == [2, 8, 18]
    assert sum(table.frames) == len(read_clips(tmp_path / "f.parquet", range(17)).frames)


def test_domain_and_attributes_of_a_recording_reach_the_features(source, tmp_path, monkeypatch):
    listed = type(source).list_section

    def described(self, section):
        for number, recording in enumerate(listed(self, section)):
            yield replace(recording, domain="target", attributes=f"vel_{number}") if number % 2 else recording

    monkeypatch.setattr(type(source), "list_section", described)
    extract_features(source, SECTION, with_defaults(), tmp_path / "f.parquet")
    table = read_table(tmp_path / "f.parquet")
    clips = source.clips(SECTION)
    assert {(None, ""), ("target", "vel_1")} < {(clip.domain, clip.attributes) for clip in clips}
    assert table.domains == [clip.domain for clip in clips]
    assert table.attributes == [clip.attributes for clip in clips]


# Clips that cannot be used


def break_two(tmp_path):
    clip_path(tmp_path).write_text("no audio")
    soundfile.write(clip_path(tmp_path, "abnormal/00000001.wav"), np.full(900, np.nan), RATE, subtype="FLOAT")


def test_bad_clips_stop_the_section_all_named_and_nothing_written(source, tmp_path):
    break_two(tmp_path)
    with pytest.raises(UserError, match=r"(?s)2 clip\(s\) cannot be used.*00000005.wav.*abnormal/00000001.wav: NaN"):
        extract_features(source, SECTION, with_defaults(), tmp_path / "out" / "f.parquet")
    assert list((tmp_path / "out").iterdir()) == []


def test_bad_clips_are_skipped_by_choice_after_the_split(source, tmp_path, caplog):
    before = source.clips(SECTION)
    break_two(tmp_path)
    extract_features(source, SECTION, with_defaults(), tmp_path / "f.parquet", on_bad_clip="skip")
    table = read_table(tmp_path / "f.parquet")
    assert (table.paths, table.splits) == ([c.path for c in before], [c.split for c in before])
    assert len(table.skipped()) == 2
    bad = [row for row, error in enumerate(table.errors) if error]
    assert [table.paths[row].removeprefix(f"{SECTION}/") for row in bad] == [
        "normal/00000005.wav",
        "abnormal/00000001.wav",
    ]
    assert [table.frames[row] for row in bad] == [0, 0]
    assert "NaN" in table.errors[bad[1]]
    assert pq.read_table(tmp_path / "f.parquet").column("values").null_count == 2
    assert len(read_clips(tmp_path / "f.parquet", table.usable("train"))) == 10
    assert [record.message.split(":")[0][:7] for record in caplog.records] == ["skipped", "skipped"]


def test_a_test_clip_that_is_trained_on_under_another_name_is_left_out_by_choice(source, tmp_path):
    paths = {clip.split: clip.path for clip in source.clips(SECTION)}
    train, test = paths["train"], paths["test"]
    samples, rate = soundfile.read(tmp_path / "data" / train, dtype="int16")
    soundfile.write(tmp_path / "data" / test, samples, rate, format="FLAC")
    with pytest.raises(UserError, match=rf"{test}: holds the same as the training clip {train}"):
        extract_features(source, SECTION, with_defaults(), tmp_path / "f.parquet")
    extract_features(source, SECTION, with_defaults(), tmp_path / "f.parquet", on_bad_clip="skip")
    assert [path for path, _ in read_table(tmp_path / "f.parquet").skipped()] == [test]


def test_too_few_clips_after_skipping_are_refused(source, tmp_path):
    for number in (5, 6):
        clip_path(tmp_path, f"normal/{number:08d}.wav").write_text("no audio")
    with pytest.raises(UserError, match=r"9 training.*2 clip\(s\) could not be used, the first: .*00000005.wav"):
        extract_features(source, SECTION, with_defaults(), tmp_path / "f.parquet", on_bad_clip="skip")
    assert not (tmp_path / "f.parquet").exists()


def test_a_wrong_setting_names_at_most_twenty_clips(tmp_path):
    source = write_section(tmp_path / "data", normal=30)
    with pytest.raises(UserError, match="20 or more") as refused:
        extract_features(source, SECTION, with_defaults(channel=5), tmp_path / "f.parquet")
    assert str(refused.value).count("no channel 5") == 20


def test_clip_that_vanishes_during_the_run(source, tmp_path):
    source.clips(SECTION)  # listed
    clip_path(tmp_path).unlink()
    with pytest.raises(UserError, match=r"00000005.wav: cannot be read \(No such file"):
        extract_features(source, SECTION, with_defaults(), tmp_path / "f.parquet")


def test_clip_shorter_than_half_a_frame(source, tmp_path):
    soundfile.write(clip_path(tmp_path), noise(512), RATE)
    with pytest.raises(
        UserError, match=r"00000005.wav: too short \(512 samples at 16000 Hz; .* needs more than 512 at"
    ):
        extract_features(source, SECTION, with_defaults(), tmp_path / "f.parquet")
    extract_features(source, SECTION, with_defaults(padding="constant"), tmp_path / "f.parquet")


def test_other_sample_rates_only_where_configured(tmp_path):
    source = write_section(tmp_path / "data", rate=48000, samples=12000)
    with pytest.raises(UserError, match=r"48000 Hz, but features.sample_rate is 16000 Hz; set features.resample: true"):
        extract_features(source, SECTION, with_defaults(), tmp_path / "f.parquet")
    extract_features(source, SECTION, with_defaults(resample=True), tmp_path / "f.parquet")
    assert set(read_table(tmp_path / "f.parquet").frames) == {8}
    extract_features(source, SECTION, with_defaults(sample_rate=48000), tmp_path / "f.parquet")
    assert set(read_table(tmp_path / "f.parquet").frames) == {24}


def test_mixed_sample_rates_are_refused_even_where_resampled(source, tmp_path):
    soundfile.write(clip_path(tmp_path), noise(), 8000)
    with pytest.raises(UserError, match=r"00000005.wav: 8000 Hz"):
        extract_features(source, SECTION, with_defaults(), tmp_path / "f.parquet")
    with pytest.raises(UserError, match=r"mixed sample rates \(16 clip\(s\) of 16000 Hz, 1 clip\(s\) of 8000 Hz\)"):
        extract_features(source, SECTION, with_defaults(resample=True), tmp_path / "f.parquet")


def test_clipping_is_reported(source, tmp_path, caplog):
    soundfile.write(clip_path(tmp_path), np.clip(20 * noise(), -1, 1), RATE, subtype="PCM_16")
    extract_features(source, SECTION, with_defaults(), tmp_path / "f.parquet")
    assert caplog.messages == [
        f"section {SECTION}: 1 clip(s) reach full scale, the first: {SECTION}/normal/00000005.wav"
    ]


# Files that are no features


@pytest.mark.parametrize("kept", [0, 3, 100, 5000, -1])
def test_damaged_file_is_refused(source, tmp_path, kept):
    path = tmp_path / "f.parquet"
    extract_features(source, SECTION, with_defaults(), path)
    path.write_bytes(path.read_bytes()[:kept])
    for read in (read_table, lambda path: read_clips(path, [0])):
        with pytest.raises(UserError, match=r"f.parquet: damaged features file .* delete it and run again"):
            read(path)


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="features are missing"):
        read_table(tmp_path / "f.parquet")
    pq.write_table(pa.table({"path": ["a"]}), tmp_path / "f.parquet")
    with pytest.raises(UserError, match="not a features file"):
        read_table(tmp_path / "f.parquet")


def test_writing_and_reading_work_without_pandas_torch_and_scikit_learn(source, tmp_path):
    code = (
        "import sys, json; from pathlib import Path; from mimii.data.lookup import open_source\n"
        "from mimii.common.process import prepare_process\n"
        "from mimii.features.extraction import extract_features; from mimii.features.file import read_clips\n"
        "from mimii.data.sections import Section\n"
        "root, values, output = json.loads(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])\n"
        "prepare_process()\n"
        "extract_features(open_source(root), Section('6dB', 'fan', 'id_00'), values, output)\n"
        "read_clips(output, [3, 1])\n"
        "print([name for name in ('pandas', 'matplotlib', 'torch', 'sklearn') if name in sys.modules])"
    )
    arguments = [json.dumps(config(tmp_path / "data")), json.dumps(with_defaults()), str(tmp_path / "f.parquet")]
    assert subprocess.check_output([sys.executable, "-c", code, *arguments], text=True).strip() == "[]"


# Another source, and the script


class Archive(DatasetSource):
    """Clips inside a zip file: what a source of archives will hand over."""

    def sections(self):
        return [SECTION]

    def inputs(self, section):
        return [self.config["root"]]

    def fingerprint(self, section):
        return "x"

    def check(self, section):
        pass

    def clips(self, section):
        names = zipfile.ZipFile(self.config["root"]).namelist()
        return ordered_clips(*([n for n in names if f"/{label}/" in n] for label in ("normal", "abnormal")))

    def open(self, clip):
        return io.BytesIO(zipfile.ZipFile(self.config["root"]).read(clip.path))


def test_features_from_an_archive_are_those_of_its_folder(source, tmp_path):
    root = tmp_path / "data"
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for path in root.rglob("*.wav"):
            archive.write(path, path.relative_to(root))
    packed = Archive(config(tmp_path / "archive.zip", "archive"))
    extract_features(source, SECTION, with_defaults(), tmp_path / "folder.parquet")
    extract_features(packed, SECTION, with_defaults(), tmp_path / "archive.parquet")
    assert (tmp_path / "folder.parquet").read_bytes() == (tmp_path / "archive.parquet").read_bytes()


def run_script(root, output, **changes):
    job = {"section": SECTION.path, "settings": with_defaults(), "on_bad_clip": "stop", "listed": "x", **changes}
    job["code"] = job.get("code", features_code("folder", "log_mel"))
    command = [sys.executable, ROOT / "scripts" / "extract_features.py", "--dataset", json.dumps(config(root))]
    command += ["--job", json.dumps(job), "--output", output, "--record", output.with_suffix(".extraction.json")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_script(source, tmp_path):
    done = run_script(tmp_path / "data", tmp_path / "f.parquet")
    assert (done.returncode, done.stderr) == (0, "")
    assert read_table(tmp_path / "f.parquet").metadata.code == features_code("folder", "log_mel")
    record = read_extraction(tmp_path / "f.parquet")
    assert (record.section, record.clips) == (SECTION.path, 17)
    assert record.extraction_cpu_sec >= 0
    break_two(tmp_path)
    refused = run_script(tmp_path / "data", tmp_path / "g.parquet")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: section 6dB/fan/id_00: 2 clip(s) cannot be used")
    assert "Traceback" not in refused.stderr
    skipped = run_script(tmp_path / "data", tmp_path / "h.parquet", on_bad_clip="skip")
    assert skipped.returncode == 0
    assert skipped.stderr.count("skipped ") == 2
