"""A first configuration for a folder of recordings, from what is in it: `python -m mimii init`."""

import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import yaml

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.common.provenance import REPOSITORY
from mimii.data.inspection import Inspection, inspect_recordings
from mimii.data.layouts import Layout, find_layout
from mimii.data.lookup import open_source
from mimii.data.recorded import RecordedSource
from mimii.data.recordings import Format
from mimii.data.sections import NO_LEVEL, Section, section_name
from mimii.data.split import AS_MANY, MIN_TRAINING, PROPOSED_SHARE, Tested, check_counts, count_tested
from mimii.features.settings import empty_bands, feature_declarations
from mimii.planning.checking import format_problems
from mimii.planning.config import read_config
from mimii.planning.variants import all_variants

MODELS = ("mahalanobis", "pca", "simple_ae", "vae")
LONGEST_SECONDS = 60.0  # longer recordings are cut
CLIP_SECONDS = 10.0  # as long as MIMII's
FRAME_SECONDS = 0.064  # of the Fourier transform, as of MIMII's 1024 samples at 16 kHz
HIGHEST_RATE = 96_000
SHORTEST_FFT = 128

TEMPLATE = """\
# {described}
# {found}
# Every other key, with its default: config/config.yaml. What each means: config/README.md.
dataset:
  source: {source}
  root: {root}
{settings}  split: {split}  # {split_comment}
  clip_seconds: {clip_seconds}  # {clip_comment}
  on_bad_clip: {on_bad_clip}  # {bad_comment}

features:
  sample_rate: {sample_rate}  # Hz; {rate_comment}
  resample: {resample}
  n_fft: {n_fft}  # {frame_comment}
  hop_length: {hop_length}
  n_mels: {n_mels}
  channel: {channel}  # {channel_comment}

models:  # any of docs/models.md; under a name, settings of that model, such as vae: {{epochs: 100}}
{models}
seeds: [42, 43, 44]  # for models that depend on their seed; shows how much of a difference is chance

paths:
  results: {results}
  features: {results}/features
  runs: {results}/runs
"""


@dataclass
class FirstConfig:
    """A configuration as it will be written, and what a person should know of it.

    text: YAML. layout, inspection: what was seen. counts: clips of each section, (split, label).
    doubts: what may be wrong, a sentence each.
    """

    text: str
    layout: Layout
    inspection: Inspection
    counts: Mapping[Section, Counter[tuple[str, str]]]
    doubts: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """What was seen, in a screen."""
        lines = [self.layout.described, f"  {summary(self.inspection)}"]
        for section, counts in list(self.counts.items())[:12]:
            tested = f"{counts['test', 'normal']} normal and {counts['test', 'abnormal']} abnormal to test"
            lines.append(f"  {section}: {counts['train', 'normal']} clips to train, {tested}")
        if len(self.counts) > 12:
            lines.append(f"  and {len(self.counts) - 12} sections more")
        if any(NO_LEVEL in (section.snr, section.machine, section.id) for section in self.counts):
            lines.append(f"  ({NO_LEVEL} stands where nothing names an SNR, a machine or its ID)")
        return "\n".join([*lines, *(f"Not sure: {doubt}" for doubt in self.doubts)])


def propose(folder: Path, normal: tuple[str, ...] = ()) -> FirstConfig:
    """A configuration that runs on the recordings in `folder`, in which nothing is changed.

    normal: folders or words that stand for normal recordings, where they are known.
    Raises UserError where nothing can be run, with what stands against it.
    """
    layout = find_layout(folder, normal)
    root = _place(folder)
    dataset = {**layout.dataset, "root": str(folder.absolute())}
    source = open_source(_read(dataset)["dataset"])
    assert isinstance(source, RecordedSource)
    inspection = inspect_recordings(source)
    if not inspection.formats:
        raise UserError("none of the recordings can be read; the first of them:\n  " + inspection.broken[0])
    doubts = list(layout.guesses)
    if inspection.seconds()[-1] > LONGEST_SECONDS:
        dataset["clip_seconds"] = CLIP_SECONDS
        longest = inspection.seconds()[-1]
        doubts.append(f"the length of a clip: recordings of up to {longest:.0f} s are cut into {CLIP_SECONDS:g} s")
    if inspection.broken:
        dataset["on_bad_clip"] = "skip"
        doubts.append(f"{len(inspection.broken)} recording(s) cannot be read, and are left out: {inspection.broken[0]}")
    dataset["split"] = choose_split(_counts(dataset, "label"), fixed=inspection.split)
    counts = _counts(dataset, "split", "label")
    _refuse_sections(counts, inspection)
    features = choose_features(inspection)
    if len(inspection.rates()) > 1:
        doubts.append(
            f"the sample rate: there are {_rates(inspection.rates())}; all become {features['sample_rate']} Hz"
        )
    if len({known.channels for known in inspection.formats}) > 1:
        doubts.append("the channel: recordings have different numbers of them, and the first is used")
    doubts += [str(problem) for problem in _problems(dataset, features, inspection)]
    text = _written(layout, inspection, {**dataset, "root": root}, features)
    return FirstConfig(text, layout, inspection, counts, doubts)


