"""Is a dataset whole, and can it be run? Compared with what was published, and every recording read."""

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mimii.common.errors import BadClipError, UserError
from mimii.data.audio import heard_checksum, reaches_full_scale, read_bytes, read_clip, read_header
from mimii.data.downloaded import DownloadedSource
from mimii.data.recordings import LABELS, Clip, Format, TrainedSounds, count_rates
from mimii.data.sections import Section
from mimii.data.selection import selects
from mimii.data.source import DatasetSource
from mimii.data.split import check_counts

HEAD = 8192  # bytes that two recordings have in common before all of them are compared
MOST_NAMES = 5

Heads = defaultdict[tuple[int, bytes], list[tuple[Section, Clip]]]


@dataclass
class Findings:
    """What the clips of a section are like, and what is wrong with them; a sentence each.

    usable: how many clips of each (split, label) can be read. formats: how many clips have it.
    levels: dB of full scale, of each clip that is not silent.
    faults: what is not as published. obstacles: why the section cannot be run. doubts: what may spoil its results.
    """

    usable: Counter[tuple[str, str]] = field(default_factory=Counter)
    formats: Counter[Format] = field(default_factory=Counter)
    levels: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """`16000 Hz, 8 channel(s), 10.0 s, -45 dB`: what there is of each, and the median level."""
        rates = sorted({known.rate for known in self.formats})
        channels = sorted({known.channels for known in self.formats})
        seconds = sorted({round(known.samples / known.rate, 1) for known in self.formats})
        parts = [f"{_range(rates)} Hz", f"{_range(channels)} channel(s)", f"{_range(seconds)} s"] if rates else []
        return ", ".join([*parts, *([f"{np.median(self.levels):.0f} dB"] if self.levels else [])])


def check_dataset(
    source: DatasetSource,
    say: Callable[[str], None] = print,
    problems: Callable[[Format], Iterable[object]] = lambda known: (),
) -> int:
    """Say what each section holds, what is wrong with it, and whether it can be run as it is configured.

    problems: why recordings of a format cannot be used with the configured settings. Returns how many sections cannot
    be run. Raises UserError where not even the sections can be listed.
    """
    sections = source.sections()
    heads: Heads = defaultdict(list)
    faults, runnable = 0, 0
    for section in sections:
        if missing := _to_download(source, section):
            say(f"{section}: can be run, which downloads {', '.join(missing)}")
            runnable += 1
            continue
        findings = Findings()
        clips = _list(source, section, findings)
        findings.faults += _differences(source, section, clips)
        _read(source, section, clips, heads, findings)
        for known in _shortest(findings.formats):
            findings.obstacles += [str(problem) for problem in problems(known)]
        if not findings.obstacles:
            _count(section, findings)
        findings.obstacles = list(dict.fromkeys(findings.obstacles))
        _say_section(section, clips, findings, say)
        faults += len(findings.faults)
        runnable += not findings.obstacles
    for fault in [*_duplicates(source, heads), *_missing_sections(source, sections)]:
        say(fault)
        faults += 1
    if faults:
        say(f"{faults} fault(s), named above: missing, extra, broken or there twice.")
    unusable = len(sections) - runnable
    if unusable:
        say(f"{unusable} of {len(sections)} section(s) cannot be run as configured; why stands above.")
    else:
        say(f"All {len(sections)} section(s) can be run as configured.")
    return unusable


def _shortest(formats: Iterable[Format]) -> list[Format]:
    """Of each rate and number of channels the shortest recording: what it is long enough for, all others are."""
    longest_first = sorted(formats, key=lambda known: -known.samples)
    return list({(known.rate, known.channels): known for known in longest_first}.values())


def _to_download(source: DatasetSource, section: Section) -> list[str]:
    """The section's archives that are not there, of a dataset that a run downloads."""
    if not isinstance(source, DownloadedSource) or not source.downloads:
        return []
    return [name for name in source.archive_names(section) if not source.archive_path(name).exists()]


def _list(source: DatasetSource, section: Section, findings: Findings) -> list[Clip]:
    try:
        clips = source.clips(section)
    except UserError as error:
        findings.obstacles.append(f"cannot be listed: {error}")
        return []
    try:
        source.check(section)
    except UserError as error:
        findings.obstacles.append(str(error))
    return clips


