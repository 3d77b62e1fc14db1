"""Downloading a published archive: resumed where it was cut off, verified before it gets its name.

requests makes the requests (proxies and certificates of the system are honoured), urllib3's `Retry` decides how often
and after how long to try again. Neither they nor pooch resume a download, so that is done here, by HTTP ranges
(RFC 9110, section 14).
"""

import errno
import fcntl
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.data.archive import md5_of, read_record, record_file, refuse_special, state_of, verify
from mimii.data.published import PublishedArchive

# What the messages call the settings of either source that downloads.
ADDRESS = "dataset.zenodo.address (of DCASE: dataset.dcase.address)"
KEEP_ARCHIVES = "dataset.zenodo.keep_archives (of DCASE: dataset.dcase.keep_archives)"
CHUNK = 1 << 16  # what a dropped connection loses at most
BUSY = (408, 425, 429, 500, 502, 503, 504)
# At once, then after 2, 4, 8 ... seconds, at most 2 minutes, unless the server says when; a try that brought something
# counts as a new start.
RETRIES = Retry(total=10, backoff_factor=1, backoff_max=120, status_forcelist=BUSY)
TIMEOUT = (30.0, 60.0)  # seconds to connect, and between two pieces
LARGEST_LISTING = 16 << 20  # bytes
LONGEST_WAIT = 600.0  # seconds; a server that says more is not waited for
ABOUT = 1.5  # how much larger an archive may be whose size is only known about


class InterruptedDownloadError(Exception):
    """A try ended early; another one may get further. response: where the server itself refused it for now."""

    def __init__(self, why: str, response: requests.Response | None = None) -> None:
        super().__init__(why)
        self.response = response


@dataclass
class Progress:
    """Says how far a download is, at most every `interval` seconds."""

    name: str
    say: Callable[[str], None]
    interval: float = 10.0
    _started: float = field(default_factory=time.monotonic)
    _said: float = field(default_factory=time.monotonic)
    _first: int = 0

    def start(self, done: int) -> None:
        """A try begins with `done` bytes that are there already."""
        self._started, self._first = time.monotonic(), done

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._said < self.interval:
            return
        self._said = now
        speed = (done - self._first) / max(now - self._started, 1e-9)
        text = f"{self.name}: {gigabytes(done)}"
        if total:
            text += f" of {gigabytes(total)} ({done / total:.0%})"
        text += f", {speed / 1e6:.1f} MB/s"
        if total and speed > 0:
            text += f", {(total - done) / speed / 60:.0f} min left"
        self.say(text)


