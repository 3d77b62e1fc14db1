"""How large a section is, as far as that can be told before its features are made."""

from dataclasses import dataclass

from mimii.common.errors import UserError
from mimii.data.recorded import RecordedSource
from mimii.data.sections import Section
from mimii.data.source import DatasetSource
from mimii.data.split import count_tested


@dataclass(frozen=True)
class Extent:
    """train, test: clips of each. seconds: mean length of a clip; None where that is not known."""

    train: int
    test: int
    seconds: float | None


def extent_of(source: DatasetSource, section: Section) -> Extent | None:
    """From what is known of a dataset that is yet to be made or downloaded, else from its recordings as they are
    listed, of which the first is opened. None where nothing is known.
    """
    if not isinstance(source, RecordedSource):
        return None
    known, counts = source.format(), source.published_counts(section)
    if known and counts:
        train, test = _split(counts["normal"], counts["abnormal"], source)
        return _cut(Extent(train, test, known.samples / known.rate), source.clip_seconds)
    if source.downloads:
        return None
    recordings = source.recordings(section)
    if any(recording.split for recording in recordings):
        train = sum(recording.split == "train" for recording in recordings)
        test = len(recordings) - train
    else:
        normal = sum(recording.label == "normal" for recording in recordings)
        train, test = _split(normal, len(recordings) - normal, source)
    return _cut(Extent(train, test, _mean_seconds(source, section)), source.clip_seconds)


def _split(normal: int, abnormal: int, source: RecordedSource) -> tuple[int, int]:
    """Clips for training and for the test, by the benchmark's own split."""
    tested = min(count_tested(normal, abnormal, source.tested), normal)
    return normal - tested, tested + abnormal


def _mean_seconds(source: RecordedSource, section: Section) -> float | None:
    """By the length of the first recording and the sizes of all; None where it cannot be read, which its job says."""
    from mimii.data.audio import read_header  # takes a moment to import

    recordings = source.recordings(section)
    first = recordings[0]
    try:
        rate, _, samples = read_header(source.content(first), name=first.file)
    except UserError:
        return None
    return samples / rate * sum(recording.size for recording in recordings) / len(recordings) / first.size


def _cut(whole: Extent, seconds: float | None) -> Extent:
    """The extent once the recordings are cut into clips of so many seconds."""
    if seconds is None or whole.seconds is None or whole.seconds < seconds:
        return whole
    clips = int(whole.seconds / seconds)
    return Extent(whole.train * clips, whole.test * clips, seconds)