def _count(section: Section, findings: Findings) -> None:
    """Are clips enough left without the broken ones, and of cut recordings?"""
    usable = findings.usable
    try:
        check_counts(
            section,
            usable["train", "normal"],
            usable["test", "normal"],
            usable["test", "abnormal"],
            "Add recordings, or set dataset.split",
        )
    except UserError as error:
        findings.obstacles.append(str(error))


def _say_section(section: Section, clips: Sequence[Clip], findings: Findings, say: Callable[[str], None]) -> None:
    labels, splits = Counter(clip.label for clip in clips), Counter(clip.split for clip in clips)
    verdict = "cannot be run" if findings.obstacles else "can be run"
    say(f"{section}: {labels['normal']} normal, {labels['abnormal']} abnormal: {verdict}")
    described = findings.summary()
    say(f"  {splits['train']} to train, {splits['test']} to test{f'; {described}' if described else ''}")
    for line in [*findings.faults, *findings.obstacles, *(f"look at: {doubt}" for doubt in findings.doubts)]:
        say(f"  {line}")


def _differences(source: DatasetSource, section: Section, clips: Iterable[Clip]) -> Iterator[str]:
    """What is missing and what is extra, by name."""
    counts = source.published_counts(section)
    if counts is None:
        return
    for label in LABELS:
        names = {Path(clip.path.partition("#t=")[0]).name for clip in clips if clip.label == label}
        published = {f"{number:08d}.wav" for number in range(counts[label])}
        if missing := sorted(published - names):
            yield f"missing: {len(missing)} of {counts[label]} {label} ({_some(missing)})"
        if extra := sorted(names - published):
            yield f"extra: {len(extra)} {label}, not among the {counts[label]} published ({_some(extra)})"


def _read(source: DatasetSource, section: Section, clips: Iterable[Clip], heads: Heads, findings: Findings) -> None:
    """Read every clip into `findings`; fills `heads` with how the recordings begin."""
    odd: defaultdict[str, list[str]] = defaultdict(list)
    trained = TrainedSounds()
    bad = findings.faults if source.config.get("on_bad_clip") == "skip" else findings.obstacles
    for clip in clips:
        try:
            known, samples, size, head = _examine(source, clip)
        except BadClipError as error:
            bad.append(f"broken: {error}")
            continue
        findings.formats[known] += 1
        heads[size, hashlib.sha256(head).digest()].append((section, clip))
        heard = heard_checksum(samples)
        if fault := trained.fault(clip, heard):
            bad.append(str(fault))
            continue
        findings.usable[clip.split, clip.label] += 1
        power = float(np.mean(np.square(samples, dtype=np.float64)))
        if power == 0:
            odd["silent"].append(clip.path)
            continue
        findings.levels.append(10 * np.log10(power))
        if heard is None:
            odd["constant"].append(clip.path)
        elif reaches_full_scale(samples):
            odd["at full scale"].append(clip.path)
    rates = count_rates(findings.formats)
    if len(rates) > 1:
        listed_rates = ", ".join(f"{count} of {rate} Hz" for rate, count in rates.most_common())
        findings.obstacles.append(f"mixed sample rates: {listed_rates}")
    findings.doubts += [f"{len(paths)} {what}: {_some(sorted(paths))}" for what, paths in odd.items()]


def _examine(source: DatasetSource, clip: Clip) -> tuple[Format, NDArray[np.float32], int, bytes]:
    """Format of the clip; its first channel, (n,); size of its recording in bytes, and its first bytes.

    Read once, but for the part of a long recording. Raises BadClipError.
    """
    opened = source.open(clip)
    name = opened if isinstance(opened, str) else clip.path
    if clip.seconds is None:
        opened = io.BytesIO(read_bytes(opened, name=name))
    rate, channels, count = read_header(opened, name=name)
    samples, _ = read_clip(opened, 0, name=name, start=clip.start, seconds=clip.seconds)
    known = Format(rate, channels, count if clip.seconds is None else round(clip.seconds * rate))
    with Path(opened).open("rb") if isinstance(opened, str) else opened as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        return known, samples, size, file.read(HEAD)


def _duplicates(source: DatasetSource, heads: Heads) -> Iterator[str]:
    """Recordings that are there more than once, under whatever names."""
    for some in heads.values():
        # The parts of one recording are no copies of each other.
        alike = list({clip.path.partition("#t=")[0]: (section, clip) for section, clip in some}.values())
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


def _range(values: Sequence[object]) -> str:
    """`10`, or `4 to 10`."""
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"
