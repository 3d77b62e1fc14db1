"""What recordings are like, by their headers: rates, channels, lengths, and which of them cannot be read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mimii.common.errors import BadClipError
from mimii.data.audio import read_header
from mimii.data.recorded import RecordedSource
from mimii.data.recordings import Format, Recording, count_rates
from mimii.data.sections import Section

MOST_OPENED = 500  # of a section, spread evenly
MOST_OPENED_IN_ARCHIVES = 2  # opening one unpacks it


@dataclass
class Inspection:
    """What a dataset holds. sections: recordings of each label. formats: how many of the opened ones have it.
    mixed: the sections whose recordings have several sample rates, and which.

    split: whether the dataset says itself which recordings are tested. broken: what is wrong with those that cannot be
    read.
    """

    sections: dict[Section, Counter[str]] = field(default_factory=dict)
    formats: Counter[Format] = field(default_factory=Counter)
    mixed: dict[Section, Counter[int]] = field(default_factory=dict)
    opened: int = 0
    split: bool = False
    broken: list[str] = field(default_factory=list)

    @property
    def recordings(self) -> int:
        """How many there are, opened or not."""
        return sum(counts.total() for counts in self.sections.values())

    def rates(self) -> Counter[int]:
        """Sample rates in Hz, and how many of the opened recordings have each."""
        return count_rates(self.formats)

    def seconds(self) -> list[float]:
        """Length of each kind, the shortest first."""
        return sorted(known.samples / known.rate for known in self.formats)


def inspect_recordings(source: RecordedSource) -> Inspection:
    """Look at the headers of a dataset's recordings. Raises UserError where they cannot be listed."""
    inspection = Inspection()
    for section in source.sections():
        recordings = source.recordings(section)
        inspection.sections[section] = Counter(recording.label for recording in recordings)
        inspection.split |= any(recording.split for recording in recordings)
        own = Counter[Format]()
        for recording in _spread(recordings):
            inspection.opened += 1
            try:
                rate, channels, samples = read_header(source.content(recording), name=recording.file)
            except BadClipError as error:
                inspection.broken.append(str(error))
                continue
            own[Format(rate, channels, samples)] += 1
        inspection.formats += own
        if len(count_rates(own)) > 1:
            inspection.mixed[section] = count_rates(own)
    return inspection


def _spread(recordings: Sequence[Recording]) -> Sequence[Recording]:
    most = MOST_OPENED_IN_ARCHIVES if any(recording.archive for recording in recordings) else MOST_OPENED
    return recordings[:: -(-len(recordings) // most)] if recordings else recordings