def write_config(proposed: FirstConfig, output: Path) -> None:
    """Write the configuration. Raises UserError where a file is there already, or it would lie among the recordings."""
    dataset = read_config(yaml.safe_load(proposed.text))["dataset"]
    if output.resolve().is_relative_to(Path(REPOSITORY, dataset["root"]).resolve()):
        raise UserError(f"{output} would lie among the recordings; name another file: --output FILE")
    if os.path.lexists(output):
        raise UserError(f"{output} is there already, and is left as it is; name another file: --output FILE")
    with written_whole(output) as path:
        path.write_text(proposed.text, encoding="utf-8")


def default_name(folder: Path) -> str:
    """What a configuration and its results are called: as the folder of the recordings."""
    return section_name(folder.resolve().name).strip("._-") or "recordings"


def choose_split(labels: Mapping[Section, Counter[str]], *, fixed: bool = False) -> Tested:
    """How many normal clips are tested, so that enough are left to train on in every section that has enough.

    As many as abnormal ones where half of the normal ones are left, else a share, else what the smallest section can
    spare.
    labels: clips of each. fixed: the dataset has a split of its own.
    """
    usable = [own for own in labels.values() if own["normal"] > MIN_TRAINING and own["abnormal"]]
    left = [own["normal"] - own["abnormal"] for own in usable]
    halves = [max(MIN_TRAINING, own["normal"] / 2) for own in usable]
    if fixed or not usable or all(own >= half for own, half in zip(left, halves, strict=True)):
        return AS_MANY
    smallest = min(own["normal"] for own in usable)
    if smallest - count_tested(smallest, 0, PROPOSED_SHARE) >= MIN_TRAINING:
        return PROPOSED_SHARE
    return smallest - MIN_TRAINING


