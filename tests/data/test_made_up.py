"""Made-up recordings: the same bytes from a seed, the same machine at every SNR, MIMII's files."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from mimii.common.declarations import resolve
from mimii.common.errors import UserError
from mimii.data.lookup import open_source
from mimii.data.made_up.machines import MACHINES, Body, Machine
from mimii.data.made_up.recordings import (
    ARRAY_RADIUS,
    MACHINE_RMS,
    SNR_RANGE,
    SPEED_OF_SOUND,
    MachineID,
    NoiseField,
    delayed,
    make_section,
    random_generator,
    record,
    snr_in_decibels,
)
from mimii.data.sections import Section
from mimii.features.log_mel import Extractor as LogMel
from mimii.features.settings import feature_declarations
from mimii.planning.config import read_config, schema

ROOT = Path(__file__).resolve().parents[2]
REAL_CLIPS = ROOT.parent / "shared" / "real_clips" / "mimii"
REAL_FRAMES = ROOT.parent / "shared" / "real_frames"
FULL_SCALE = 2**15


def make(folder: Path, section: str = "6dB/fan/id_00", **changes) -> dict[str, str]:
    """A tiny section: recording -> checksum."""
    arguments = {"normal_clips": 2, "abnormal_clips": 1, "seconds": 0.5, "channels": 2, "seed": 0} | changes
    make_section(folder, Section.parse(section), **arguments)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.wav"))
    }


@pytest.mark.parametrize("machine", MACHINES)
def test_the_same_bytes_from_a_seed_and_others_from_another(tmp_path: Path, machine: str) -> None:
    section = f"6dB/{machine}/id_00"
    first = make(tmp_path / "first", section)
    assert list(first) == ["abnormal/00000000.wav", "normal/00000000.wav", "normal/00000001.wav"]
    assert len(set(first.values())) == 3
    assert make(tmp_path / "again", section) == first
    assert not set(make(tmp_path / "seed", section, seed=1).values()) & set(first.values())
    assert not set(make(tmp_path / "id", f"6dB/{machine}/id_02").values()) & set(first.values())


@pytest.mark.parametrize("machine", MACHINES)
def test_each_kind_of_fault_is_made_equally_often_and_recorded(tmp_path: Path, machine: str) -> None:
    make(tmp_path / "6dB" / machine / "id_00", f"6dB/{machine}/id_00", abnormal_clips=6, channels=1)
    made_up = {"snrs": ["6dB"], "machines": [machine], "ids": ["id_00"]}
    config = {"source": "made_up", "root": str(tmp_path), "made_up": made_up}
    source = open_source(config | dict.fromkeys(("snrs", "machines", "ids"), "all"))
    recordings = source.recordings(Section.parse(f"6dB/{machine}/id_00"))
    kinds = Counter(recording.attributes for recording in recordings if recording.label == "abnormal")
    assert kinds == dict.fromkeys(MACHINES[machine].faults, 2)
    assert {recording.attributes for recording in recordings if recording.label == "normal"} == {""}


def test_clips_vary_in_level_and_spectrum_as_real_ones_do(real_clip_means: dict[str, np.ndarray]) -> None:
    """Deviation of clip means, and in how many directions they vary: within the range of MIMII's four fans."""
    made = np.array([clip_mean(number) for number in range(40)])
    real = list(real_clip_means.values())
    for measure, leeway in ((deviation, 1.3), (directions, 1.3)):
        values = [measure(means) for means in real]
        assert min(values) / leeway < measure(made) < max(values) * leeway, measure.__name__


@pytest.fixture
def real_clip_means() -> dict[str, np.ndarray]:
    """Clip means (clips, bands), dB, of normal clips of each fan at -6 dB."""
    path = REAL_FRAMES / "mimii_fan_clip_means.parquet"
    if not path.is_file():
        pytest.skip("needs shared/real_frames beside the project")
    table = pq.read_table(path, filters=[("snr", "=", "min6dB"), ("label", "=", "normal")])
    means = np.array(table["log_mel"].to_pylist()) * (10 / np.log(10))
    ids = np.array(table["id"].to_pylist())
    return {id: means[ids == id] for id in sorted(set(ids))}


@cache
def fan() -> MachineID:
    return MachineID("fan", "id_00", 0)


def clip_mean(number: int) -> np.ndarray:
    """Mean log-mel of a normal clip of a fan at -6 dB."""
    maker = fan()
    sound = maker.signal("normal", number, 32_000)
    heard = record(sound, NoiseField(random_generator("noise", number), 32_000), maker.azimuth, -6, 1)
    return LogMel(resolve(feature_declarations())).log_mel(heard[:, 0].astype(np.float32) / FULL_SCALE).mean(axis=0)


