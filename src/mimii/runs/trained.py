"""A trained model as a Python object: `mimii.load_detector(run).score("clip.wav")`. See docs/api.md."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mimii.common.errors import BadClipError, UserError
from mimii.common.records import DamagedError
from mimii.data.audio import read_clip
from mimii.features.clips import Clips, Group
from mimii.features.extraction import at_rate
from mimii.features.extractor import DEFAULT, extractor_class
from mimii.runs.clip_scores import PRIMARY
from mimii.runs.exported import MODELS, folder_of
from mimii.runs.records import MetricsRecord, ScoringRecord, TrainingRecord
from mimii.runs.scoring import load_detector as load_model


class TrainedDetector:
    """Scores single clips as the workflow scores them: with the run's own features, and the model of its scope.

    run: its folder, or the file that it was exported to. model, section, seed, settings, features: what it was trained
    with. threads: how many the run computed with; a network's scores are the same to the last bit with as many.
    threshold: scores above it count as anomalous; None where no clips were held out to set it. detector: the model
    itself.
    """

    def __init__(self, run: str | Path, *, device: str = "cpu", checkpoint: str | Path | None = None) -> None:
        """Load the model of a run. checkpoint: folder of the pretrained network, of a run on its embeddings.

        Raises UserError where a file is missing, damaged or not of this run.
        """
        self.run = Path(run)
        with folder_of(run) as folder:
            self._load(folder, device)
        make = extractor_class(self.features["extractor"])
        self._extractor = make(self.features, checkpoint=checkpoint, device=device)

    def _load(self, folder: Path, device: str) -> None:
        scoring = ScoringRecord.read(folder / "scoring.json")
        trained = scoring.training_folder(folder)
        training = TrainingRecord.read(trained / "training.json")
        row = MetricsRecord.read(folder / "metrics.json").row
        if scoring.model_sha256 != training.model_sha256:
            raise DamagedError(folder / "scoring.json", f"it is of another model than that in {trained}")
        run_path = training.run_name(scoring.section).path
        if (row.get("run_path"), row.get("model_sha256")) != (run_path, training.model_sha256):
            raise DamagedError(folder / "metrics.json", f"it is of another model than that in {trained}")
        if training.threads is None:
            raise UserError(f"{folder}: scores that were made elsewhere have no model here")
        self.model = training.model
        self.section = scoring.section
        self.seed = training.seed
        self.threads = training.threads
        self.settings = training.settings
        self.features = {"extractor": DEFAULT, **training.features}
        self.threshold: float | None = row["threshold"]
        files = [trained / name for name in MODELS if (trained / name).is_file()]
        if not files:
            raise UserError(f"{trained}: holds no model; ask snakemake for {folder}/metrics.json")
        self.detector = load_model(files[0], training, device=device)

    def score(self, clip: str | Path | NDArray[np.floating], sample_rate: int | None = None) -> float:
        """Anomaly score of one clip; higher = more anomalous.

        clip: a wav file; or samples in [-1, 1], (n,) or (n, channels) as soundfile reads them, of which the run's own
        channel is taken. sample_rate: of samples, in Hz; None: the run's own.
        Raises UserError where the clip cannot be used, such as another sample rate or too short a clip.
        """
        clips = self.frames(clip, sample_rate)
        return float(self.detector.clip_scores(clips, top_k=1)[PRIMARY][0])

    def window_scores(
        self, clip: str | Path | NDArray[np.floating], sample_rate: int | None = None
    ) -> NDArray[np.float64]:
        """Anomaly score of every window of one clip, in time: (windows,). Arguments and errors as for `score`."""
        return self.detector.window_scores(self.frames(clip, sample_rate))

    def frames(self, clip: str | Path | NDArray[np.floating], sample_rate: int | None = None) -> Clips:
        """One clip as the model sees it, (frames, values). Arguments and errors as for `score`."""
        name = str(clip) if isinstance(clip, str | Path) else "array"
        if isinstance(clip, str | Path):
            samples, rate = read_clip(name, self.features["channel"], name=name)
        else:
            samples, rate = self._channel(np.asarray(clip)), sample_rate or self._extractor.sample_rate
        samples = at_rate(samples, rate, self.features, self._extractor.sample_rate, name=name)
        (frames,) = self._extractor.frames([samples])
        window = self.settings["frames"]
        if window is not None and len(frames) < window:
            raise BadClipError(f"{name}: {len(frames)} frames, shorter than a window of {window}; give a longer clip")
        return Clips(np.ascontiguousarray(frames), np.array([len(frames)], dtype=np.int64), (Group(self.section),))

    def _channel(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        if not np.issubdtype(samples.dtype, np.floating) or samples.ndim not in (1, 2) or not samples.size:
            raise UserError(
                f"array of {samples.dtype}, shape {samples.shape}: expected floats in [-1, 1], (n,) or (n, channels)"
            )
        if not np.isfinite(samples).all():
            raise UserError("array: NaN or infinite samples")
        if samples.ndim == 2:
            channel = self.features["channel"]
            if channel != "mean" and channel >= samples.shape[1]:
                raise UserError(f"array of {samples.shape[1]} channels: the run needs channel {channel}, from 0")
            samples = samples.mean(axis=1) if channel == "mean" else samples[:, channel]
        return samples.astype(np.float32)


def load_detector(run: str | Path, *, device: str = "cpu", checkpoint: str | Path | None = None) -> TrainedDetector:
    """The trained model of a run, ready to score clips.

    run: folder of a finished run, such as results/runs/vae/default/seed=42/6dB/fan/id_00, or a file that
    `python -m mimii export` made of one.
    device: cpu, cuda, cuda:1 or auto. checkpoint: folder of the pretrained network, of a run whose features are its
    embeddings. Raises UserError where the run is not finished or its files are damaged.
    """
    return TrainedDetector(run, device=device, checkpoint=checkpoint)
