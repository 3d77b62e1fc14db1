import errno
import hashlib
import os
import random
import threading
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirror import packed, serving
from urllib3.util import Retry

from mimii.common.errors import UserError
from mimii.data import download as module
from mimii.data.archive import read_record, verify
from mimii.data.download import Progress, check_space, download_archive, remove_archive
from mimii.data.published import PublishedArchive

NAME = "6_dB_fan.zip"
CONTENT = packed({f"fan/id_00/normal/{k:08d}.wav": random.Random(k).randbytes(40_000) for k in range(10)})
SHORT = Retry(total=3, backoff_factor=0.001, backoff_max=0.01, status_forcelist=module.BUSY)


def published(content=CONTENT, name=NAME, exact=True):
    return PublishedArchive(name, len(content), exact, hashlib.md5(content, usedforsecurity=False).hexdigest())


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(module, "CHUNK", 1 << 12)
    with serving({NAME: CONTENT}) as mirror:
        yield mirror


@pytest.fixture
def said():
    return []


@pytest.fixture
def fetch(mirror, tmp_path, said):
    """Downloads the archive and returns its content; keywords as of `download_archive`."""

    def fetching(archive=None, **options):
        options = {"say": said.append, "retries": SHORT, **options}
        archive = archive or published()
        download_archive(archive, tmp_path, options.pop("address", mirror.address), **options)
        assert not (tmp_path / f"{archive.name}.part").exists()
        return (tmp_path / archive.name).read_bytes()

    return fetching


def part(tmp_path, content):
    (tmp_path / f"{NAME}.part").write_bytes(content)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("length", [True, False])
def test_an_archive_is_downloaded_once(fetch, mirror, exact, length):
    mirror.length = length
    assert fetch(published(exact=exact)) == CONTENT
    assert fetch(published(exact=exact)) == CONTENT
    assert mirror.requests == [(NAME, None)]


@pytest.mark.parametrize("exact", [True, False])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(have=st.integers(1, len(CONTENT) - 1))
def test_a_download_goes_on_where_it_was_cut_off(fetch, mirror, tmp_path, exact, have):
    (tmp_path / NAME).unlink(missing_ok=True)
    mirror.requests.clear()
    part(tmp_path, CONTENT[:have])
    assert fetch(published(exact=exact)) == CONTENT
    assert mirror.requests == [(NAME, f"bytes={have}-")]


@pytest.mark.parametrize("exact", [True, False])
def test_a_complete_part_is_only_verified(fetch, mirror, tmp_path, exact):
    part(tmp_path, CONTENT)
    assert fetch(published(exact=exact)) == CONTENT
    assert len(mirror.requests) == (0 if exact else 1)


def test_more_than_the_server_has_is_thrown_away(fetch, tmp_path):
    part(tmp_path, CONTENT + b"more")
    assert fetch() == CONTENT


def test_dropped_connections_are_resumed(fetch, mirror, said):
    # More drops than tries: each of them brought something, so none of them counts.
    mirror.drops = 6
    assert fetch() == CONTENT
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for _, asked in mirror.requests[1:]]
    assert starts == sorted(set(starts))
    assert len(starts) == 6
    assert sum("trying again" in line for line in said) == 6


def test_a_server_that_ignores_ranges_starts_again(fetch, mirror, tmp_path, said):
    mirror.ranges = False
    part(tmp_path, b"x" * 1000)
    assert fetch() == CONTENT
    assert any("cannot resume" in line for line in said)


def test_a_server_that_ignores_ranges_and_always_drops_is_given_up(fetch, mirror, tmp_path):
    mirror.ranges, mirror.drops = False, 1000
    with pytest.raises(UserError, match=r"given up after 3 tries.*are kept in .*6_dB_fan.zip.part'; start again"):
        fetch()
    assert len(mirror.requests) == 4
    mirror.drops = 0
    assert fetch() == CONTENT


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(fetch, mirror, status):
    mirror.refusals = [status] * 3
    assert fetch() == CONTENT
    assert len(mirror.requests) == 4


@pytest.mark.parametrize("status", [429, 503])
def test_the_server_says_how_long_to_wait(fetch, mirror, said, monkeypatch, status):
    waited = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    mirror.refusals, mirror.retry_after = [status], "17"
    assert fetch() == CONTENT
    assert waited == [17]
    assert any(f"answers {status}" in line and "again in 17 s" in line for line in said)


