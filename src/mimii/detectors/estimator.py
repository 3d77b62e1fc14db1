"""Base of the detectors without a training loop: they learn from windows as vectors, and score vectors.

Imports neither scikit-learn nor torch; a model imports what it needs.
"""

import io
import json
import os
import zipfile
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from mimii.common.errors import UserError
from mimii.detectors.contract import AnomalyDetector, FitResult
from mimii.detectors.scaling import mean_and_deviation
from mimii.features.clips import Clips

# Types beyond skops' own list that may be in a file. A tree's state is arrays, but scikit-learn does not check them: a
# file is loaded after its checksum was verified.
TRUSTED = ["sklearn.tree._tree.Tree"]
# Vectors in one block where vectors need not stay with their clip.
BLOCK = 2**13


class EstimatorDetector(AnomalyDetector):
    """A model gives `learn` and `vector_scores`, and keeps all that it learns in `self.learnt`, which is what is saved.

    learnt: name -> array, number or scikit-learn estimator; empty before fit.
    """

    suffix = ".skops"
    libraries = ("scikit-learn",)
    # Whether the score of a projected vector is the same to the last bit in whatever block it comes.
    exact_in_blocks: ClassVar[bool] = False

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
        scores: list[NDArray[np.float64]] = []
        block: list[NDArray[np.float32]] = []
        # Clip by clip, since the last bits of a matrix product depend on how many rows it has.
        for part in np.split(starts, np.flatnonzero(np.diff(clip)) + 1) if len(starts) else []:
            block.append(self.projected(self.vectors(clips, part)))
            if not self.exact_in_blocks or sum(map(len, block)) >= BLOCK:
                scores.append(self.vector_scores(np.concatenate(block)))
                block = []
        if block:
            scores.append(self.vector_scores(np.concatenate(block)))
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
        """For models with the setting components: keep what `in_components` needs; returns its result.

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
        import skops.io

        content = {"model": self.name(), "settings": self.settings, "n_mels": self.n_mels, "seed": self.seed}
        content |= {"learnt": self.learnt, "clip_statistics": self.clip_statistics}
        Path(path).write_bytes(_same_bytes(skops.io.dumps(content)))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "cpu") -> Self:
        """Loads what skops trusts by itself and `TRUSTED`. Verify the file's checksum first."""
        import skops.io
        from skops.io.exceptions import UntrustedTypesFoundException

        try:
            content = skops.io.load(path, trusted=TRUSTED)
            cls._check_name(content["model"], path)
            detector = cls(content["settings"], content["n_mels"], seed=content["seed"], device=device)
            detector.learnt, detector.clip_statistics = content["learnt"], content["clip_statistics"]
        except UntrustedTypesFoundException as error:
            raise UserError(f"{path}: holds types that are not a model's ({error}); do not use this file") from error
        except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: not a {cls.name()} model, or damaged; remove the file and train again") from error
        return detector


def _same_bytes(archive: bytes) -> bytes:
    """A skops file without the time and the memory addresses that it was made at, so that equal models are equal."""
    numbers: dict[int, int] = {}
    names = {"schema.json": "schema.json"}

    def numbered(node: Any) -> Any:
        if isinstance(node, list):
            return [numbered(item) for item in node]
        if not isinstance(node, dict):
            return node
        number = numbers.setdefault(node["__id__"], len(numbers)) if "__id__" in node else None
        node = {key: numbered(value) for key, value in node.items()}
        if number is not None:
            node["__id__"] = number
            if "file" in node:
                name = f"{number}{Path(node['file']).suffix}"
                names[node["file"]], node["file"] = name, name
        return node

    whole = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(whole, "w") as target:
        schema = numbered(json.loads(source.read("schema.json")))
        for entry in source.infolist():
            content = json.dumps(schema).encode() if entry.filename == "schema.json" else source.read(entry)
            target.writestr(zipfile.ZipInfo(names[entry.filename]), content, entry.compress_type)
    return whole.getvalue()