def choose_features(inspection: Inspection) -> dict[str, Any]:
    """Settings that suit the recordings: their own rate, or the lowest of several; frames of some 64 ms.

    Recordings of a higher rate than HIGHEST_RATE are resampled to it.
    """
    rates = inspection.rates()
    rate = min(*rates, HIGHEST_RATE)
    settings = {name: rule["default"] for name, rule in feature_declarations().items()}
    settings |= {"sample_rate": rate, "resample": set(rates) != {rate}}
    n_fft = 2 ** round(math.log2(FRAME_SECONDS * rate))
    shortest = inspection.seconds()[0] * rate
    while n_fft > SHORTEST_FFT and shortest < 10 * n_fft / 2:  # ten frames at least
        n_fft //= 2
    settings |= {"n_fft": n_fft, "hop_length": n_fft // 2}
    while empty_bands(settings) and settings["n_mels"] > 8:
        settings["n_mels"] //= 2
    return {key: settings[key] for key in ("sample_rate", "resample", "n_fft", "hop_length", "n_mels", "channel")}


def summary(inspection: Inspection) -> str:
    """`212 recordings, 44100 Hz, 1 channel, 6.0 s`."""
    channels = sorted({known.channels for known in inspection.formats})
    seconds = sorted({f"{length:.1f}" for length in inspection.seconds()}, key=float)
    parts = [
        f"{inspection.recordings} recordings",
        _rates(inspection.rates()),
        f"{' and '.join(map(str, channels))} channel{'' if channels == [1] else 's'}",
        f"{seconds[0]} s" if len(seconds) == 1 else f"{seconds[0]} to {seconds[-1]} s",
    ]
    if inspection.opened < inspection.recordings:
        parts.append(f"by the headers of {inspection.opened}")
    return ", ".join(parts)


def _rates(rates: Counter[int]) -> str:
    if len(rates) == 1:
        return f"{next(iter(rates))} Hz"
    return " and ".join(f"{count} of {rate} Hz" for rate, count in rates.most_common())


def _place(folder: Path) -> str:
    """Relative to the repository, where the workflow runs, if it lies there."""
    absolute = folder.absolute()
    return str(absolute.relative_to(REPOSITORY) if absolute.is_relative_to(REPOSITORY) else absolute)


def _read(dataset: Mapping[str, Any], features: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return read_config({"dataset": dict(dataset), "features": dict(features or {}), "models": dict.fromkeys(MODELS)})


def _counts(dataset: Mapping[str, Any], *of: str) -> dict[Section, Counter[Any]]:
    """How many clips of each section have the same of these attributes; recordings may be cut into clips."""
    source = open_source(_read(dataset)["dataset"])
    return {section: Counter(map(attrgetter(*of), source.clips(section))) for section in source.sections()}


def _refuse_sections(counts: Mapping[Section, Counter[tuple[str, str]]], inspection: Inspection) -> None:
    """Raise one UserError that names each section that cannot be run."""
    faults = []
    for section, own in counts.items():
        if section in inspection.mixed:
            rates = _rates(inspection.mixed[section])
            faults.append(f"  - section {section}: {rates}, which a detector would hear; convert them to one rate")
        try:
            train, tested = own["train", "normal"], own["test", "normal"]
            check_counts(section, train, tested, own["test", "abnormal"], "Add recordings, or move the folder away")
        except UserError as error:
            faults.append(f"  - {error}")
    if faults:
        raise UserError(
            f"{len(faults)} of {len(counts)} sections cannot be used, and no configuration was written:\n"
            + "\n".join(faults[:20])
        )


def _problems(dataset: Mapping[str, Any], features: Mapping[str, Any], inspection: Inspection) -> list[object]:
    """Why some of the recordings cannot be used, such as one shorter than a window."""
    variants = all_variants(_read(dataset, features))
    lengths = sorted(inspection.formats, key=lambda known: known.samples / known.rate)
    shortest: Format = lengths[0]
    return list(dict.fromkeys(format_problems(variants, shortest)))


def _written(layout: Layout, inspection: Inspection, dataset: Mapping[str, Any], features: Mapping[str, Any]) -> str:
    """The YAML, with what stands for what in comments."""
    settings = "".join(
        f"  {key}: {_yaml(value)}\n" for key, value in dataset.items() if key in ("labelled", "table", "dcase")
    )
    split = dataset["split"]
    channels = max(known.channels for known in inspection.formats)
    milliseconds = 1000 * features["n_fft"] / features["sample_rate"]
    return TEMPLATE.format(
        described="".join(letter if letter.isprintable() else "?" for letter in layout.described),
        found=summary(inspection),
        source=dataset["source"],
        root=_yaml(dataset["root"]),
        settings=settings,
        split=split,
        split_comment="the recordings come with a split, which is kept"
        if inspection.split
        else "how many normal clips are tested: as_many_as_abnormal, a number, or a share",
        clip_seconds=_yaml(dataset.get("clip_seconds")),
        clip_comment="cuts longer recordings into clips of so many seconds",
        on_bad_clip=dataset.get("on_bad_clip", "stop"),
        bad_comment="a recording that cannot be read: stop, or skip, which leaves it out and names it in the results",
        sample_rate=features["sample_rate"],
        rate_comment="a lower one is computed faster, and needs resample: true",
        resample=_yaml(features["resample"]),
        n_fft=features["n_fft"],
        frame_comment=f"samples of a frame, {milliseconds:.0f} ms; the next begins hop_length later",
        hop_length=features["hop_length"],
        n_mels=features["n_mels"],
        channel=features["channel"],
        channel_comment=f"of {channels}, counted from 0; or mean" if channels > 1 else "the only one",
        models="".join(f"  {name}: {{}}\n" for name in MODELS),
        results=f"results/own/{default_name(Path(REPOSITORY, dataset['root']))}",
    )


def _yaml(value: Any) -> str:
    """One value as YAML writes it, on one line."""
    return (
        str(yaml.safe_dump(value, default_flow_style=True, width=math.inf, allow_unicode=True, sort_keys=False))
        .removesuffix("...\n")
        .strip()
    )
