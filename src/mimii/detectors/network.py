"""Base of the networks, whatever they learn: the training loop, the choice of the kept epoch, and the model's file."""

import io
import math
import os
import pickle
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mimii.common.device import peak_gpu_memory_mb, reset_peak_gpu_memory
from mimii.common.errors import UserError
from mimii.detectors.adam import Adam
from mimii.detectors.contract import AnomalyDetector, FitResult
from mimii.detectors.initialization import initialize_like_keras
from mimii.detectors.scaling import mean_and_deviation
from mimii.features.clips import Clips

# A network that is this many times worse than it was before its first step does not learn.
EXPLODED = 1e3


class Examples(Protocol):
    """What a network is trained on: windows, or whole clips with what is to be told of them."""

    def __len__(self) -> int: ...

    def sizes(self, size: int, *, least: int = 1) -> list[int]:
        """Numbers of examples in batches of `size`; the last has the rest, and is left out below `least`."""

    def pass_sizes(self) -> list[int]:
        """The same for passes outside training: as many at once as memory bears."""

    def batches(self, sizes: list[int], order: Tensor | None = None) -> Iterator[Any]:
        """A batch for each of `sizes`, in the given order of examples, else as they are."""


class NetworkDetector(AnomalyDetector):
    """A network that learns by gradient descent.

    A model, or a base for several, gives `build`, `examples`, `loss` and `window_scores`. Weights, noise and the order
    of batches are drawn from the seed; the process's own random state stays as it is. On a GPU equal trainings are
    equal to the last bit only in a process that `mimii.common.process.prepare_process` has prepared.
    """

    suffix = ".pth"
    uses_gpu = True
    libraries = ("torch",)

    def __init__(self, settings: Mapping[str, Any], n_mels: int, *, seed: int, device: str = "cpu") -> None:
        super().__init__(settings, n_mels, seed=seed, device=device)
        with seeded(seed):
            self.network = self.build()
            if self.settings["initialization"] == "keras":
                self.network.apply(initialize_like_keras)
        self.network.to(device)
        self.mean = torch.zeros(n_mels, device=device)
        self.deviation = torch.ones(n_mels, device=device)

    @abstractmethod
    def build(self) -> nn.Module:
        """The untrained network, from `self.settings` and `self.n_mels`."""

    @abstractmethod
    def examples(self, clips: Clips) -> Examples:
        """What the network sees of clips, on its device and standardised. Changes no clip."""

    @abstractmethod
    def loss(self, batch: Any, epoch: int) -> Tensor:
        """What training minimises, a scalar: the mean over a batch of `examples` in the given epoch (from 1)."""

    def fit(self, training: Clips, validation: Clips) -> FitResult:
        self._check_finite(training, "training")
        self._check_finite(validation, "validation")
        if not len(validation) and (self.settings["early_stopping_patience"] or self.settings["best_epoch"]):
            raise UserError(
                f"{self.name()}: early_stopping_patience and best_epoch need validation clips; raise val_split"
            )
        reset_peak_gpu_memory(self.device)
        self._learn_scale(training)
        examples, held_out = self.examples(training), self.examples(validation)
        if len(examples) < 2:
            raise UserError(f"{self.name()}: {len(examples)} training window(s); at least 2 are needed")
        with seeded(self.seed, self.device):
            losses, kept_epoch = self._train(examples, held_out)
        # A step's loss is taken before its weights change, so no loss shows what the last step did.
        if not all(bool(value.isfinite().all()) for value in self.network.state_dict().values()):
            raise self._diverged("weights are NaN or infinite after the last epoch")
        self.network.eval()
        self.learn_clip_statistics(training)
        return FitResult(
            training_windows=len(examples),
            losses=losses,
            epochs_run=len(losses),
            kept_epoch=kept_epoch,
            peak_gpu_memory_mb=peak_gpu_memory_mb(self.device),
        )

    def _train(self, examples: Examples, held_out: Examples) -> tuple[list[dict[str, Any]], int]:
        """The losses of each epoch, and the epoch whose weights are kept."""
        settings = self.settings
        shuffling = torch.Generator().manual_seed(self.seed)
        rates = settings["learning_rate"], settings["adam_epsilon"], settings.get("weight_decay", 0.0)
        optimizer = Adam(list(self.network.parameters()), *rates)
        sizes = examples.sizes(settings["batch_size"], least=2)
        losses: list[dict[str, Any]] = []
        kept = KeptEpoch(settings["best_epoch"], settings["early_stopping_patience"])
        for epoch in range(1, settings["epochs"] + 1):
            self.network.train()
            order = torch.randperm(len(examples), generator=shuffling).to(self.device)
            step_losses = self.train_epoch(examples.batches(sizes, order), len(sizes), optimizer, epoch)
            if epoch == 1:
                before = float(step_losses[0])
            training_loss = float(step_losses @ sizes) / sum(sizes)
            validation_loss = self.validation_loss(held_out, epoch) if len(held_out) else None
            self._stop_divergence(epoch, training_loss, validation_loss, before)
            losses.append({"epoch": epoch, "training_loss": training_loss, "validation_loss": validation_loss})
            if kept.update(epoch, validation_loss, self.network):
                break
        kept.restore(self.network)
        return losses, kept.epoch

    def train_epoch(self, batches: Iterator[Any], steps: int, optimizer: Adam, epoch: int) -> NDArray[np.float64]:
        """One pass over the batches. Returns the loss of each, (steps,)."""
        # Kept on the device and read once: reading the loss at every step would wait for every step.
        losses = torch.empty(steps, device=self.device)
        for step, batch in enumerate(batches):
            loss = self.loss(batch, epoch)
            optimizer.step(torch.autograd.grad(loss, optimizer.parameters))
            losses[step] = loss.detach()
        return losses.double().cpu().numpy()

    def validation_loss(self, held_out: Examples, epoch: int) -> float:
        """The mean loss of held-out examples."""
        self.network.eval()
        sizes = held_out.pass_sizes()
        with torch.no_grad():
            batches = zip(held_out.batches(sizes), sizes, strict=True)
            losses = [self.loss(batch, epoch) * size for batch, size in batches]
            return float(torch.stack(losses).double().sum()) / len(held_out)

    def _stop_divergence(self, epoch: int, training_loss: float, validation_loss: float | None, before: float) -> None:
        """Raise UserError where a loss is no number, or far above that before the first step."""
        if not math.isfinite(training_loss) or training_loss > EXPLODED * before:
            raise self._diverged(f"the training loss of epoch {epoch} is {training_loss:.3g}")
        if validation_loss is not None and not math.isfinite(validation_loss):
            raise self._diverged(f"the validation loss of epoch {epoch} is {validation_loss:.3g}")

    def _diverged(self, what: str) -> UserError:
        scale = "" if self.settings["standardize"] else " or set standardize: true"
        return UserError(
            f"{self.name()}: {what}, training has diverged; "
            f"lower learning_rate (now {self.settings['learning_rate']}){scale}"
        )

    def parameter_count(self) -> int:
        """Trainable weights."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def save(self, path: str | os.PathLike[str]) -> None:
        content = {
            "model": self.name(),
            "settings": self.settings,
            "n_mels": self.n_mels,
            "seed": self.seed,
            "mean": self.mean.cpu(),
            "deviation": self.deviation.cpu(),
            "weights": {key: value.cpu().clone() for key, value in self.network.state_dict().items()},
            "clip_statistics": {key: torch.from_numpy(value) for key, value in self.clip_statistics.items()},
        }
        # Through memory: torch writes the name of a path into the file, so that equal models would differ, and does not
        # say why a file cannot be written.
        buffer = io.BytesIO()
        torch.save(content, buffer)
        Path(path).write_bytes(buffer.getbuffer())

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "cpu") -> Self:
        file = io.BytesIO(Path(path).read_bytes())
        try:
            # weights_only: tensors and plain values, nothing that could run.
            content = torch.load(file, map_location="cpu", weights_only=True)
            cls._check_name(content["model"], path)
            detector = cls(content["settings"], content["n_mels"], seed=content["seed"], device=device)
            detector.network.load_state_dict(content["weights"])
            detector.mean, detector.deviation = content["mean"].to(device), content["deviation"].to(device)
            detector.clip_statistics = {key: value.numpy() for key, value in content["clip_statistics"].items()}
        except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: not a {cls.name()} model, or damaged; remove the file and train again") from error
        detector.network.eval()
        return detector

    def _learn_scale(self, training: Clips) -> None:
        if self.settings["standardize"]:
            mean, deviation = mean_and_deviation(training.frames)
            self.mean = torch.from_numpy(mean).to(self.device)
            self.deviation = torch.from_numpy(deviation).to(self.device)

    def standardized(self, clips: Clips) -> Tensor:
        """The clips' frames on the device, (total frames, n_mels), standardised if the setting says so; no views."""
        return self.standardize(torch.tensor(clips.frames, device=self.device))

    def standardize(self, frames: Tensor) -> Tensor:
        """The same frames (..., n_mels), changed if the setting says so."""
        if self.settings["standardize"]:
            frames.sub_(self.mean).div_(self.deviation)
        return frames