def test_waits_grow(fetch, mirror, monkeypatch):
    waited = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    mirror.refusals = [503] * 6
    fetch(retries=module.RETRIES)
    assert waited == [0, 2, 4, 8, 16, 32]


def test_a_server_that_stays_busy_is_given_up(fetch, mirror):
    mirror.refusals = [503] * 100
    with pytest.raises(UserError, match="given up after 3 tries, the last one ended with: the server answers 503"):
        fetch()
    assert len(mirror.requests) == 4


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_archive_that_is_not_there_is_said_at_once(fetch, mirror, status):
    mirror.refusals = [status] * 2
    with pytest.raises(UserError, match=rf"6_dB_fan.zip: the server answers {status} .*dataset.zenodo.address"):
        fetch()
    assert len(mirror.requests) == 1


def test_a_server_that_is_not_there_is_given_up(fetch, mirror):
    with pytest.raises(UserError, match="given up after 3 tries"):
        fetch(address="http://127.0.0.1:9/{archive}")
    for address in ("http://", "nonsense/{archive}"):
        with pytest.raises(UserError, match=r"dataset.zenodo.address .*: .* is no address"):
            fetch(address=address)


def test_an_archive_of_another_size_is_refused_before_it_is_downloaded(fetch, mirror, tmp_path):
    mirror.files[NAME] = CONTENT + b"x"
    with pytest.raises(UserError, match=r"6_dB_fan.zip: has [\d,]+ bytes, the published .*: it was replaced"):
        fetch()
    assert not (tmp_path / NAME).exists()


def test_wrong_bytes_are_refused_and_removed(fetch, mirror, tmp_path):
    mirror.files[NAME] = CONTENT[:-9] + b"different"
    with pytest.raises(UserError, match=r"6_dB_fan.zip: what http.* sent .* is not the published archive"):
        fetch()
    assert [path.name for path in tmp_path.iterdir()] == []
    mirror.files[NAME] = CONTENT
    assert fetch() == CONTENT


def test_a_spoiled_part_is_refused_then_downloaded_again(fetch, tmp_path):
    part(tmp_path, b"x" * 1000)
    with pytest.raises(UserError, match="is not the published archive"):
        fetch()
    assert fetch() == CONTENT


def test_what_lies_there_already_is_verified(fetch, mirror, tmp_path):
    (tmp_path / NAME).write_bytes(CONTENT)
    assert fetch() == CONTENT
    (tmp_path / NAME).write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(UserError, match=r"6_dB_fan.zip' is corrupted or was replaced \(its MD5 is"):
        fetch()
    assert (tmp_path / NAME).exists()
    assert not mirror.requests


def test_a_verified_archive_is_read_again_only_if_it_changed(tmp_path, monkeypatch):
    path = tmp_path / NAME
    path.write_bytes(CONTENT)
    verify(path, published().md5)
    with monkeypatch.context() as patch:
        patch.setattr("mimii.data.archive.md5_of", lambda path: pytest.fail("read again"))
        verify(path, published().md5)
    os.utime(path)
    verify(path, published().md5)
    (tmp_path / f".{NAME}.verified").write_text("nonsense")
    verify(path, published().md5)
    path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(UserError, match="corrupted or was replaced"):
        verify(path, published().md5)


def test_an_archive_whose_state_cannot_be_noted_is_verified_all_the_same(tmp_path, caplog):
    (tmp_path / NAME).write_bytes(CONTENT)
    (tmp_path / f".{NAME}.verified").mkdir()  # stands for a folder that cannot be written into
    verify(tmp_path / NAME, published().md5)
    assert "cannot be noted as verified" in caplog.text


