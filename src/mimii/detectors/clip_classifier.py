"""Base of the networks that are trained to tell sections apart, and score a clip by their embedding of it.

Nothing is known of anomalies: a network that must tell machines apart listens to what is each one's own, and an unusual
sound of one comes to lie away from its usual ones.
"""

import logging
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mimii.common.errors import UserError
from mimii.detectors.back_ends import (
    banks_of,
    learn_mahalanobis,
    mahalanobis_distances,
    nearest_bank,
    neighbour_distances,
    unit_length,
)
from mimii.detectors.contract import FitResult
from mimii.detectors.declaration import model_declaration
from mimii.detectors.network import NetworkDetector
from mimii.detectors.pooling import pool
from mimii.detectors.window_network import Windows
from mimii.features.clips import Clips, Group

MOST_NAMED = 8  # classes, in a message

log = logging.getLogger(__name__)


class ClipClassifier(NetworkDetector):
    """A model gives `build`, from stretches (batch, frames, n_mels) to embeddings (batch, values), and `head`.

    A stretch is a whole clip, or as many frames as the setting `frames` says. Classes are the sections of the training
    clips, and within them what their attributes are. Scores: `mean`, the cosine distance to the nearest embeddings of
    the section's training clips (of each domain by itself, the smallest counts), and `mahalanobis`.
    """

    @abstractmethod
    def head(self, classes: int) -> nn.Module:
        """What turns embeddings (batch, values) and shares of classes (batch, classes) into the loss, a scalar. It is
        trained with the network, and not kept.
        """

    def fit(self, training: Clips, validation: Clips) -> FitResult:
        self.learn_classes(training)
        if len(self.classes) < (model_declaration(self.name()).least_classes or 0):
            log.warning(
                "%s: %d class(es) to tell apart (%s), so it learns little%s",
                self.name(),
                len(self.classes),
                ", ".join(" ".join(filter(None, one)) for one in self.classes[:MOST_NAMED]),
                "" if self.scope == "snr" else "; with train_per: snr there are those of all machines",
            )
        return super().fit(training, validation)

    def learn_classes(self, training: Clips) -> None:
        """Which classes there are to tell apart, and how long a stretch is."""
        self.classes = sorted({class_of(group) for group in training.groups})
        self.stretch = self.window_frames or (int(np.median(training.lengths)) if len(training) else 1)

    def _train(self, examples: Any, held_out: Any) -> tuple[list[dict[str, Any]], int]:
        with self.new_head():
            return super()._train(examples, held_out)

    @contextmanager
    def new_head(self) -> Iterator[None]:
        """Within the context `network` holds an untrained head beside the embedding, as `loss` needs it."""
        embedding = self.network
        head = self.head(len(self.classes)).to(self.device)
        self.network = nn.ModuleDict({"embedding": embedding, "head": head})
        self._shares = torch.eye(len(self.classes), device=self.device)
        try:
            yield
        finally:
            self.network = embedding

    def examples(self, clips: Clips) -> "LabelledStretches":
        """The clips' stretches, which `loss` standardises batch by batch, so that the frames, of an SNR gigabytes, are
        held once. Clips of classes that were not in the training are left out.
        """
        starts, clip = self.windows(clips)
        known = {name: number for number, name in enumerate(self.classes)}
        labels = np.array([known.get(class_of(clips.groups[n]), -1) for n in clip], np.int64)
        lengths = clips.lengths[clip] if self.window_frames is None else np.full(len(clip), self.stretch)
        kept = labels >= 0
        # By DLPack, which shares memory as from_numpy does, and does not warn where the frames are read-only.
        frames = torch.from_dlpack(clips.frames).to(self.device)
        return LabelledStretches(frames, starts[kept], lengths[kept], labels[kept], self.stretch)

    def loss(self, batch: tuple[Tensor, Tensor], epoch: int) -> Tensor:
        """The head's loss on a batch of stretches and their classes, mixed in training."""
        stretches, labels = batch
        stretches = self.standardize(stretches)
        shares = self._shares.index_select(0, labels)
        if self.network.training:
            stretches, shares = self.mixed(stretches, shares)
        parts: Any = self.network
        loss: Tensor = parts["head"](parts["embedding"](stretches), shares)
        return loss

    def mixed(self, stretches: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        """What is trained on in the place of a batch; here the batch itself."""
        return stretches, shares

    def embeddings(self, clips: Clips) -> NDArray[np.float64]:
        """Embedding of every stretch, (stretches, values), each of length 1; a clip's depend on that clip alone."""
        self.network.eval()
        parts = []
        with torch.inference_mode():
            for n in range(len(clips)):
                clip = clips.select(n, n + 1)
                frames = self.standardized(clip)
                windows = Windows(frames, self.windows(clip)[0], self.window_frames or len(frames))
                parts += [self.network(batch).double().cpu() for batch in windows.batches(windows.pass_sizes())]
        return unit_length(torch.cat(parts).numpy()) if parts else np.zeros((0, 1))

    def learn_clip_statistics(self, training: Clips) -> None:
        """For each section the embeddings of its training clips and their domains, and a covariance."""
        clip = self.windows(training)[1]
        embeddings = self.embeddings(training)
        groups = [training.groups[n] for n in clip]
        self.clip_statistics = {}
        for section in sorted({group.section for group in groups}):
            rows = [row for row, group in enumerate(groups) if group.section == section]
            own = embeddings[rows]
            learnt: dict[str, NDArray[Any]] = {"references": own}
            learnt |= {"banks": banks_of([groups[row].domain for row in rows])}
            learnt |= learn_mahalanobis(own, score=f"mahalanobis ({section})", values="values of an embedding")
            self.clip_statistics |= {f"{name}:{section}": values for name, values in learnt.items()}

    def window_scores(self, clips: Clips) -> NDArray[np.float64]:
        return self._by_section(clips, self.embeddings(clips), self._neighbour_scores)

    def clip_scores(self, clips: Clips, *, top_k: int) -> dict[str, NDArray[np.float64]]:
        """As every detector's, and `mahalanobis`, the mean over a clip's stretches, unless a section had too few."""
        clip, embeddings = self.windows(clips)[1], self.embeddings(clips)
        nearest = self._by_section(clips, embeddings, self._neighbour_scores)
        pooled = pool(nearest, clip, len(clips), top_k=top_k)
        scores = {"mean": nearest} if self.window_frames is None else pooled
        sections = {group.section for group in clips.groups}
        if all(f"precision:{section}" in self.clip_statistics for section in sections):
            apart = self._by_section(clips, embeddings, self._mahalanobis_scores)
            scores["mahalanobis"] = pool(apart, clip, len(clips), top_k=top_k)["mean"]
        return scores

    def _by_section(self, clips: Clips, embeddings: NDArray[np.float64], score: Any) -> NDArray[np.float64]:
        """Scores of embeddings, (stretches,), by what was learnt of the section of each. Raises UserError of others."""
        sections = np.array([clips.groups[n].section for n in self.windows(clips)[1]], object)
        scores = np.zeros(len(embeddings))
        for section in sorted(set(sections)):
            if f"references:{section}" not in self.clip_statistics:
                raise UserError(f"{self.name()}: was not trained on clips of {section or 'a section without a name'}")
            rows = sections == section
            scores[rows] = score(section, embeddings[rows])
        return scores

    def _neighbour_scores(self, section: str, embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
        references = self.clip_statistics[f"references:{section}"]
        banks = self.clip_statistics[f"banks:{section}"]
        far = neighbour_distances(embeddings, references, cosine=True)
        return nearest_bank(far, banks, self.settings["neighbours"])

    def _mahalanobis_scores(self, section: str, embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
        learnt = {name: self.clip_statistics[f"{name}:{section}"] for name in ("mean", "deviation", "precision")}
        return mahalanobis_distances(embeddings, **learnt)


def class_of(group: Group) -> tuple[str, str]:
    """The class of a clip: its section, and within it its attributes."""
    return group.section, group.attributes


class LabelledStretches(Windows):
    """Stretches of one length with their classes: of a longer clip a part that is drawn anew in each epoch, a shorter
    one from its beginning again.
    """

    def __init__(
        self,
        frames: Tensor,
        starts: NDArray[np.int64],
        lengths: NDArray[np.int64],
        labels: NDArray[np.int64],
        size: int,
    ) -> None:
        """starts, lengths: (stretches,), first frame and frames of each. size: frames of what a network sees."""
        super().__init__(frames, starts, 1)
        self.shape = (size, frames.shape[1])
        self.lengths, self.labels = (torch.from_numpy(values).to(frames.device) for values in (lengths, labels))
        self.within = torch.arange(size, device=frames.device)

    def batches(self, sizes: Sequence[int], order: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:  # type: ignore[override]
        """((size, frames, n_mels), (size,)) for each of `sizes`, in the given order, else as they are."""
        rows = torch.arange(len(self), device=self.starts.device) if order is None else order
        spare = (self.lengths - len(self.within)).clamp(min=0)
        offsets = torch.zeros_like(spare)
        if order is not None and len(self):
            offsets = (torch.rand(len(self), device=spare.device) * (spare + 1)).long()
        for part in rows[: sum(sizes)].split(list(sizes)):
            lengths, first = self.lengths.index_select(0, part), offsets.index_select(0, part)
            frames = self.starts.index_select(0, part)[:, None] + (first[:, None] + self.within) % lengths[:, None]
            stretches = self.view.index_select(0, frames.flatten()).view(len(part), *self.shape)
            yield stretches, self.labels.index_select(0, part)
