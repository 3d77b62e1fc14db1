"""Recordings inside archives: which are listed, which are refused, and that features do not depend on the layout."""

import io
import itertools
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirror import clip_bytes, packed, small_archive, table

from mimii.common.declarations import resolve
from mimii.common.errors import BadClipError, UserError
from mimii.data import archive as module
from mimii.data import published as official
from mimii.data.archive import Archive, list_archive
from mimii.data.lookup import open_source
from mimii.data.sections import Section
from mimii.features.extraction import extract_features
from mimii.features.settings import feature_declarations

REAL_CLIPS = Path(__file__).resolve().parents[2].parent / "shared" / "real_clips" / "mimii"
FAN = Section("6dB", "fan", "id_00")
WAV = "fan/id_00/normal/00000000.wav"


def config(root, source="folder", **changes):
    return {"source": source, "root": str(root), "snrs": "all", "machines": "all", "ids": "all", **changes}


def written(path, members, **how):
    path.write_bytes(packed(members, **how))
    return str(path)


def listed(path):
    return [recording.path for found in list_archive(path, "6dB", "fan").values() for recording in found]


def test_the_names_of_the_archives_are_snrs_and_machines():
    assert official.snr_and_machine("6_dB_fan.zip") == official.snr_and_machine("6_dB_fan") == ("6dB", "fan")
    assert official.snr_and_machine("-6_dB_valve.zip") == ("min6dB", "valve")
    assert official.snr_and_machine("0_dB_pump") == ("0dB", "pump")
    for name in ("6dB", "fan.zip", "6_dB_fan.zip.part", "6_dB_fan (1).zip", "x6_dB_fan"):
        assert official.snr_and_machine(name) is None


def test_what_is_known_of_mimii():
    sections = official.sections()
    assert len(set(sections)) == 48
    assert len({archive.md5 for archive in official.archives().values()}) == 12
    assert official.clip_counts(FAN) == {"normal": 604 + 407, "abnormal": 407}
    assert official.clip_counts(Section("0dB", "pump", "id_06")) == {"normal": 934 + 102, "abnormal": 102}
    assert official.clip_counts(Section("6dB", "fan", "id_01")) is None
    assert official.clip_counts(Section("9dB", "fan", "id_00")) is None
    assert sum(sum(official.clip_counts(section).values()) for section in sections) == 3 * 18019
    assert official.archives()["min6dB", "fan"].name == "-6_dB_fan.zip"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_are_listed_and_read_without_unpacking(tmp_path, compression):
    members = {WAV: clip_bytes(0), "fan/id_02/abnormal/x y'é.WAV": clip_bytes(1)}
    path = written(
        tmp_path / "a.zip", {**members, "README.txt": b"x", "__MACOSX/fan/._a.wav": b"x"}, compression=compression
    )
    found = list_archive(path, "6dB", "fan")
    assert {id: [(r.path, r.label) for r in some] for id, some in found.items()} == {
        "id_00": [("6dB/" + WAV, "normal")],
        "id_02": [("6dB/fan/id_02/abnormal/x y'é.WAV", "abnormal")],
    }
    for name, content in members.items():
        assert Archive(path).read(name).read() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../fan/id_00/normal/0.wav", "leads out of the archive"),
        ("fan/id_00/normal/../../../../0.wav", "leads out of the archive"),
        ("/fan/id_00/normal/0.wav", "leads out of the archive"),
        ("fan\\id_00\\normal\\0.wav", "leads out of the archive"),
        ("C:/fan/id_00/normal/0.wav", "leads out of the archive"),
        ("fan/id_00/0.wav", "is out of place"),
        ("fan/id_00/normal/more/0.wav", "is out of place"),
        ("fan/id_00/Normal/0.wav", "is out of place"),
        ("pump/id_00/normal/0.wav", "is out of place"),
        ("fan/id_00.zip", "is an archive in the archive"),
        ("fan/id_00/normal/clips.tar.gz", "is an archive in the archive"),
    ],
)
def test_members_that_have_no_place_are_refused_by_name(tmp_path, name, says):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(WAV, b"x")
        archive.writestr(name, b"x")
    path = tmp_path / "6_dB_fan.zip"
    path.write_bytes(content.getvalue())
    with pytest.raises(UserError, match=says) as refused:
        listed(str(path))
    assert "6_dB_fan.zip" in str(refused.value)
    assert name in str(refused.value).replace("\\\\", "\\")