class KeptEpoch:
    """Which epoch's weights a training keeps, and when it stops: the validation loss says, where the settings do so."""

    def __init__(self, best: bool, patience: int | None) -> None:
        """best: keep the epoch with the lowest validation loss, not the last. patience: epochs without a lower one."""
        self.best, self.patience = best, patience
        self.epoch = 0
        self._lowest, self._lowest_at = math.inf, 0
        self._weights: dict[str, Any] | None = None

    def update(self, epoch: int, validation_loss: float | None, network: nn.Module) -> bool:
        """Whether to stop after this epoch."""
        if validation_loss is None or not self.best:
            self.epoch = epoch
        if validation_loss is None:
            return False
        if validation_loss < self._lowest:
            self._lowest, self._lowest_at = validation_loss, epoch
            if self.best:
                self.epoch, self._weights = epoch, deepcopy(network.state_dict())
        return self.patience is not None and epoch - self._lowest_at >= self.patience

    def restore(self, network: nn.Module) -> None:
        """Give the network the weights of the epoch that is kept."""
        if self._weights is not None:
            network.load_state_dict(self._weights)


@contextmanager
def seeded(seed: int, device: str = "cpu") -> Iterator[None]:
    """What torch draws within the context comes from `seed`; afterwards its random state is what it was before."""
    gpus = [] if device == "cpu" else [torch.device(device)]
    with torch.random.fork_rng(gpus):
        # Not torch.manual_seed: that seeds every GPU of the process.
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield
