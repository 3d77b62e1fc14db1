"""Files appear whole or not at all."""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from mimii.common.errors import UserError

HINTS = {
    errno.ENOSPC: "free some space, then start again: what is finished is kept",
    errno.EDQUOT: "free some of your quota, then start again: what is finished is kept",
    errno.EROFS: "make it writable, or let `paths` in the configuration point elsewhere",
    errno.EACCES: "make it writable, or let `paths` in the configuration point elsewhere",
    errno.EPERM: "make it writable, or let `paths` in the configuration point elsewhere",
    errno.ENOENT: "its folder is gone: keep it while the workflow runs, then start again",
}


def why_not_a_folder(path: str | os.PathLike[str], *, writable: bool) -> str | None:
    """Why there can be no folder at `path`, or, with `writable`, none to write into; None where there can be one."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  links stay as they are
    there = next(part for part in (absolute, *absolute.parents) if os.path.lexists(part))
    if not there.is_dir():
        return f"{there} is not a folder; choose another"
    if writable and not os.access(there, os.W_OK | os.X_OK):
        cause = f" ({os.strerror(errno.EROFS)})" if os.statvfs(there).f_flag & os.ST_RDONLY else ""
        return f"{there} cannot be written into; choose another{cause}"
    return None


def refuse_endless(path: str | os.PathLike[str]) -> None:
    """Raise UserError for a pipe, a socket or a device in the place of a file: reading it may never end."""
    try:
        kind = Path(path).stat().st_mode
    except (OSError, ValueError):
        return  # whoever reads it says why
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise UserError(f"{os.fspath(path)}: not a file, but a pipe, a socket or a device; give a file")


def is_foreign(path: str | os.PathLike[str], is_own: Callable[[bytes], bool]) -> bool:
    """Whether something is at `path` that this program has not written; is_own: says so of a file's first 10,000
    bytes."""
    path = Path(path)
    if not path.is_file():
        return os.path.lexists(path)
    with path.open("rb") as file:
        return not is_own(file.read(10_000))


def refuse_foreign(path: str | os.PathLike[str], is_own: Callable[[bytes], bool]) -> None:
    """Raise UserError where `is_foreign`: nothing of somebody's own is replaced."""
    if is_foreign(path, is_own):
        raise UserError(f"{path} is there already, and this command has not written it; name another file")


@contextmanager
def written_whole(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` on success, remove it on any failure.

    The name holds host, process and some random digits, so two jobs that make the same file never share it, and the
    last rename wins. Raises UserError, and leaves `target` as it was, where the disk is full or nothing can be written.
    """
    target = Path(target)
    temporary = target.with_name(f".{target.name}.{os.uname().nodename}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_overs(target.parent)
        yield temporary
        temporary.replace(target)
    except OSError as error:
        if error.filename is not None and not str(error.filename).startswith(str(target.parent)):
            raise  # about another file
        cause = os.strerror(error.errno) if error.errno else str(error)
        hint = HINTS.get(error.errno or 0, "see whether its disk is in order")
        raise UserError(f"{target}: cannot be written ({cause}); {hint}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@cache
def _remove_left_overs(folder: Path) -> None:
    """Remove temporary files of this machine's processes that were killed; once in a folder for each process."""
    name = re.compile(rf"\..+\.{re.escape(os.uname().nodename)}\.(\d+)\.[0-9a-f]{{8}}\.tmp")
    for path in folder.iterdir():
        match = name.fullmatch(path.name)
        if match and not _is_alive(int(match[1])):
            with contextlib.suppress(OSError):
                path.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
