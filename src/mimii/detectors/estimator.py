"""Base of the detectors without a training loop: they learn from windows as vectors, and score vectors.

Imports neither scikit-learn nor torch; a model's `fit` imports what it needs.
"""

import os
from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from mimii.common.errors import UserError
from mimii.detectors.array_file import read_arrays, write_arrays
from mimii.detectors.contract import AnomalyDetector, FitResult
from mimii.detectors.scaling import mean_and_deviation
from mimii.features.clips import Clips


class EstimatorDetector(AnomalyDetector):
    """A model gives `learn` and `vector_scores`, and keeps all that it learns in `self.learnt`, which is what is saved.

    learnt: name -> array or number; empty before fit.
    """

    suffix = ".npz"

    learnt: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.learnt = {}

    @abstractmethod
    def learn(self, training: Clips) -> int:
        """Fill `self.learnt` from normal clips; returns the number of vectors fitted on."""

    @abstractmethod
    def vector_scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Anomaly scores, (vectors,), of what `projected` makes of vectors."""

    def projected(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the model sees of vectors (vectors, frames x n_mels), frame-major; may change them in place."""
        return vectors

    def fit(self, training: Clips, validation: Clips) -> FitResult:
        """Nothing is fitted on the validation clips."""
        self._check_finite(training, "training")
        windows = self.learn(training)
        self.learn_clip_statistics(training)
        return FitResult(training_windows=windows)

    def window_scores(self, clips: Clips) -> NDArray[np.float64]:
        starts, clip = self.windows(clips)
        # Clip by clip, since the last bits of a matrix product depend on how many rows it has.
        parts = np.split(starts, np.flatnonzero(np.diff(clip)) + 1) if len(starts) else []
        scores = [self.vector_scores(self.projected(self.vectors(clips, part))) for part in parts]
        return np.concatenate(scores) if scores else np.zeros(0)

    def vectors(self, clips: Clips, starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Copies of the windows that start at the given frames: (windows, frames x n_mels), frame-major."""
        return self.vector_view(clips)[starts]

    def vector_view(self, clips: Clips) -> NDArray[np.float32]:
        """The window that starts at each frame, across clips too: (total frames - frames + 1, frames x n_mels)."""
        length, (total, n_mels) = self.settings["frames"], clips.frames.shape
        frames = np.ascontiguousarray(clips.frames)
        step = frames.itemsize
        return as_strided(frames, (total - length + 1, length * n_mels), (n_mels * step, step), writeable=False)

    def drawn_vectors(self, clips: Clips, most: int | None) -> NDArray[np.float32]:
        """At most `most` windows, as vectors, drawn without replacement with the seed, equally many from each clip."""
        starts, clip = self.windows(clips)
        if most is not None and len(starts) > most:
            generator = np.random.default_rng(self.seed)
            # Each clip gives its windows turns, at random; those with the lowest turns of all are taken, ties by lot.
            shuffled = np.lexsort((generator.random(len(starts)), clip))
            first = np.flatnonzero(np.diff(clip, prepend=-1))
            turn = np.empty(len(starts), np.int64)
            turn[shuffled] = np.arange(len(starts)) - first[np.searchsorted(first, np.arange(len(starts)), "right") - 1]
            starts = starts[np.sort(np.lexsort((generator.random(len(starts)), turn))[:most])]
        return self.vectors(clips, starts)

    def learn_scale(self, training: Clips) -> None:
        """For models with the setting standardize: keep mean and deviation of each mel band, if it is set."""
        if self.settings["standardize"]:
            mean, deviation = mean_and_deviation(training.frames)
            self.learnt |= {"mean": mean, "deviation": deviation}

    def scaled(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vectors, standardised in place if the setting says so."""
        if self.settings["standardize"]:
            frames = vectors.reshape(len(vectors), -1, self.n_mels)
            frames -= self.learnt["mean"]
            frames /= self.learnt["deviation"]
        return vectors

    def learn_components(self, vectors: NDArray[np.float32], *, whiten: bool) -> NDArray[np.float32]:
        """For models with the setting components: keep what `in_components` needs; returns its result. They name
        sklearn.decomposition in `fit_modules`.

        vectors: scaled; they are changed. whiten: bring all components to the same variance, but for those in which the
        vectors hardly vary; these are left out, for they would be noise alone. Raises UserError where none varies.
        """
        from sklearn.decomposition import PCA

        most = self.settings["components"] or vectors.shape[1]
        # Before, not in, PCA: that would take the mean out of the covariance, and lose digits where the mean is large.
        self.learnt |= {"centre": vectors.mean(0, dtype=np.float64).astype(np.float32)}
        vectors -= self.learnt["centre"]
        if not vectors.any():
            raise UserError(
                f"{self.name()}: all training windows are alike, as those of silent recordings are, so there is "
                "nothing to learn; look at the section's recordings, and leave it out"
            )
        pca = PCA(min(most, *vectors.shape), random_state=self.seed).fit(vectors)
        components = pca.components_
        if whiten:
            varying = pca.explained_variance_ > 1e-6 * pca.explained_variance_[0]
            components = components[varying] / np.sqrt(pca.explained_variance_[varying, None])
        self.learnt |= {"components": components.astype(np.float32)}
        return vectors @ self.learnt["components"].T

    def in_components(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Coordinates of scaled vectors along the learnt components, (vectors, components); changes the vectors."""
        vectors -= self.learnt["centre"]
        return vectors @ self.learnt["components"].T

    def parameter_count(self) -> int | None:
        """Numbers in the learnt arrays; a model of another kind counts for itself. None before fit."""
        if not self.learnt:
            return None
        return sum(int(np.size(value)) for value in self.learnt.values())

    def save(self, path: str | os.PathLike[str]) -> None:
        about = {"model": self.name(), "settings": self.settings, "n_mels": self.n_mels, "seed": self.seed}
        parts = {"learnt": self.learnt, "clip_statistics": self.clip_statistics}
        write_arrays(path, about, {f"{part}/{name}": value for part in parts for name, value in parts[part].items()})

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "cpu") -> Self:
        try:
            about, arrays = read_arrays(path)
            cls._check_name(about["model"], path)
            detector = cls(about["settings"], about["n_mels"], seed=about["seed"], device=device)
            parts = {"learnt": detector.learnt, "clip_statistics": detector.clip_statistics}
            for name, array in arrays.items():
                part, _, key = name.partition("/")
                parts[part][key] = array
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: not a {cls.name()} model, or damaged; remove the file and train again") from error
        return detector
