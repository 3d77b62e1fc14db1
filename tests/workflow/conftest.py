"""Workspaces: empty, finished, and copies of the finished one."""

import shutil

import pytest
from workspace import REPOSITORY, TINY, Workspace


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
    workspace = Workspace(tmp_path_factory.mktemp("finished"))
    workspace.configure(TINY)
    workspace.snakemake()
    return workspace


@pytest.fixture
def kept(finished, tmp_path):
    """A copy of the finished workspace, with times kept, to change and plan again."""
    shutil.copytree(finished.folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    copy = Workspace.__new__(Workspace)
    copy.folder = tmp_path
    return copy
