"""What extraction writes down beside a section's features: what they cost, which differs each time as they do not."""

from dataclasses import dataclass
from pathlib import Path

from mimii.common.records import Record


@dataclass(frozen=True)
class ExtractionRecord(Record):
    """`<section>.extraction.json`. clips: that have features. times: s of wall clock, and of the process's CPU time,
    without loading libraries and weights. load: `provenance.machine_load`, at the end.
    """

    section: str
    clips: int
    extraction_time_sec: float
    extraction_cpu_sec: float
    load: float
    device: str
    threads: int
    host: str

    @property
    def cpu_per_clip_ms(self) -> float:
        """Mean CPU time of a clip."""
        return 1000 * self.extraction_cpu_sec / self.clips


def read_extraction(features: Path) -> ExtractionRecord | None:
    """The record beside a features file; None where there is none. Raises UserError where it is damaged."""
    path = features.with_suffix(".extraction.json")
    return ExtractionRecord.read(path) if path.exists() else None