def test_a_disk_that_is_too_small_is_said_before_anything_starts(fetch, mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda root: SimpleNamespace(free=5 * 10**9))
    huge = PublishedArchive(NAME, 8 * 10**9, False, "0" * 32)
    with pytest.raises(
        UserError, match=r"disk of .* is too small: 8.0 GB needed for 6_dB_fan.zip, 5.0 GB free.*keep_archives"
    ):
        fetch(huge)
    assert not mirror.requests
    part_of = tmp_path / f"{NAME}.part"
    with part_of.open("wb") as file:
        file.truncate(4 * 10**9)
    check_space(huge, tmp_path)
    with pytest.raises(UserError, match=r"12.0 GB needed for 6_dB_fan.zip, 6_dB_pump.zip"):
        check_space(huge, tmp_path, [huge, PublishedArchive("6_dB_pump.zip", 8 * 10**9, False, "1" * 32)])
    (tmp_path / "6_dB_pump.zip").touch()
    check_space(huge, tmp_path, [huge, PublishedArchive("6_dB_pump.zip", 8 * 10**9, False, "1" * 32)])


def test_a_disk_that_fills_up_keeps_what_is_there(fetch, mirror, tmp_path, monkeypatch):
    def full(self, done, total):
        if done > 50_000:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "__call__", full)
        with pytest.raises(UserError, match=r"too small: .*the rest of 6_dB_fan.zip.part"):
            fetch()
    assert (tmp_path / f"{NAME}.part").stat().st_size >= 50_000
    assert fetch() == CONTENT
    assert mirror.requests[1][1] is not None


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / f"{NAME}.part").mkdir()
    for root in (tmp_path / "file", tmp_path / "file/below", tmp_path):
        with pytest.raises(UserError, match=r"dataset.root: .* cannot be written|is not a file: remove it"):
            download_archive(published(), root, "http://127.0.0.1:9/{archive}")


def test_progress_is_said_in_lines(fetch, said):
    fetch(progress_interval=0)
    lines = [line for line in said if "MB/s" in line]
    assert len(lines) == -(-len(CONTENT) // module.CHUNK)
    assert f"{len(CONTENT):,} bytes of {len(CONTENT):,} bytes (100%)" in lines[-1]
    assert all(line.startswith(f"{NAME}") for line in said)


def test_two_at_once_download_it_once(fetch, mirror, said):
    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fetch() == CONTENT
    assert mirror.requests == [(NAME, None)]


def test_only_what_was_downloaded_is_removed(fetch, tmp_path, said):
    fetch()
    remove_archive(NAME, tmp_path, said.append)
    assert list(tmp_path.iterdir()) == []
    remove_archive(NAME, tmp_path, said.append)
    (tmp_path / NAME).write_bytes(CONTENT)
    verify(tmp_path / NAME, published().md5)
    remove_archive(NAME, tmp_path, said.append)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert "stays" in said[-1]


def test_verifying_again_does_not_forget_who_downloaded_it(fetch, tmp_path):
    fetch()
    os.utime(tmp_path / NAME)
    fetch()
    assert read_record(tmp_path / NAME)["downloaded"] is True


@pytest.mark.parametrize("exact", [True, False])
def test_an_endless_answer_is_cut_off_at_the_published_size(fetch, mirror, tmp_path, exact):
    mirror.length, mirror.endless = False, True
    with pytest.raises(UserError, match=r"sends more than the [0-9,]+ bytes that what was published can have"):
        fetch(published(exact=exact))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wait", ["86400", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_beyond_reason_is_said_and_not_waited_for(fetch, mirror, tmp_path, wait):
    part(tmp_path, CONTENT[:1000])
    mirror.refusals, mirror.retry_after = [503], wait
    with pytest.raises(UserError, match=r"the server asks to wait \d+ minutes"):
        fetch()
    assert (tmp_path / f"{NAME}.part").read_bytes() == CONTENT[:1000]


def test_a_wait_that_is_no_time_is_passed_over(fetch, mirror):
    mirror.refusals, mirror.retry_after = [503, 429], "soon"
    assert fetch() == CONTENT


@pytest.mark.parametrize("location", ["http://[::1", "ftp://a/b", "http://a:port/b", "http://" + "a" * 70])
def test_a_redirect_to_no_address_is_refused(fetch, mirror, location):
    mirror.refusals, mirror.location = [302], location
    with pytest.raises(UserError, match=r"is no address, or leads to one that is none"):
        fetch()


@pytest.mark.parametrize("name", [NAME, f"{NAME}.part"])
def test_a_pipe_in_the_place_of_an_archive_is_refused(fetch, tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match=r"is not a file: remove it"):
        fetch()
