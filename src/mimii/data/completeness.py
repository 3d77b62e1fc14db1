"""Is a dataset whole? Compared with what was published, and every recording's header read."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mimii.common.errors import UserError
from mimii.data.audio import BadClipError, read_header
from mimii.data.recordings import LABELS, Clip
from mimii.data.sections import Section
from mimii.data.selection import selects
from mimii.data.source import DatasetSource

HEAD = 8192  # bytes that two recordings have in common before all of them are compared
MOST_NAMES = 5


def check_dataset(source: DatasetSource, say: Callable[[str], None] = print) -> int:
    """Say what is missing, extra, duplicated or broken, section by section. Returns how many faults there are.

    Raises UserError where not even the sections can be listed.
    """
    faults = 0
    sections = source.sections()
    heads: defaultdict[tuple[int, bytes], list[tuple[Section, Clip]]] = defaultdict(list)
    for section in sections:
        found = []
        try:
            clips = source.clips(section)
        except UserError as error:
            found, clips = [f"cannot be listed: {error}"], []
        counts = Counter(clip.label for clip in clips)
        found += [*_differences(source, section, clips), *_broken(source, section, clips, heads)]
        say(f"{section}: {counts['normal']} normal, {counts['abnormal']} abnormal: {'faults' if found else 'fine'}")
        for fault in found:
            say(f"  {fault}")
        faults += len(found)
    for fault in [*_duplicates(source, heads), *_missing_sections(source, sections)]:
        say(fault)
        faults += 1
    say(f"{len(sections)} sections, {faults or 'no'} fault(s)")
    return faults


def _differences(source: DatasetSource, section: Section, clips: Iterable[Clip]) -> Iterator[str]:
    """What is missing and what is extra, by name."""
    counts = source.published_counts(section)
    if counts is None:
        return
    for label in LABELS:
        names = {Path(clip.path).name for clip in clips if clip.label == label}
        published = {f"{number:08d}.wav" for number in range(counts[label])}
        if missing := sorted(published - names):
            yield f"missing: {len(missing)} of {counts[label]} {label} ({_some(missing)})"
        if extra := sorted(names - published):
            yield f"extra: {len(extra)} {label}, not among the {counts[label]} published ({_some(extra)})"


def _broken(
    source: DatasetSource,
    section: Section,
    clips: Iterable[Clip],
    heads: defaultdict[tuple[int, bytes], list[tuple[Section, Clip]]],
) -> Iterator[str]:
    """What cannot be read, and what does not fit together; fills `heads` with how the recordings begin."""
    formats: Counter[tuple[int, int, int]] = Counter()
    for clip in clips:
        try:
            header, size, head = _header(source, clip)
        except BadClipError as error:
            yield f"broken: {error}"
            continue
        formats[header] += 1
        heads[size, hashlib.sha256(head).digest()].append((section, clip))
    if len({rate for rate, _, _ in formats}) > 1:
        rates = ", ".join(f"{count} of {rate} Hz" for (rate, _, _), count in formats.most_common())
        yield f"mixed sample rates: {rates}"


def _header(source: DatasetSource, clip: Clip) -> tuple[tuple[int, int, int], int, bytes]:
    """Rate, channels and samples; size in bytes; first bytes. Raises BadClipError."""
    opened = source.open(clip)
    header = read_header(opened, name=opened if isinstance(opened, str) else clip.path)
    if isinstance(opened, str):
        with Path(opened).open("rb") as file:
            return header, Path(opened).stat().st_size, file.read(HEAD)
    with opened:
        size = opened.seek(0, 2)
        opened.seek(0)
        return header, size, opened.read(HEAD)


def _duplicates(
    source: DatasetSource, heads: defaultdict[tuple[int, bytes], list[tuple[Section, Clip]]]
) -> Iterator[str]:
    """Recordings that are there more than once, under whatever names."""
    for alike in heads.values():
        if len(alike) == 1:
            continue
        same: defaultdict[bytes, list[str]] = defaultdict(list)
        for _, clip in alike:
            opened = source.open(clip)
            with Path(opened).open("rb") if isinstance(opened, str) else opened as file:
                same[hashlib.sha256(file.read()).digest()].append(clip.path)
        for paths in same.values():
            if len(paths) > 1:
                yield f"duplicated: {_some(sorted(paths))} are one and the same recording"


def _missing_sections(source: DatasetSource, sections: Iterable[Section]) -> Iterator[str]:
    """Published sections that pass the filters and are not there, by SNR and machine type."""
    missing: defaultdict[str, list[str]] = defaultdict(list)
    for section in source.published():
        if selects(source.config, section) and section not in sections:
            missing[f"{section.snr}/{section.machine}"].append(section.id)
    for place, ids in missing.items():
        yield f"missing: {place}: {', '.join(ids)}"


def _some(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
