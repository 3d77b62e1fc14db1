"""Files appear whole or not at all, and what prevents it is said."""

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mimii.common.errors import UserError, exit_on_user_error
from mimii.common.files import written_whole


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def write(target, error):
    """Fail after half of it."""
    with written_whole(target) as temporary:
        temporary.write_text("half")
        raise error


def test_a_failure_leaves_what_was_there(tmp_path):
    target = tmp_path / "file"
    target.write_text("before")
    with pytest.raises(ZeroDivisionError):
        write(target, ZeroDivisionError())
    assert left(tmp_path) == ["file"]
    assert target.read_text() == "before"


def test_nobody_sees_a_half_written_file(tmp_path):
    target = tmp_path / "new" / "file"
    with written_whole(target) as temporary:
        temporary.write_text("a")
        assert not target.exists()
        assert temporary.parent == target.parent
    assert target.read_text() == "a"
    assert left(target.parent) == ["file"]


def test_two_that_write_the_same_file_do_not_share_a_temporary_one(tmp_path):
    with written_whole(tmp_path / "file") as first, written_whole(tmp_path / "file") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "file").read_text() == "first"
    assert left(tmp_path) == ["file"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_what_the_system_says_is_passed_on_with_the_file(tmp_path, number):
    target = tmp_path / "scores.parquet"
    with pytest.raises(UserError) as raised:
        write(target, OSError(number, os.strerror(number)))
    assert str(raised.value).startswith(f"{target}: cannot be written ({os.strerror(number)}); ")
    assert left(tmp_path) == []


def test_an_error_about_another_file_is_not_taken_for_one_of_writing(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"), written_whole(tmp_path / "folder" / "file"):
        Path("/missing/clip.wav").read_bytes()


def test_a_folder_that_vanishes_is_said(tmp_path):
    target = tmp_path / "folder" / "file"

    def vanish():
        with written_whole(target) as temporary:
            shutil.rmtree(target.parent)
            pq.write_table(pa.table({"a": [1]}), temporary)

    with pytest.raises(UserError, match=r"folder/file: cannot be written .*its folder is gone"):
        vanish()


def test_a_file_where_a_folder_should_be_is_said(tmp_path):
    (tmp_path / "folder").write_text("")
    with pytest.raises(UserError, match="folder/file: cannot be written"), written_whole(tmp_path / "folder" / "file"):
        pass


def test_left_overs_of_killed_processes_go_and_those_of_others_stay(tmp_path):
    here = os.uname().nodename
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    killed = f".model.pth.{here}.{ended.pid}.0123abcd.tmp"
    alive = f".model.pth.{here}.{os.getpid()}.0123abcd.tmp"
    elsewhere = f".model.pth.not-{here}.{ended.pid}.0123abcd.tmp"
    for name in (killed, alive, elsewhere, "mine.tmp"):
        (tmp_path / name).touch()
    with written_whole(tmp_path / "file") as temporary:
        temporary.touch()
    assert left(tmp_path) == sorted([alive, elsewhere, "file", "mine.tmp"])


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting needs root: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_fills_while_parquet_is_written(small_disk):
    def fill():
        with written_whole(small_disk / "scores.parquet") as temporary:
            pq.write_table(pa.table({"a": [os.urandom(200_000)]}), temporary)

    with pytest.raises(UserError, match=r"scores.parquet: cannot be written \(No space left on device\); free some"):
        fill()
    assert left(small_disk) == []


def test_the_message_is_seen_where_even_the_log_finds_no_room(small_disk):
    with contextlib.suppress(OSError), (small_disk / "full").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    code = "from mimii.common.errors import *\nwith exit_on_user_error(): raise UserError('no room')"
    with (small_disk / "log").open("w") as log:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=log, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "error: no room\n")


def test_exit_says_the_message_alone(capsys):
    with pytest.raises(SystemExit) as ended, exit_on_user_error():
        raise UserError("n_mels: too many")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: n_mels: too many\n"
