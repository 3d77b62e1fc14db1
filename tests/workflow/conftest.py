"""Workspaces: empty, finished, and copies of the finished one."""

import fcntl
import os
import shutil

import pytest
from workspace import QUICK, REPOSITORY, SHARED, TINY, Workspace, write_recordings


@pytest.fixture(scope="session")
def real_clips():
    """Folder of real recordings, which are not part of the repository."""
    folder = REPOSITORY.parent / "shared" / "real_clips"
    if not folder.is_dir():
        pytest.skip("the real recordings are not on this machine")
    return folder


@pytest.fixture
def workspace(tmp_path):
    """An empty workspace with the tiny configuration."""
    workspace = Workspace(tmp_path)
    workspace.configure(TINY)
    return workspace


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A workspace in which the tiny benchmark has run: read only, copy it to change it."""
    return built_once(tmp_path_factory, "finished", lambda workspace: workspace.configure(TINY))


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory):
    """The same with recordings that were there before, and one model."""
    return built_once(tmp_path_factory, "finished_folder", on_recordings)


@pytest.fixture(scope="session")
def finished_report(finished, tmp_path_factory):
    """The finished workspace with statistics, tables and figures."""

    def with_report(workspace):
        finished.copied_to(workspace.folder)
        workspace.configure({**TINY, "report": {}})

    return built_once(tmp_path_factory, "finished_report", with_report)


@pytest.fixture
def kept(finished, tmp_path):
    """A copy of the finished workspace, with times kept, to change and plan again."""
    return finished.copied_to(tmp_path)


@pytest.fixture
def kept_folder(finished_folder, tmp_path):
    """The same of the one whose recordings were there before."""
    return finished_folder.copied_to(tmp_path)


@pytest.fixture
def kept_together(finished_folder, tmp_path_factory, tmp_path):
    """The same, with one model for all IDs of a machine type."""

    def together(workspace):
        finished_folder.copied_to(workspace.folder)
        on_recordings(workspace, settings={"epochs": 1, "train_per": "machine_type"})

    return built_once(tmp_path_factory, "finished_together", together).copied_to(tmp_path)


@pytest.fixture
def kept_shared(tmp_path_factory, tmp_path):
    """A copy of a workspace with recordings of two SNRs and machines, and models that sections share."""

    def prepare(workspace):
        for section in ("6dB/fan/id_00", "6dB/fan/id_02", "6dB/valve/id_00", "0dB/fan/id_00"):
            write_recordings(workspace.folder / "recordings" / section)
        workspace.configure(SHARED)

    return built_once(tmp_path_factory, "finished_shared", prepare).copied_to(tmp_path)


@pytest.fixture
def kept_report(finished_report, tmp_path):
    """The same of the one with statistics, tables and figures."""
    return finished_report.copied_to(tmp_path)


def built_once(tmp_path_factory, name, prepare):
    """A workspace, prepared and run to the end by the first of pytest's processes that wants it."""
    parallel = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp().parent if parallel else tmp_path_factory.getbasetemp()
    folder = base / name
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "finished").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            workspace = Workspace(folder)
            prepare(workspace)
            workspace.snakemake()
            (folder / "finished").touch()
    return Workspace.at(folder)


def on_recordings(workspace, settings=None):
    """Configure one model on two sections of noise."""
    for section in ("6dB/fan/id_00", "6dB/fan/id_02"):
        if not (workspace.folder / "recordings" / section).exists():
            write_recordings(workspace.folder / "recordings" / section)
    changes = {"dataset": {"root": "recordings"}, "models": {"simple_ae": {}}, "metrics": QUICK}
    workspace.configure({**TINY, **changes, "settings": settings or {"epochs": 1}})