def edited(member, **changes):
    """An archive of one recording whose entry is changed, as a hostile or broken one may be."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(member, clip_bytes(0))
        for key, value in changes.items():
            setattr(archive.filelist[0], key, value)
    return content.getvalue()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"flag_bits": 1}, "is encrypted"),
        ({"compress_type": 9}, "is compressed by method 9"),
        ({"file_size": 10**10}, "has 10,000,000,000 bytes unpacked; a recording in an archive has at most 67,108,864"),
        ({"external_attr": 0o120777 << 16}, "is a symbolic link"),
    ],
)
def test_members_that_cannot_be_read_safely_are_refused(tmp_path, changes, says):
    path = tmp_path / "6_dB_fan.zip"
    path.write_bytes(edited(WAV, **changes))
    with pytest.raises(UserError, match=f"{WAV}' {says}"):
        listed(str(path))


def test_a_member_that_unpacks_to_more_than_it_says_is_refused(tmp_path):
    path = tmp_path / "6_dB_fan.zip"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(WAV, b"\0" * (1 << 24))
        archive.filelist[0].file_size = 1000
    path.write_bytes(content.getvalue())
    with pytest.raises(BadClipError, match="damaged in the archive"):
        Archive(str(path)).read(WAV)


def test_a_member_that_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "6_dB_fan.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(WAV, b"a")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(WAV, b"b")
    with pytest.raises(UserError, match="is there twice"):
        listed(str(path))


def test_sources_with_one_relative_root_read_their_own_archives(tmp_path, monkeypatch):
    """Each is opened in a working directory of its own."""
    for seed in (0, 1):
        members = small_archive(ids=("id_00",), seed=seed)
        (tmp_path / str(seed) / "data").mkdir(parents=True)
        written(tmp_path / str(seed) / "data" / "6_dB_fan.zip", members)
        monkeypatch.chdir(tmp_path / str(seed))
        source = open_source(config("data"))
        clip = source.clips(FAN)[0]
        assert source.open(clip).read() == members[clip.path.removeprefix("6dB/")]


def test_archives_that_are_none_or_cut_off_are_refused(tmp_path):
    path = tmp_path / "6_dB_fan.zip"
    whole = packed(small_archive())
    for content in (b"", b"<html>", whole[: len(whole) // 2], whole[:-10]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is cut off, damaged or no zip file"):
            listed(str(path))
    with pytest.raises(UserError, match="cannot be read"):
        listed(str(tmp_path / "none.zip"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_archives_are_read_rightly_or_refused(tmp_path, data):
    members = small_archive(ids=("id_00",), normal=2, abnormal=1)
    content = bytearray(packed(members))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1) | st.integers(max(len(content) - 700, 0), len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path / f"{data.draw(st.uuids())}.zip"
    path.write_bytes(content)
    try:
        for found in list_archive(str(path), "6dB", "fan").values():
            for recording in found:
                assert Archive(str(path)).read(recording.file).read() in members.values()
    except UserError as error:
        assert str(path) in str(error)  # noqa: PT017 (it may as well be readable)


def test_a_member_without_a_name_is_damage(tmp_path):
    """Its name starts with a zero byte, where zipfile cuts names off."""
    path = tmp_path / "6_dB_fan.zip"
    path.write_bytes(packed({WAV: b"x"}).replace(WAV.encode(), b"\0" + WAV.encode()[1:]))
    with pytest.raises(UserError, match=r"6_dB_fan\.zip"):
        list_archive(str(path), "6dB", "fan")


def test_a_damaged_member_is_named_and_may_be_skipped(tmp_path):
    content = packed(small_archive(ids=("id_00",)), compression=zipfile.ZIP_STORED)
    place = content.index(clip_bytes([0, 0, False, 7])) + 3000
    (tmp_path / "6_dB_fan.zip").write_bytes(content[:place] + b"oops" + content[place + 4 :])
    source = open_source(config(tmp_path))
    with pytest.raises(UserError, match=r"6_dB_fan.zip: fan/id_00/normal/00000007.wav is damaged in the archive"):
        extract_features(source, FAN, resolve(feature_declarations()), tmp_path / "features.parquet")
    extract_features(source, FAN, resolve(feature_declarations()), tmp_path / "f.parquet", on_bad_clip="skip")
    errors = pq.read_table(tmp_path / "f.parquet", columns=["error"]).column(0).to_pylist()
    assert sum(error is not None for error in errors) == 1


# Layouts


def lay_out(root, layout, snr, machine, members):
    """The members of an archive in one of the accepted layouts."""
    name = f"{snr.replace('min', '-').replace('dB', '_dB')}_{machine}"
    if layout == "zipped":
        written(root / f"{name}.zip", members)
    elif layout == "linked":
        real = root.parent / f"real_{root.name}"
        real.mkdir(exist_ok=True)
        written(real / name, members)
        (root / f"{name}.zip").symlink_to(real / name)
    else:
        folder = {"unpacked": root / name, "original": root / snr}[layout]
        for member, content in members.items():
            (folder / member).parent.mkdir(parents=True, exist_ok=True)
            (folder / member).write_bytes(content)


LAYOUTS = ["zipped", "linked", "unpacked", "original"]


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """A root of each layout with the same two sections."""
    found = {}
    for layout in LAYOUTS:
        found[layout] = tmp_path_factory.mktemp("data") / layout
        found[layout].mkdir()
        lay_out(found[layout], layout, "6dB", "fan", small_archive("fan", ("id_00",)))
        lay_out(found[layout], layout, "min6dB", "pump", small_archive("pump", ("id_02",), seed=1))
    return found


def test_every_layout_has_the_same_sections_and_clips(roots):
    sections = [FAN, Section("min6dB", "pump", "id_02")]
    expected = None
    for layout in LAYOUTS:
        source = open_source(config(roots[layout]))
        assert source.sections() == sections
        clips = [source.clips(section) for section in sections]
        expected = expected or clips
        assert clips == expected
        source.check(FAN)
    assert expected[0][0].path == "6dB/fan/id_00/normal/00000003.wav"


def test_features_are_the_same_from_every_layout(roots, tmp_path):
    values = resolve(feature_declarations())
    for layout in LAYOUTS:
        extract_features(open_source(config(roots[layout])), FAN, values, tmp_path / f"{layout}.parquet")
    assert len({(tmp_path / f"{layout}.parquet").read_bytes() for layout in LAYOUTS}) == 1


def test_real_recordings_give_the_same_features_from_every_layout(tmp_path):
    if not REAL_CLIPS.is_dir():
        pytest.skip(f"no real recordings in {REAL_CLIPS}")
    real = [path.read_bytes() for path in sorted(REAL_CLIPS.rglob("*.wav"))]
    taken = itertools.cycle(real)
    members = small_archive("fan", ("id_00",), normal=11, abnormal=1, clip=lambda key: next(taken))
    values = resolve(feature_declarations())
    for layout in LAYOUTS:
        (tmp_path / layout).mkdir()
        lay_out(tmp_path / layout, layout, "6dB", "fan", members)
        extract_features(open_source(config(tmp_path / layout)), FAN, values, tmp_path / f"{layout}.parquet")
    assert len({(tmp_path / f"{layout}.parquet").read_bytes() for layout in LAYOUTS}) == 1
    assert set(pq.read_table(tmp_path / "zipped.parquet", columns=["frames"]).column(0).to_pylist()) == {313}


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(["zipped", "unpacked", "original"], 2)))
def test_a_section_that_is_there_twice_is_refused(tmp_path, first, second):
    for layout in (first, second):
        lay_out(tmp_path, layout, "6dB", "fan", {WAV: b"x"})
    for ask in (lambda source: source.sections(), lambda source: source.clips(FAN)):
        with pytest.raises(UserError, match=r"section 6dB/fan/id_00 is there twice, in .* and in .*: remove one"):
            ask(open_source(config(tmp_path)))


def test_layouts_side_by_side_are_accepted(tmp_path):
    lay_out(tmp_path, "zipped", "6dB", "fan", {WAV: b"x"})
    lay_out(tmp_path, "unpacked", "0dB", "fan", {WAV: b"x"})
    lay_out(tmp_path, "original", "min6dB", "fan", {WAV: b"x"})
    assert [s.snr for s in open_source(config(tmp_path)).sections()] == ["0dB", "6dB", "min6dB"]


def test_a_folder_of_another_machine_is_refused(tmp_path):
    lay_out(tmp_path, "unpacked", "6dB", "fan", {"pump/id_00/normal/0.wav": b"x"})
    with pytest.raises(UserError, match="holds 'fan' alone"):
        open_source(config(tmp_path)).sections()


def test_archives_that_filters_leave_out_are_not_opened(tmp_path):
    lay_out(tmp_path, "zipped", "6dB", "fan", {WAV: b"x"})
    (tmp_path / "6_dB_pump.zip").write_bytes(b"half an archive")
    with pytest.raises(UserError, match=r"6_dB_pump.zip"):
        open_source(config(tmp_path)).sections()
    assert open_source(config(tmp_path, machines=["fan"])).sections() == [FAN]
    with pytest.raises(UserError, match=r"dataset.machines: 'valve' is not in .*there are fan, pump"):
        open_source(config(tmp_path, machines=["fan", "valve"])).sections()


def test_one_section_opens_one_archive(tmp_path):
    lay_out(tmp_path, "zipped", "6dB", "fan", small_archive(ids=("id_00",)))
    (tmp_path / "6_dB_pump.zip").write_bytes(b"half an archive")
    assert len(open_source(config(tmp_path)).clips(FAN)) == 17


def test_the_fingerprint_of_an_archive_follows_its_content_alone(tmp_path):
    members = small_archive(ids=("id_00", "id_02"), normal=2, abnormal=1)

    def fingerprints():
        source = open_source(config(tmp_path))
        return [source.fingerprint(Section("6dB", "fan", id)) for id in ("id_00", "id_02")]

    written(tmp_path / "6_dB_fan.zip", members)
    before = fingerprints()
    written(tmp_path / "6_dB_fan.zip", members, compression=zipfile.ZIP_STORED)
    assert fingerprints() == before
    written(tmp_path / "6_dB_fan.zip", {**members, WAV: clip_bytes(99)})
    after = fingerprints()
    assert after[0] != before[0]
    assert after[1] == before[1]


# The zenodo source


@pytest.fixture
def small_mimii(monkeypatch, tmp_path):
    """Folder whose archive is the published one, for a while."""
    content = packed(small_archive())
    (tmp_path / "published.yaml").write_text(
        table({"6_dB_fan.zip": content}, {"fan": {"id_00": (14, 3), "id_02": (14, 3)}})
    )
    monkeypatch.setattr(official, "__file__", str(tmp_path / "published.py"))
    official.published_data.cache_clear()
    yield content
    monkeypatch.undo()
    official.published_data.cache_clear()


def test_zenodo_answers_before_anything_is_there(tmp_path):
    source = open_source(config(tmp_path / "none", "zenodo"))
    assert len(source.sections()) == 48
    for section in source.sections():
        source.check(section)
    assert len({source.fingerprint(section) for section in source.sections()}) == 48
    assert open_source(config(tmp_path, "zenodo", snrs=["0dB"], ids=["id_00"])).all_archive_names() == [
        "0_dB_fan.zip",
        "0_dB_pump.zip",
        "0_dB_slider.zip",
        "0_dB_valve.zip",
    ]
    with pytest.raises(UserError, match=r"dataset.machines: 'fun' is not in MIMII \(did you mean 'fan'\?\)"):
        open_source(config(tmp_path, "zenodo", machines=["fun"])).sections()
    with pytest.raises(UserError, match="section 6dB/fan/id_01 is not MIMII's"):
        source.fingerprint(Section("6dB", "fan", "id_01"))


def test_zenodo_reads_only_the_published_archive(tmp_path, small_mimii):
    source = open_source(config(tmp_path, "zenodo"))
    with pytest.raises(UserError, match=r"6_dB_fan.zip' cannot be read"):
        source.clips(FAN)
    (tmp_path / "6_dB_fan.zip").write_bytes(small_mimii)
    assert len(source.clips(FAN)) == 17
    assert source.clips(FAN) == open_source(config(tmp_path)).clips(FAN)
    (tmp_path / "6_dB_fan.zip").write_bytes(packed(small_archive(seed=5)))
    with pytest.raises(UserError, match=r"6_dB_fan.zip' is corrupted or was replaced"):
        open_source(config(tmp_path, "zenodo")).clips(FAN)


def test_planning_does_not_import_what_downloads(tmp_path):
    code = (
        "import sys; from mimii.data.lookup import open_source\n"
        f"source = open_source({config(tmp_path, 'zenodo')!r})\n"
        "[source.check(s) or source.fingerprint(s) for s in source.sections()]\n"
        "print([m for m in ('requests', 'urllib3', 'numpy', 'soundfile') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_how_an_archive_is_downloaded_is_no_part_of_a_features_identity():
    from mimii.common.fingerprints import modules_of

    for source in ("zenodo", "folder"):
        assert "mimii.data.download" not in modules_of(["mimii.features.extraction", f"mimii.data.sources.{source}"])


def test_a_large_archive_is_listed_in_no_time_worth_caching(tmp_path):
    """An archive has 5,500 members: they are listed at every start, so listing reads the directory alone."""
    members = {f"fan/id_00/normal/{number:08d}.wav": b"" for number in range(200)}
    path = written(tmp_path / "6_dB_fan.zip", members)
    shutil.copy(path, tmp_path / "copy.zip")
    opened = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.zipfile.ZipFile, "open", lambda *arguments, **named: opened.append(arguments))
        assert len(listed(path)) == 200
    assert not opened
