"""What a model sees in chosen clips: their spectrogram, its reconstruction, and the scores of windows over time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mimii.features.file import read_clips, read_table
from mimii.paper.clip_views import Shown, view_clip
from mimii.paper.drawing import ABNORMAL, NORMAL, PAGE, STYLE
from mimii.runs.clip_scores import ClipScores, read_clip_scores
from mimii.runs.records import TrainingRecord
from mimii.runs.scoring import load_detector
from mimii.runs.trained import TrainedDetector


def choose_clips(clips: ClipScores) -> dict[str, int]:
    """The most telling test clips, by what they are; index into `clips`."""
    normal, abnormal = np.flatnonzero(~clips.abnormal), np.flatnonzero(clips.abnormal)
    return {
        "abnormal, highest": int(abnormal[np.argmax(clips.scores[abnormal])]),
        "abnormal, lowest": int(abnormal[np.argmin(clips.scores[abnormal])]),
        "normal, highest": int(normal[np.argmax(clips.scores[normal])]),
        "normal, lowest": int(normal[np.argmin(clips.scores[normal])]),
    }


def clips_to_show(
    features: Path, model_file: Path, training_record: Path, scores: Path, metrics: Mapping[str, Any]
) -> list[Shown]:
    """The chosen clips of a run. metrics: the run's row."""
    record = TrainingRecord.read(training_record)
    detector = load_detector(model_file, record, device="cpu")
    table = read_table(features)
    clip_scores = read_clip_scores(scores, sha256=metrics["scores_sha256"])
    shown = []
    for title, index in choose_clips(clip_scores).items():
        clip = read_clips(features, [table.paths.index(clip_scores.paths[index])])
        title = f"{title}: {clip_scores.scores[index]:.3g}\n{Path(clip_scores.paths[index]).stem}"
        shown.append(view_clip(detector, clip, title, bool(clip_scores.abnormal[index]), table.metadata.settings))
    return shown


def recording_figure(trained: TrainedDetector, path: Path, *, above: bool | None) -> Figure:
    """One recording as a trained model sees it. above: whether its score is above the threshold, where there is one."""
    shown = view_clip(trained.detector, trained.frames(path), path.name, bool(above), trained.features)
    decision = {None: "no threshold", True: "above the threshold: anomalous", False: "not above the threshold: normal"}
    title = f"{trained.model}, {trained.section}: score {shown.scores.mean():.3g}, {decision[above]}"
    return _figure([shown], trained.threshold, title)


def clip_figure(clips: Sequence[Shown], metrics: Mapping[str, Any]) -> Figure:
    """The chosen clips of a run. metrics: the run's row."""
    where = " ".join([metrics["db_level"], metrics["machine_type"], metrics["machine_id"]])
    return _figure(clips, metrics["threshold"], f"{metrics['model']}, {where}, AUC {metrics['auc']:.2f}")


def _figure(clips: Sequence[Shown], threshold: float | None, title: str) -> Figure:
    """A column for each clip: its frames, reconstruction where there is one, window scores; all at one scale."""
    pictures = [clip.frames for clip in clips]
    reconstructed = clips[0].reconstruction is not None
    low, high = np.quantile(np.concatenate([picture.ravel() for picture in pictures]), [0.005, 0.999])
    rows = 3 if reconstructed else 2
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(PAGE, 1.15 * rows + 0.75))
        grid = figure.subplots(rows, len(clips), squeeze=False, sharex="col", sharey="row")
        for column, clip in zip(grid.T, clips, strict=True):
            column[0].set_title(clip.title, color=ABNORMAL if clip.abnormal else NORMAL)
            for axes, picture in zip(column[:-1], (clip.frames, clip.reconstruction), strict=False):
                assert picture is not None
                image = axes.imshow(
                    picture.T,
                    origin="lower",
                    aspect="auto",
                    cmap="cividis",
                    vmin=low,
                    vmax=high,
                    extent=(0, clip.seconds, 0, picture.shape[1]),
                    interpolation="nearest",
                )
            axes = column[-1]
            style: dict[str, Any] = {"color": ABNORMAL if clip.abnormal else NORMAL, "linewidth": 0.7}
            axes.plot(clip.times, clip.scores, marker="." if len(clip.scores) < 60 else None, **style)
            if threshold is not None:
                axes.axhline(threshold, color="black", linewidth=0.7, linestyle="--")
            axes.set_xlim(0, clip.seconds)
            axes.set_xlabel("Time (s)")
        grid[0, 0].set_ylabel("Log-mel\n(band)" if clips[0].log_mel else "Embedding\n(value)")
        if reconstructed:
            grid[1, 0].set_ylabel("Reconstruction\n(band)" if clips[0].log_mel else "Reconstruction\n(value)")
        grid[-1, 0].set_ylabel("Window\nscore")
        figure.colorbar(
            image, ax=list(grid[:-1].ravel()), label="dB" if clips[0].log_mel else None, pad=0.01, aspect=30
        )
        figure.suptitle(title, fontsize=7)
    return figure