def download_archive(
    archive: PublishedArchive,
    root: Path,
    address: str,
    *,
    together: Sequence[PublishedArchive] = (),
    say: Callable[[str], None] = print,
    retries: Retry = RETRIES,
    timeout: tuple[float, float] = TIMEOUT,
    progress_interval: float = 10.0,
) -> None:
    """Make sure that `root` holds the published archive; one that is there already is only verified.

    address: where archives are, with {archive} in the place of the name. together: archives that are kept side by side
    with this one, all of which have to fit on the disk.
    Raises UserError where the disk is too small, the server has no such archive or does not answer in the end, or what
    it sent, or what lies there, is not the published archive. What was downloaded so far is kept for the next time.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(root, error) from None
    target = root / archive.name
    part = root / f"{archive.name}.part"
    for path in (target, part):
        refuse_special(path)
    progress = Progress(archive.name, say, progress_interval)
    if not target.exists():
        with locked(part, say):
            if not target.exists():
                check_space(archive, root, together)
                say(f"{archive.name}: downloading {gigabytes(archive.size)} from {address}")
                fetch(
                    address.replace("{archive}", archive.name),
                    part,
                    archive.size if archive.exact else None,
                    largest=archive.size if archive.exact else round(archive.size * ABOUT),
                    retries=retries,
                    timeout=timeout,
                    progress=progress,
                )
                say(f"{archive.name}: verifying")
                _take(part, target, archive, address)
                say(f"{archive.name}: there")
    verify(target, archive.md5)


def _take(part: Path, target: Path, archive: PublishedArchive, address: str) -> None:
    """Give a download its name, if it is the published archive."""
    actual = md5_of(part)
    if actual != archive.md5:
        size = part.stat().st_size
        part.unlink()
        raise UserError(
            f"{archive.name}: what {address} sent ({size:,} bytes, MD5 {actual}) is not the published archive "
            f"(MD5 {archive.md5}); it was removed. Start again; if that does not help, set {ADDRESS} to another mirror"
        )
    with written_whole(record_file(target)) as temporary:
        temporary.write_text(json.dumps({**state_of(part, archive.md5), "downloaded": True}))
    part.rename(target)


def remove_archive(archive: str, root: Path, say: Callable[[str], None] = print) -> None:
    """Remove an archive that `download_archive` downloaded; one that was put there by hand stays."""
    target = root / archive
    if not target.exists():
        return
    if not (read_record(target) or {}).get("downloaded"):
        say(f"{archive}: stays, it was there before the workflow")
        return
    target.unlink()
    record_file(target).unlink(missing_ok=True)
    say(f"{archive}: removed, the features of its sections are there")


def read_listing(
    address: str,
    path: Path,
    *,
    say: Callable[[str], None] = print,
    retries: Retry = RETRIES,
    timeout: tuple[float, float] = TIMEOUT,
) -> dict[str, PublishedArchive]:
    """Size and MD5 of each file of a Zenodo record, as the record itself lists them.

    address: of the record in Zenodo's interface for programs (developers.zenodo.org). path: where the listing is kept;
    what a record holds does not change, so it is asked for once.
    Raises UserError where the server does not answer in the end, or what it sent is no listing.
    """
    if not path.exists():
        part = path.with_name(f"{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _not_writable(path.parent, error) from None
        with locked(part, say):
            if not path.exists():
                part.write_bytes(b"")  # half a listing is not gone on with: the next one may be spelt otherwise
                progress = Progress(path.name, say)
                fetch(
                    address,
                    part,
                    None,
                    largest=LARGEST_LISTING,
                    retries=retries,
                    timeout=timeout,
                    progress=progress,
                )
                _files_of(part, address)
                part.rename(path)
    return _files_of(path, address)


def _files_of(path: Path, address: str) -> dict[str, PublishedArchive]:
    """The files of a listing, by name. Raises UserError, and removes it, where it is none."""
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        archives = [PublishedArchive(file["key"], int(file["size"]), True, _md5(file["checksum"])) for file in files]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        path.unlink(missing_ok=True)
        raise UserError(
            f"{address}: what the server sent is no listing of a Zenodo record ({type(error).__name__}: {error}); "
            "start again, or set dataset.dcase.listing to where it is"
        ) from None
    return {archive.name: archive for archive in archives}


def _md5(checksum: str) -> str:
    """`md5:<32 digits>` without what stands before it. Raises ValueError on anything else."""
    match = re.fullmatch(r"(?:md5:)?([0-9a-f]{32})", checksum)
    if match is None:
        raise ValueError(f"checksum {checksum!r}")
    return match[1]


def fetch(
    url: str,
    part: Path,
    size: int | None,
    *,
    largest: int,
    retries: Retry,
    timeout: tuple[float, float],
    progress: Progress,
) -> None:
    """Complete `part`, from where it ends, with as many tries as `retries` allows without any of them getting further.

    size: bytes of the whole, where known. largest: no more bytes than these are taken.
    Raises UserError as `download_archive` does.
    """
    left = retries
    furthest = _size(part)
    with requests.Session() as session:
        while size is None or _size(part) != size:
            try:
                _try(session, url, part, size, largest, timeout, progress)
                return
            except (requests.RequestException, HTTPError, InterruptedDownloadError, ValueError) as error:
                if isinstance(error, ValueError):  # of requests, urllib3 and urllib, for what is no address
                    raise UserError(
                        f"{ADDRESS}: {url!r} is no address, or leads to one that is none ({error})"
                    ) from None
                if _size(part) > furthest:
                    furthest, left = _size(part), retries
                busy = getattr(error, "response", None)
                try:
                    left = left.increment("GET", url, error=error)
                except MaxRetryError:
                    raise UserError(
                        f"{url}: given up after {retries.total} tries, the last one ended with: {error}. "
                        f"{gigabytes(_size(part))} are kept in {str(part)!r}; start again to go on from there"
                    ) from None
                wait = _asked_wait(busy, url) or left.get_backoff_time()
                progress.say(f"{part.name}: {error}; trying again in {wait:.0f} s")
                time.sleep(wait)


def _asked_wait(response: requests.Response | None, url: str) -> float | None:
    """Seconds that the server asks to wait, where it does. Raises UserError where they are beyond reason."""
    if response is None:
        return None
    try:
        wait = RETRIES.get_retry_after(response.raw)
    except (HTTPError, ValueError, OverflowError):  # no number and no date
        return None
    if wait is not None and wait > LONGEST_WAIT:
        raise UserError(
            f"{url}: the server asks to wait {wait / 60:.0f} minutes before the next try; start again later, or set "
            f"{ADDRESS} to another mirror. What was downloaded so far is kept"
        )
    return wait


def _too_long(url: str, part: Path, largest: int) -> UserError:
    part.unlink()
    return UserError(
        f"{url}: sends more than the {largest:,} bytes that what was published can have, so it is another file; it "
        f"was removed. Set {ADDRESS} to another mirror"
    )


def _try(
    session: requests.Session,
    url: str,
    part: Path,
    size: int | None,
    largest: int,
    timeout: tuple[float, float],
    progress: Progress,
) -> None:
    """One request. Raises InterruptedDownloadError where another one is worth it."""
    have = _size(part)
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with session.get(url, headers=headers, stream=True, timeout=timeout) as response:
        start, total = _extent(response, url, have)
        if start is None:
            if total != have:
                part.unlink()
                raise InterruptedDownloadError(f"the {have} bytes that are there are more than the server has")
            return
        if size is not None and total is not None and total != size:
            raise UserError(
                f"{url}: has {total:,} bytes, the published archive {size:,}: it was replaced; set "
                f"{ADDRESS} to another mirror"
            )
        if have and not start:
            progress.say(f"{part.name}: the server cannot resume, so it starts from the beginning")
        total = total or size
        progress.start(start)
        done = start
        try:
            with part.open("r+b" if part.exists() else "wb") as file:
                file.seek(start)
                file.truncate()
                for chunk in response.iter_content(CHUNK):
                    if done + len(chunk) > largest:
                        raise _too_long(url, part, largest)
                    file.write(chunk)
                    done += len(chunk)
                    progress(done, total)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise no_space(part.parent, (total or done) - done, f"the rest of {part.name}") from None
            raise
    if total is not None and done != total:
        raise InterruptedDownloadError(f"cut off after {done:,} of {total:,} bytes")


def _extent(response: requests.Response, url: str, have: int) -> tuple[int | None, int | None]:
    """Where the answer starts (nowhere: nothing is left to send), and the size of the whole, if the server says."""
    status = response.status_code
    content_range = response.headers.get("Content-Range", "")
    if status in BUSY:
        raise InterruptedDownloadError(f"the server answers {status} {response.reason}", response)
    if status == 416 and have:
        match = re.fullmatch(r"bytes \*/(\d+)", content_range)
        return None, int(match[1]) if match else -1
    if status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", content_range)
        if match is None or int(match[1]) != have:
            raise UserError(f"{url}: the server answers with another range than was asked for ({content_range!r})")
        return have, None if match[2] == "*" else int(match[2])
    if status == 200:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    raise UserError(
        f"{url}: the server answers {status} {response.reason}; check {ADDRESS}, or download the archive by hand into "
        "dataset.root"
    )


@contextmanager
def locked(part: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a download: two processes that write into one file would spoil it."""
    try:
        file = part.open("ab")
    except OSError as error:
        raise _not_writable(part, error) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{part.name}: another process is downloading it; waiting")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _not_writable(path: Path, error: OSError) -> UserError:
    return UserError(f"dataset.root: {str(path)!r} cannot be written ({error.strerror}); set it to a folder of yours")


def check_space(archive: PublishedArchive, root: Path, together: Sequence[PublishedArchive] = ()) -> None:
    """Raise UserError where the archive, and those kept side by side with it, do not fit on the disk of `root`."""
    missing = [other for other in {archive, *together} if not (root / other.name).exists()]
    needed = sum(max(other.size - _size(root / f"{other.name}.part"), 0) for other in missing)
    if needed > shutil.disk_usage(root).free:
        names = ", ".join(sorted(other.name for other in missing))
        raise no_space(root, needed, names)


def no_space(root: Path, needed: int, what: str) -> UserError:
    free = shutil.disk_usage(root).free
    return UserError(
        f"the disk of {str(root)!r} is too small: {gigabytes(needed)} needed for {what}, {gigabytes(free)} free. "
        f"Set {KEEP_ARCHIVES} to false (one archive or two at a time), choose fewer sections, or set dataset.root to a "
        "folder on a larger disk"
    )


def gigabytes(size: int) -> str:
    """`10.2 GB`; small sizes in bytes."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size:,} bytes"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
