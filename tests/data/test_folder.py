import os
import subprocess
import sys
from pathlib import Path

import pytest

from mimii.common.errors import UserError
from mimii.data.lookup import open_source, source_names
from mimii.data.sections import Section

FAN = Section("6dB", "fan", "id_00")


def config(root, source="folder", **changes):
    return {"source": source, "root": str(root), "snrs": "all", "machines": "all", "ids": "all", **changes}


def made_up(**changes):
    settings = {"snrs": ["6dB", "min6dB"], "machines": ["fan", "pump"], "ids": ["id_00"]}
    recordings = {"normal_clips": 30, "abnormal_clips": 10, "seconds": 1, "channels": 2, "seed": 0}
    return {**settings, **recordings, **changes}


def lay_out(root, sections, normal=12, abnormal=2):
    """Empty files: planning never opens a clip."""
    for section in sections:
        for label, count in (("normal", normal), ("abnormal", abnormal)):
            folder = Path(root, section, label)
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{number:08d}.wav").touch()


@pytest.fixture
def root(tmp_path):
    lay_out(tmp_path, ["6dB/fan/id_00", "6dB/fan/id_02", "6dB/pump/id_00", "min6dB/fan/id_00"])
    return tmp_path


def paths(source):
    return [section.path for section in source.sections()]


def test_folder_finds_the_layouts_sections_and_nothing_else(root):
    (root / "README.md").touch()
    (root / ".hidden" / "fan" / "id_00" / "normal").mkdir(parents=True)
    (root / "notes" / "2019" / "may").mkdir(parents=True)
    (root / "6dB" / "fan" / "license.txt").touch()
    assert paths(open_source(config(root))) == ["6dB/fan/id_00", "6dB/fan/id_02", "6dB/pump/id_00", "min6dB/fan/id_00"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"snrs": ["min6dB"]}, ["min6dB/fan/id_00"]),
        ({"machines": ["pump"]}, ["6dB/pump/id_00"]),
        ({"snrs": ["6dB"], "machines": ["fan"], "ids": ["id_02", "id_00"]}, ["6dB/fan/id_00", "6dB/fan/id_02"]),
    ],
)
def test_filters(root, filters, expected):
    assert paths(open_source(config(root, **filters))) == expected


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"snrs": ["6db"]}, r"dataset.snrs: '6db' is not in .*did you mean '6dB'"),
        ({"machines": ["fan", "valve"]}, r"dataset.machines: 'valve' is not in .*there are fan, pump"),
        ({"machines": ["pump"], "ids": ["id_00", "id_02"]}, r"dataset.ids: 'id_02' is in .*no section that the other"),
    ],
)
def test_filters_that_select_nothing_are_refused(root, filters, message):
    with pytest.raises(UserError, match=message):
        open_source(config(root, **filters)).sections()


def test_missing_and_empty_roots_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"dataset.root: there is no folder .*nowhere"):
        open_source(config(tmp_path / "nowhere")).sections()
    with pytest.raises(UserError, match=r"dataset.root: no recordings in .*expected <SNR>"):
        open_source(config(tmp_path)).sections()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="there is no folder"):
        open_source(config(tmp_path / "file")).sections()


@pytest.mark.parametrize("name", ["my fan", "fan'", 'fan"', "fan\n", "фен", "{fan}", "$(fan)"])
def test_section_names_that_could_harm_are_refused_unless_filtered_out(root, name):
    lay_out(root, [f"6dB/{name}/id_00"])
    with pytest.raises(UserError, match="only letters, digits"):
        open_source(config(root)).sections()
    assert len(open_source(config(root, machines=["fan"])).sections()) == 3


@pytest.mark.parametrize("name", ["a clip.wav", "it's.wav", 'a"b.wav', "two\nlines.wav", "ü音.wav", "{x}.WAV", "-.wav"])
def test_clip_names_may_be_anything(root, name):
    (root / FAN.path / "normal" / name).touch()
    source = open_source(config(root))
    assert f"{FAN.path}/normal/{name}" in [clip.path for clip in source.clips(FAN)]
    assert source.fingerprint(FAN)


