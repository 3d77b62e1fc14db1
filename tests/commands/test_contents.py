"""check_dataset --content: recordings that are only listed otherwise run nothing again; others are named."""

import os
import shutil
from pathlib import Path

import pytest
import soundfile
import yaml
from small_benchmark import RATE, SECTION, STAGES, Benchmark, noise, working_in, write_section

from mimii.commands.contents import check_contents, features_tables
from mimii.commands.main import main
from mimii.common.errors import UserError
from mimii.data.sections import Section
from mimii.features.contents import SectionContents
from mimii.planning import job_parameters
from mimii.planning.plan import Plan

FOLDER = Path("data", SECTION)
LONG_AGO, NOW = 10**18, 17 * 10**17


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A benchmark whose recordings have one time."""
    folder = tmp_path_factory.mktemp("finished")
    with working_in(folder):
        write_section(FOLDER)
        set_times(LONG_AGO)
        benchmark = Benchmark()
        for stage in STAGES[: STAGES.index("merge") + 1]:
            getattr(benchmark, stage)()
    return folder


@pytest.fixture
def benchmark(finished, tmp_path, monkeypatch):
    """A copy of it, in the working directory, planned."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    benchmark = Benchmark()
    benchmark.planning()
    return benchmark


def set_times(time):
    for clip in FOLDER.rglob("*.wav"):
        os.utime(clip, ns=(time, time))


def features_job(benchmark):
    benchmark.planning()
    return job_parameters.features_job(benchmark.plan, "default", benchmark.section)


def checked(benchmark):
    said = []
    count = check_contents(benchmark.plan, said.append)
    return count, said[0]


def test_untouched_recordings_are_those_of_the_features(benchmark):
    assert checked(benchmark) == (0, f"{SECTION}: the recordings of which the features were made")
    assert not Path("results/features/same_recordings.json").exists()


def test_copied_recordings_are_planned_until_their_contents_were_compared(benchmark):
    before = features_job(benchmark)
    set_times(NOW)
    assert features_job(benchmark) != before
    with pytest.raises(UserError, match="check_dataset --content"):
        benchmark.merge()
    count, said = checked(benchmark)
    assert count == 0
    assert "the same recordings, with other times; noted" in said
    assert features_job(benchmark) == before
    benchmark.merge()
    assert "the recordings of which the features were made" in checked(benchmark)[1]


def test_two_clips_exchanged_are_seen_by_their_contents_alone(benchmark):
    before = features_job(benchmark)
    first, second = FOLDER / "normal/00000000.wav", FOLDER / "normal/00000007.wav"
    first.rename("kept")
    second.rename(first)
    Path("kept").rename(second)
    assert features_job(benchmark) == before
    count, said = checked(benchmark)
    assert count == 1
    assert f"--forcerun {benchmark.features_file}" in said


def test_a_clip_with_other_content_and_time_is_said_to_run_again(benchmark):
    soundfile.write(FOLDER / "normal/00000000.wav", noise(seed=99), RATE, subtype="PCM_16")
    benchmark.planning()
    count, said = checked(benchmark)
    assert count == 1
    assert "the next start makes again" in said
    assert not Path("results/features/same_recordings.json").exists()


def test_what_cannot_be_compared_is_said(benchmark):
    benchmark.features_file.write_bytes(b"")
    count, said = checked(benchmark)
    assert count == 1
    assert "cannot be compared" in said
    benchmark.features_file.unlink()
    assert checked(benchmark) == (0, f"{SECTION}: no features yet, so there is nothing to compare with")


@pytest.mark.parametrize("changes", [{"on_bad_clip": "skip"}, {"on_bad_clip": "skip", "clip_seconds": 0.125}])
def test_skipped_clips_and_parts_of_recordings_are_compared_too(tmp_path, monkeypatch, changes):
    monkeypatch.chdir(tmp_path)
    write_section(FOLDER, normal=14)
    broken = FOLDER / "normal/00000003.wav"
    soundfile.write(broken, noise(), RATE // 2, subtype="PCM_16")
    benchmark = Benchmark()
    benchmark.config["dataset"] |= changes
    benchmark.planning()
    benchmark.features()
    (table,) = features_tables(benchmark.plan, benchmark.section).values()
    assert table.skipped()
    assert same(benchmark.config, table)
    soundfile.write(broken, noise(), RATE, subtype="PCM_16")
    assert not same(benchmark.config, table)


def test_a_copy_that_is_skipped_is_compared_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_section(FOLDER, normal=14)
    benchmark = Benchmark()
    benchmark.config["dataset"]["on_bad_clip"] = "skip"
    benchmark.planning()
    paths = {clip.split: Path("data", clip.path) for clip in benchmark.plan.source.clips(benchmark.section)}
    shutil.copy(paths["train"], paths["test"])
    benchmark.features()
    (table,) = features_tables(benchmark.plan, benchmark.section).values()
    assert [path for path, _ in table.skipped()] == [str(paths["test"].relative_to("data"))]
    assert same(benchmark.config, table)
    soundfile.write(paths["test"], noise(seed=1000), RATE, subtype="PCM_16")
    assert not same(benchmark.config, table)


def same(config, table):
    return SectionContents(Plan(config).source, Section.parse(SECTION)).are_those_of(table)


def test_the_exit_code_of_check_dataset_is_its_verdict(tmp_path, monkeypatch, capsys):
    """A duplicate is named, and stands against nothing, unless it is trained and tested on; too few recordings do."""
    monkeypatch.setattr("mimii.common.provenance.REPOSITORY", tmp_path)
    monkeypatch.chdir(tmp_path)
    write_section(FOLDER)
    shutil.copy(FOLDER / "normal/00000005.wav", FOLDER / "normal/copy.wav")
    Path("config.yaml").write_text(yaml.safe_dump(Benchmark().config))
    assert verdict() == 0
    printed = capsys.readouterr()
    assert "duplicated: " in printed.out
    assert printed.err == ""
    shutil.copy(FOLDER / "normal/00000000.wav", FOLDER / "normal/copy.wav")
    assert verdict() == 1
    assert ": holds the same as the training clip 6dB/fan/id_00/normal/" in capsys.readouterr().out
    shutil.rmtree(FOLDER / "abnormal")
    assert verdict() == 1
    printed = capsys.readouterr()
    assert "cannot be run as configured; why stands above" in printed.out.splitlines()[-1]
    assert printed.err.startswith("error: 1 section(s) that cannot be run")


def verdict():
    with pytest.raises(SystemExit) as ended:
        main(["check_dataset", "--configfile", "config.yaml"])
    return ended.value.code