def deviation(means: np.ndarray) -> float:
    """Of a band's level from clip to clip, dB: the median over bands."""
    return float(np.median(means.std(axis=0, ddof=1)))


def directions(means: np.ndarray) -> float:
    """In how many directions clip means vary: the participation ratio of the covariance's eigenvalues."""
    shares = np.linalg.svd(means - means.mean(axis=0), compute_uv=False) ** 2
    return float(shares.sum() ** 2 / np.square(shares).sum())


def run_script(folder: Path, section: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command that the rule calls, with what `make` asks for."""
    job = {"normal_clips": 2, "abnormal_clips": 1, "seconds": 0.5, "channels": 2, "seed": 0}
    command = [sys.executable, str(ROOT / "scripts" / "make_demo_dataset.py")]
    command += ["--record", str(folder / "made_up.json"), "--section", section, "--job", json.dumps(job)]
    return subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src")} | environment)


def test_the_script_makes_the_same_bytes_without_the_processors_vector_instructions(tmp_path: Path) -> None:
    here = make(tmp_path / "here", "min6dB/slider/id_04")
    plain = {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"}
    if vector_instructions := np.show_config("dicts")["SIMD Extensions"].get("found"):
        plain["NPY_DISABLE_CPU_FEATURES"] = " ".join(vector_instructions)
    done = run_script(tmp_path / "there", "min6dB/slider/id_04", **plain)
    assert done.returncode == 0, done.stderr
    there = {path: hashlib.sha256((tmp_path / "there" / path).read_bytes()).hexdigest() for path in here}
    assert there == here


def test_more_clips_leave_the_earlier_ones_as_they_were(tmp_path: Path) -> None:
    few = make(tmp_path / "few")
    many = make(tmp_path / "many", normal_clips=5, abnormal_clips=4)
    assert few.items() <= many.items()
    assert len(many) == 9


@pytest.mark.parametrize("machine", MACHINES)
def test_the_machine_is_the_same_at_every_snr(tmp_path: Path, machine: str) -> None:
    """What is left after subtracting the machine is noise: louder by the difference of the SNRs, and another one."""
    sound = MachineID(machine, "id_00", 0).signal("abnormal", 0, 16_000)
    noises = []
    for snr in ("6dB", "min6dB"):
        make(tmp_path / snr, f"{snr}/{machine}/id_00", seconds=1.0, channels=1)
        heard, _ = soundfile.read(tmp_path / snr / "abnormal" / "00000000.wav")
        noises.append(heard - sound)
    decibels = [20 * np.log10(np.sqrt(np.mean(noise**2)) / MACHINE_RMS) for noise in noises]
    assert decibels == pytest.approx([-6, 6], abs=0.5)
    assert abs(np.corrcoef(noises)[0, 1]) < 0.2


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("id", ["id_00", "Halle-7.b"])
def test_normal_clips_have_the_snr_on_average(machine: str, id: str) -> None:
    maker = MachineID(machine, id, 3)
    powers = [np.mean(maker.signal("normal", number, 64_000) ** 2) for number in range(24)]
    assert 10 * np.log10(np.mean(powers) / MACHINE_RMS**2) == pytest.approx(0, abs=1.2)
    assert np.std(10 * np.log10(powers)) > 0.3  # load and level differ from clip to clip
    noise = NoiseField(random_generator(id, machine), 64_000)
    silence = np.zeros(64_000, dtype=np.float32)
    heard = record(silence, noise, maker.azimuth, -6, 8) / FULL_SCALE
    assert 10 * np.log10(np.mean(heard**2, axis=0) / MACHINE_RMS**2) == pytest.approx(6, abs=0.8)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_fault_changes_the_sound_and_more_so_when_severe(machine: str) -> None:
    made: Machine = MACHINES[machine](random_generator("faults", machine))

    def spectrum(fault: str | None, severity: float) -> np.ndarray:
        """Mean and spread over time of the level in 32 bands, dB, of several recordings."""
        clips = [made.signal(random_generator(clip), 48_000, fault, severity) for clip in range(6)]
        frames = np.concatenate(clips).reshape(-1, 500) * np.hanning(500)
        power = np.abs(np.fft.rfft(frames)[:, 1:-1]) ** 2
        level = 10 * np.log10(1.0 + power[:, :224].reshape(-1, 32, 7).mean(axis=2))  # a valve at rest is silent
        return np.concatenate([level.mean(axis=0), level.std(axis=0)])

    normal = spectrum(None, 0.0)
    for fault in made.faults:
        slight, severe = (np.abs(spectrum(fault, severity) - normal).max() for severity in (0.2, 1.0))
        assert severe > slight, fault
        assert severe > 0.5, fault


@pytest.mark.parametrize("machine", MACHINES)
def test_loudness_does_not_give_the_faults_away(machine: str) -> None:
    """AUC of the plain energy of 30 + 30 machine recordings over four machine IDs: the fault must be in the sound."""
    areas = []
    for id in ("id_00", "id_02", "id_04", "id_06"):
        maker = MachineID(machine, id, 0)
        normal, abnormal = (
            np.array([np.mean(maker.signal(label, number, 32_000) ** 2) for number in range(30)])
            for label in ("normal", "abnormal")
        )
        areas.append(np.mean(abnormal[:, None] > normal))
    assert 0.35 < np.mean(areas) < 0.65


@pytest.mark.parametrize("snr", ["6dB", "min6dB"])
@pytest.mark.parametrize("machine", MACHINES)
def test_nothing_clips(machine: str, snr: str) -> None:
    maker = MachineID(machine, "id_00", 0)
    for label in ("normal", "abnormal"):
        for number in range(4):
            noise = NoiseField(random_generator(0, label, number), 32_000)
            sound = maker.signal(label, number, 32_000)
            heard = record(sound, noise, maker.azimuth, snr_in_decibels(snr), 8)
            assert np.abs(heard.astype(int)).max() < 0.8 * FULL_SCALE
            assert np.abs(heard.astype(int)).max() > 100


def test_files_are_those_of_mimii(tmp_path: Path) -> None:
    make(tmp_path, channels=8)
    info = soundfile.info(tmp_path / "normal" / "00000000.wav")
    assert (info.format, info.subtype, info.samplerate, info.channels) == ("WAVEX", "PCM_16", 16_000, 8)
    assert info.frames == 8_000
    make(tmp_path, channels=1)
    info = soundfile.info(tmp_path / "normal" / "00000000.wav")
    assert (info.format, info.subtype, info.channels, info.frames) == ("WAVEX", "PCM_16", 1, 8_000)


def test_the_header_is_that_of_a_real_clip(tmp_path: Path) -> None:
    real = next(REAL_CLIPS.rglob("*.wav"), None)
    if real is None:
        pytest.skip("needs shared/real_clips/mimii beside the project")
    make(tmp_path, normal_clips=1, seconds=10.0, channels=8)
    made = (tmp_path / "normal" / "00000000.wav").read_bytes()
    assert made[:80] == real.read_bytes()[:80]
    assert len(made) == real.stat().st_size


def test_microphones_hear_a_distant_source_earlier_or_later() -> None:
    time = np.arange(8_000) / 16_000
    wave = np.sin(2 * np.pi * 1_000 * time).astype(np.float32)
    assert np.array_equal(delayed(wave, 1.0, 0.0), wave)
    later = 2 * ARRAY_RADIUS / SPEED_OF_SOUND  # from the first microphone to the opposite one
    for azimuth, lag in ((0.0, later), (np.pi, -later), (np.pi / 2, 0.0)):
        expected = np.sin(2 * np.pi * 1_000 * (time - lag))
        assert delayed(wave, azimuth, np.pi)[20:-20] == pytest.approx(expected[20:-20], abs=0.01)


def test_microphones_differ() -> None:
    maker = MachineID("pump", "id_00", 0)
    noise = NoiseField(random_generator(1), 32_000)
    heard = record(maker.signal("normal", 0, 32_000), noise, maker.azimuth, 0, 8).astype(float)
    related = np.corrcoef(heard.T)[np.triu_indices(8, 1)]
    assert (related < 0.98).all()
    assert related.max() > 0.2


def test_a_body_rings_at_its_own_frequencies() -> None:
    body = Body(random_generator("body"), 300.0, 5000.0)
    ring = body.ring(seconds=1.0)
    loudest = np.argmax(np.abs(np.fft.rfft(ring)))
    assert np.abs(body.frequencies - loudest).min() < 2.0
    assert body.response(body.frequencies).min() > body.response(np.array([20.0]))[0]


@pytest.mark.parametrize(("name", "decibels"), [("6dB", 6), ("0dB", 0), ("min6dB", -6), ("min20dB", -20), ("12dB", 12)])
def test_snr_names(name: str, decibels: int) -> None:
    assert snr_in_decibels(name) == decibels


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("6dB/gearbox/id_00", {}, "machine type 'gearbox'.*fan, pump, slider, valve"),
        ("loud/fan/id_00", {}, "SNR 'loud'.*min6dB"),
        ("-6dB/fan/id_00", {}, "SNR '-6dB'"),
        ("min60dB/fan/id_00", {}, "min20dB to 40dB"),
        ("6dB/fan/id_00", {"normal_clips": 0}, "normal clips: 0"),
        ("6dB/fan/id_00", {"abnormal_clips": -1}, "abnormal clips: -1"),
        ("6dB/fan/id_00", {"channels": 0}, "channels: 0"),
        ("6dB/fan/id_00", {"seconds": 0.0}, "at least 0.5 s"),
        ("6dB/fan/id_00", {"seconds": -1.0}, "at least 0.5 s"),
        ("6dB/fan/id_00", {"seconds": float("nan")}, "at least 0.5 s"),
        ("6dB/fan/id_00", {"seconds": float("inf")}, "at least 0.5 s"),
        ("6dB/fan/id_00", {"seconds": 1e6, "channels": 8}, "4 GiB"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(
    tmp_path: Path, section: str, changes: dict, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make(tmp_path / "section", section, **changes)
    assert not (tmp_path / "section").exists()


def test_clips_of_another_dataset_are_not_mixed_in(tmp_path: Path) -> None:
    clip = tmp_path / "normal" / "00000000.wav"
    clip.parent.mkdir()
    clip.write_text("of great value")
    with pytest.raises(UserError, match="holds something that was not made up"):
        make(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [clip]
    assert clip.read_text() == "of great value"


def test_what_was_made_up_before_is_replaced(tmp_path: Path) -> None:
    make(tmp_path / "again", normal_clips=3, seed=1)
    (tmp_path / "again" / "made_up.json").unlink()  # as after a kill
    assert make(tmp_path / "again") == make(tmp_path / "first")
    records = [(tmp_path / name / "made_up.json").read_text() for name in ("again", "first")]
    assert records[0] == records[1]


def test_made_up_recordings_that_were_changed_by_hand_are_refused(tmp_path: Path) -> None:
    section = Section("6dB", "fan", "id_00")
    folder = tmp_path / section.path
    make_section(folder, section, normal_clips=12, abnormal_clips=2, seconds=0.5, channels=1, seed=0)
    made_up = {"snrs": ["6dB"], "machines": ["fan"], "normal_clips": 12, "abnormal_clips": 2, "seconds": 0.5}
    dataset = {"source": "made_up", "root": str(tmp_path), "made_up": made_up}

    def clips() -> int:
        source = open_source(read_config({"dataset": dataset, "models": {"pca": {}}})["dataset"])
        return len(source.clips(section))

    assert clips() == 14
    clip = folder / "normal/00000003.wav"
    content = clip.read_bytes()
    clip.write_bytes(content)  # as after a copy
    os.utime(clip, (2**32, 2**32))
    assert clips() == 14
    clip.write_bytes(content[:-2] + b"xy")
    os.utime(clip, (2**32, 2**32))
    with pytest.raises(UserError, match=r"1 made-up recording.* changed.*normal/00000003.wav; remove .*made_up.json"):
        clips()
    clip.unlink()
    with pytest.raises(UserError, match=r"removed, the first: normal/00000003.wav"):
        clips()
    clip.write_bytes(content)
    (folder / "abnormal/9.wav").write_bytes(content)
    with pytest.raises(UserError, match=r"added or removed, the first: abnormal/9.wav"):
        clips()


def test_the_configuration_admits_what_can_be_made() -> None:
    declared = schema()["properties"]["dataset"]["properties"]["made_up"]["properties"]
    assert declared["machines"]["items"]["enum"] == list(MACHINES)
    admitted = re.compile(declared["snrs"]["items"]["pattern"])
    lowest, highest = SNR_RANGE
    for number in range(-150, 150):
        name = f"{'min' if number < 0 else ''}{abs(number)}dB"
        assert bool(admitted.search(name)) == (lowest <= number <= highest)


def test_the_script_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    done = run_script(tmp_path / "section", "6dB/gearbox/id_00")
    assert done.returncode == 1
    assert done.stderr.startswith("error: machine type 'gearbox'")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "section").exists()


@settings(max_examples=12)
@given(
    machine=st.sampled_from(list(MACHINES)),
    id=st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True),
    snr=st.integers(-20, 40),
    normal_clips=st.integers(1, 2),
    abnormal_clips=st.integers(1, 2),
    seconds=st.floats(0.5, 1.5),
    channels=st.integers(1, 9),
    seed=st.integers(0, 2**32),
)
def test_any_small_section(machine, id, snr, normal_clips, abnormal_clips, seconds, channels, seed) -> None:
    name = f"{'min' if snr < 0 else ''}{abs(snr)}dB"
    with tempfile.TemporaryDirectory() as folder:
        files = make(
            Path(folder),
            f"{name}/{machine}/{id}",
            normal_clips=normal_clips,
            abnormal_clips=abnormal_clips,
            seconds=seconds,
            channels=channels,
            seed=seed,
        )
        assert len(files) == normal_clips + abnormal_clips
        for file in files:
            heard, rate = soundfile.read(Path(folder, file), dtype="int16", always_2d=True)
            assert rate == 16_000
            assert heard.shape == (round(seconds * 16_000), channels)
            assert 0 < np.abs(heard.astype(int)).max() < FULL_SCALE - 1
