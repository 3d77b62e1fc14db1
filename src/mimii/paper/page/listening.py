"""Clips of one run to look at and to listen to: which, their pictures, their sound."""

import base64
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mimii.common.errors import UserError
from mimii.data.audio import read_clip
from mimii.data.lookup import open_source
from mimii.data.sections import Section
from mimii.data.source import DatasetSource
from mimii.features.file import read_clips, read_table
from mimii.features.settings import band_edges
from mimii.paper.clip_views import Shown, view_clip
from mimii.runs.clip_scores import ClipScores, read_clip_scores
from mimii.runs.records import TrainingRecord
from mimii.runs.scoring import load_detector

# Of LAME's range at 16 kHz: about 40 kB for 10 s.
COMPRESSION = 0.85
LOUDEST = 0.9
MOST_LOUDER = 100.0
LEVELS = 255


def choose_clips(clips: ClipScores, count: int) -> list[tuple[str, int]]:
    """(kind, index into `clips`): the worst misses and false alarms, and the clips nearest to their class's median."""
    chosen = []
    for kind, abnormal, worst in (("missed", True, 1), ("false alarm", False, -1)):
        own = np.flatnonzero(clips.abnormal == abnormal)
        by_score = own[np.argsort(worst * clips.scores[own], kind="stable")]
        chosen += [(f"{'abnormal' if abnormal else 'normal'}, {kind}", int(clip)) for clip in by_score[:count]]
    for abnormal in (True, False):
        own = np.flatnonzero(clips.abnormal == abnormal)
        distance = np.abs(clips.scores[own] - np.median(clips.scores[own]))
        typical = own[np.argsort(distance, kind="stable")]
        others = {clip for _, clip in chosen}
        nearest = [int(clip) for clip in typical if clip not in others][:count]
        chosen += [(f"{'abnormal' if abnormal else 'normal'}, typical", clip) for clip in nearest]
    return chosen


def clip_record(view: Shown, low: float, high: float) -> dict[str, Any]:
    """A clip's pictures and window scores, as JSON can hold them. low, high: the ends of the pictures' scale, dB."""
    return {
        "abnormal": view.abnormal,
        "seconds": view.seconds,
        "frames": picture(view.frames, low, high),
        "reconstruction": None if view.reconstruction is None else picture(view.reconstruction, low, high),
        "times": [float(view.times[0]), float(view.times[1] - view.times[0]) if len(view.times) > 1 else 0.0],
        "scores": [float(f"{score:.4g}") for score in view.scores],
    }


def gather_clips(
    features: Path,
    model_file: Path,
    training: Path,
    scores: Path,
    metrics: Mapping[str, Any],
    dataset: Mapping[str, Any],
    *,
    count: int,
) -> dict[str, Any]:
    """What the page shows of a run's chosen clips, as JSON can hold it.

    metrics: the run's row. dataset: that part of the configuration; where its recordings are gone, clips are without
    sound, and standard error says why. count: clips of each kind.
    """
    record = TrainingRecord.read(training)
    detector = load_detector(model_file, record, device="cpu")
    table = read_table(features)
    section, settings = table.metadata.section, table.metadata.settings
    clips = read_clip_scores(scores, sha256=metrics["scores_sha256"])
    chosen = choose_clips(clips, count)
    rows = [table.paths.index(clips.paths[index]) for _, index in chosen]
    all_frames = read_clips(features, rows)
    low, high = np.quantile(all_frames.frames, [0.005, 0.999])
    shown: list[dict[str, Any]] = []
    for place, (kind, index) in enumerate(chosen):
        path = str(clips.paths[index])
        view = view_clip(detector, all_frames.select(place, place + 1), path, bool(clips.abnormal[index]), settings)
        name, score = path.removeprefix(f"{section}/"), float(clips.scores[index])
        shown.append({"kind": kind, "name": name, "path": path, "score": score, **clip_record(view, low, high)})
    windows = [score for one in shown for score in one["scores"]]
    return {
        "model": record.model,
        "variant": record.variant,
        "seed": record.seed,
        "section": section,
        "hertz": band_edges(settings)[1:-1] if settings["extractor"] == "log_mel" else None,
        "threshold": metrics["threshold"],
        "scoreRange": [min(windows), max(windows)],
        "clips": shown,
        **add_sound(shown, open_source(dataset), Section.parse(section), settings),
    }


def picture(frames: NDArray[np.float32], low: float, high: float) -> dict[str, Any]:
    """(frames, bands) as bytes between two levels; what no window reconstructs is the lowest."""
    levels = np.clip((np.nan_to_num(frames, nan=low) - low) / max(high - low, 1e-9), 0, 1) * LEVELS
    data = base64.b64encode(np.rint(levels).astype(np.uint8).tobytes()).decode()
    return {"frames": frames.shape[0], "bands": frames.shape[1], "data": data}


def add_sound(
    clips: list[dict[str, Any]], source: DatasetSource, section: Section, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Give each clip its `audio`, of the channel that the model heard. Returns `louder`, `silent` and `licence`.

    All clips of a run are made louder by one factor, so that they can be compared by ear.
    """
    licence = licence_of(source, section)
    try:
        by_path = {clip.path: clip for clip in source.clips(section)}
        heard = [
            read_clip(source.open(by_path[clip["path"]]), settings["channel"], name=clip["path"]) for clip in clips
        ]
    except (UserError, OSError, KeyError) as error:
        for clip in clips:
            clip["audio"] = None
        print(f"{section}: the page shows its clips without sound: {error}", file=sys.stderr)
        return {"louder": 1, "silent": True, "licence": licence}
    peak = max(float(np.abs(samples).max()) for samples, _ in heard)
    louder = min(max(LOUDEST / peak, 1.0), MOST_LOUDER) if peak > 0 else 1.0
    for clip, (samples, rate) in zip(clips, heard, strict=True):
        clip["audio"] = base64.b64encode(encoded(samples * np.float32(louder), rate)).decode()
    return {"louder": float(f"{louder:.2g}"), "silent": False, "licence": licence}


def licence_of(source: DatasetSource, section: Section) -> str:
    """What stands where the recordings can be heard or passed on."""
    if source.name == "made_up":
        return "made up by this workflow, free to pass on"
    if source.published_counts(section) is not None:
        return "MIMII (Purohit et al., DCASE 2019 Workshop), CC BY-SA 4.0"
    return "licence not known to this workflow; see whether they may be passed on before you pass on this page"


def encoded(samples: NDArray[np.float32], rate: int) -> bytes:
    """MP3, which every browser plays."""
    import soundfile

    file = io.BytesIO()
    how = {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": COMPRESSION, "bitrate_mode": "CONSTANT"}
    soundfile.write(file, samples, rate, **how)
    return file.getvalue()