def test_clip_names_that_are_no_text_are_refused(root):
    os.close(os.open(os.fsencode(root / FAN.path / "normal") + b"/\xff.wav", os.O_CREAT))
    with pytest.raises(UserError, match="not valid UTF-8"):
        open_source(config(root)).fingerprint(FAN)


def test_label_folders_in_another_case_are_refused(root):
    (root / FAN.path / "normal").rename(root / FAN.path / "Normal")
    with pytest.raises(UserError, match=r"Normal': rename it to 'normal'"):
        open_source(config(root)).check(FAN)


def test_sections_that_differ_in_case_alone_are_refused(root):
    lay_out(root, ["6dB/Fan/id_00"])
    with pytest.raises(UserError, match="upper and lower case alone"):
        open_source(config(root)).sections()


def test_links_are_followed(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    lay_out(elsewhere, ["id_04"])
    (root / "6dB" / "fan" / "id_04").symlink_to(elsewhere / "id_04")
    (root / FAN.path / "normal" / "linked.wav").symlink_to(elsewhere / "id_04" / "normal" / "00000000.wav")
    source = open_source(config(root))
    assert "6dB/fan/id_04" in paths(source)
    assert len(source.clips(FAN)) == 15


def test_broken_and_looping_links_are_refused(root):
    normal = root / FAN.path / "normal"
    (normal / "broken.wav").symlink_to(normal / "nowhere")
    with pytest.raises(UserError, match=r"symbolic link .*broken.wav' leads nowhere"):
        open_source(config(root)).fingerprint(FAN)
    (normal / "broken.wav").unlink()
    (normal / "loop.wav").symlink_to(normal / "loop.wav")
    with pytest.raises(UserError, match=r"symbolic link .*loop.wav'"):
        open_source(config(root)).check(FAN)
    (root / "6dB" / "slider").symlink_to(root)
    with pytest.raises(UserError, match=r"slider' leads back to a folder"):
        open_source(config(root)).sections()


def test_what_is_no_recording_is_passed_over_or_refused(root):
    normal = root / FAN.path / "normal"
    for name in ("._00000000.wav", "notes.txt", "Thumbs.db", "00000000.mp4"):
        (normal / name).touch()
    (normal / "more").mkdir()
    source = open_source(config(root))
    assert len(source.clips(FAN)) == 14
    os.mkfifo(normal / "pipe.wav")
    with pytest.raises(UserError, match=r"pipe.wav' is not a file"):
        open_source(config(root)).clips(FAN)
    (normal / "pipe.wav").unlink()
    (normal / "folder.wav").mkdir()
    with pytest.raises(UserError, match=r"folder.wav' is not a file"):
        open_source(config(root)).clips(FAN)


@pytest.mark.parametrize(("normal", "abnormal"), [(0, 0), (0, 3), (20, 0), (11, 2), (3, 5)])
def test_sections_with_too_few_clips_are_refused(tmp_path, normal, abnormal):
    lay_out(tmp_path, ["6dB/fan/id_00"], normal, abnormal)
    with pytest.raises(UserError, match=rf"section 6dB/fan/id_00 \(in .*{abnormal} abnormal clips; at least 10"):
        open_source(config(tmp_path)).check(FAN)


def test_empty_section_is_reported_not_overlooked(root):
    (root / "6dB" / "fan" / "id_06").mkdir()
    source = open_source(config(root))
    empty = Section("6dB", "fan", "id_06")
    assert empty in source.sections()
    with pytest.raises(UserError, match="0 training, 0 normal test and 0 abnormal"):
        source.check(empty)


def test_clips_are_the_protocols_in_the_order_of_the_features(root):
    source = open_source(config(root))
    source.check(FAN)
    clips = source.clips(FAN)
    assert [(clip.label, clip.split) for clip in clips] == (
        [("normal", "train")] * 10 + [("normal", "test")] * 2 + [("abnormal", "test")] * 2
    )
    assert clips[0].path == "6dB/fan/id_00/normal/00000002.wav"
    assert Path(source.open(clips[0])).is_file()


def test_fingerprint_follows_the_clips_of_its_own_section(root):
    def fingerprints():
        source = open_source(config(root))
        return {section.path: source.fingerprint(section) for section in source.sections()}

    before = fingerprints()
    assert before == fingerprints()
    assert len(set(before.values())) == 4
    clip = root / FAN.path / "normal" / "00000003.wav"
    changes = (
        lambda: clip.write_bytes(b"longer"),
        lambda: os.utime(clip, ns=(1, 1)),
        lambda: clip.rename(clip.with_name("renamed.wav")),
        lambda: clip.touch(),
        lambda: clip.unlink(),
    )
    for change in changes:
        change()
        after = fingerprints()
        assert {path for path in after if after[path] != before[path]} == {FAN.path}
        before = after
    (root / FAN.path / "notes.txt").touch()
    assert fingerprints() == before


def test_fingerprint_is_independent_of_where_the_root_lies(root, tmp_path_factory):
    moved = tmp_path_factory.mktemp("moved") / "root"
    before = open_source(config(root)).fingerprint(FAN)
    root.rename(moved)
    assert open_source(config(moved)).fingerprint(FAN) == before


def test_made_up_answers_before_anything_exists(tmp_path):
    source = open_source(config(tmp_path / "none", "made_up", made_up=made_up()))
    assert paths(source) == ["6dB/fan/id_00", "6dB/pump/id_00", "min6dB/fan/id_00", "min6dB/pump/id_00"]
    assert source.inputs(FAN) == [str(tmp_path / "none" / "6dB" / "fan" / "id_00" / "made_up.json")]
    source.check(FAN)
    with pytest.raises(UserError, match="cannot be read"):
        source.clips(FAN)


def test_made_up_clips_are_those_of_the_same_folder(root):
    there, made = open_source(config(root)), open_source(config(root, "made_up", made_up=made_up()))
    assert made.clips(FAN) == there.clips(FAN)
    assert made.open(made.clips(FAN)[0]) == there.open(there.clips(FAN)[0])


def test_made_up_refuses_filters_and_counts_that_cannot_be(tmp_path):
    with pytest.raises(UserError, match=r"dataset.machines: 'valve' is not in dataset.made_up"):
        open_source(config(tmp_path, "made_up", made_up=made_up(), machines=["valve"])).sections()
    with pytest.raises(UserError, match=r"dataset.made_up.normal_clips"):
        open_source(config(tmp_path, "made_up", made_up=made_up(normal_clips=19))).check(FAN)
    with pytest.raises(UserError, match="only letters, digits"):
        open_source(config(tmp_path, "made_up", made_up=made_up(ids=["../id"]))).sections()


def test_made_up_fingerprint_follows_the_recordings_not_the_other_sections(tmp_path):
    def fingerprint(**changes):
        return open_source(config(tmp_path, "made_up", made_up=made_up(**changes))).fingerprint(FAN)

    assert fingerprint() == fingerprint(snrs=["6dB"], machines=["fan"], ids=["id_00", "id_02"])
    changed = [fingerprint(**{key: 7}) for key in ("normal_clips", "abnormal_clips", "seconds", "channels", "seed")]
    assert len({fingerprint(), *changed}) == 6


def test_unknown_sources_are_refused_with_the_nearest_name():
    assert {"folder", "made_up"} <= set(source_names())
    with pytest.raises(UserError, match=r"unknown source 'foldr'; did you mean 'folder'\?"):
        open_source({"source": "foldr"})


def test_planning_imports_nothing_heavy(root):
    code = (
        "import sys; from mimii.data.lookup import open_source\n"
        "from mimii.features.settings import check_feature_settings\n"
        f"source = open_source({config(root)!r})\n"
        "[source.check(s) or source.fingerprint(s) for s in source.sections()]\n"
        "print([m for m in ('numpy', 'torch', 'pandas', 'pyarrow', 'scipy', 'soundfile') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
