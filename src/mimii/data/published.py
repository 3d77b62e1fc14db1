"""What is known of MIMII public 1.0 before any of it is on disk: its archives and the clips of each section."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mimii.common.declarations import read_declarations
from mimii.data.sections import Section

# 6_dB_fan, 0_dB_pump.zip, -6_dB_valve.zip
NAME = re.compile(r"(?P<minus>-?)(?P<level>\d+)_dB_(?P<machine>[A-Za-z0-9-]+)(?P<zip>\.zip)?")


@dataclass(frozen=True)
class PublishedArchive:
    """One archive of the record. size: bytes; not `exact` where it is only known about."""

    name: str
    size: int
    exact: bool
    md5: str


def snr_and_machine(name: str) -> tuple[str, str] | None:
    """SNR and machine type of an archive or its folder: min6dB and fan of `-6_dB_fan.zip`; None for other names."""
    match = NAME.fullmatch(name)
    if match is None:
        return None
    return f"{'min' if match['minus'] else ''}{match['level']}dB", match["machine"]


@cache
def published_data() -> Mapping[str, Any]:
    """`published.yaml`: archives and clip counts of MIMII public 1.0."""
    file = Path(__file__).with_suffix(".yaml")
    declared: Mapping[str, Any] = read_declarations(file)
    return declared


def archives() -> dict[tuple[str, str], PublishedArchive]:
    """The archives by SNR and machine type."""
    by_type = {}
    for name, entry in published_data()["archives"].items():
        key = snr_and_machine(name)
        assert key is not None, name
        exact = entry["bytes"] is not None
        size = entry["bytes"] if exact else entry["about"]
        by_type[key] = PublishedArchive(name, size, exact, entry["md5"])
    return by_type


def sections() -> list[Section]:
    """All 48 sections."""
    return [Section(snr, machine, id) for snr, machine in archives() for id in ids(machine)]


def ids(machine: str) -> list[str]:
    """The IDs of a machine type; none for one that is not MIMII's."""
    return list(published_data()["clips"].get(machine, ()))


def clip_counts(section: Section) -> dict[str, int] | None:
    """How many normal and abnormal clips a section has; None for one that is not MIMII's."""
    if (section.snr, section.machine) not in archives():
        return None
    counts: dict[str, int] | None = published_data()["clips"][section.machine].get(section.id)
    return counts
