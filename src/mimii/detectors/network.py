"""Base of the networks: trained to reproduce normal windows, scored by how badly they reproduce a window.

The frames of a section lie on the device once, unstacked. A window is `frames` rows of them, so all windows are a
strided view, and a batch is a gather from it: no window is stored twice and no loader runs beside the training.
"""

import ctypes
import io
import math
import os
import pickle
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.adam import adam

from mimii.common.errors import UserError
from mimii.detectors.contract import AnomalyDetector, FitResult
from mimii.detectors.device import peak_gpu_memory_mb, reset_peak_gpu_memory
from mimii.detectors.scaling import mean_and_deviation
from mimii.features.clips import Clips

# Values (windows x frames x bands) in one forward pass outside training: bounds the memory of activations.
PASS_VALUES = 2**19
# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# A network that is this many times worse than it was before its first step does not learn.
EXPLODED = 1e3


class NetworkDetector(AnomalyDetector):
    """A network that maps windows (batch, frames, n_mels) to reconstructions with as many values.

    A model gives `build`, and names its bottleneck in its yaml; it may change the loss that is minimised and the score
    of a window, both of which are the mean squared error here.
    """

    suffix = ".pth"

    def __init__(self, settings: Mapping[str, Any], n_mels: int, *, seed: int, device: str = "cpu") -> None:
        super().__init__(settings, n_mels, seed=seed, device=device)
        _make_deterministic(device)
        _keep_freed_memory()
        torch.manual_seed(seed)
        self.network = self.build()
        if self.settings["initialization"] == "keras":
            self.network.apply(_initialize_like_keras)
        self.network.to(device)
        self.mean = torch.zeros(n_mels, device=device)
        self.deviation = torch.ones(n_mels, device=device)

    @abstractmethod
    def build(self) -> nn.Module:
        """The untrained network, from `self.settings` and `self.n_mels`; (batch, frames, n_mels) -> the same values."""

    def loss(self, windows: Tensor, epoch: int) -> Tensor:
        """What training minimises, a scalar, for windows (batch, frames, n_mels) in the given epoch (from 1)."""
        return mean_squared_error(self.network(windows), windows)

    def errors(self, windows: Tensor) -> Tensor:
        """Score of every window, (batch,): mean squared error of its reconstruction."""
        return squared_errors(self.network(windows), windows)

    def fit(self, training: Clips, validation: Clips) -> FitResult:
        self._check_finite(training, "training")
        self._check_finite(validation, "validation")
        if not len(validation) and (self.settings["early_stopping_patience"] or self.settings["best_epoch"]):
            raise UserError(
                f"{self.name()}: early_stopping_patience and best_epoch need validation clips; raise val_split"
            )
        reset_peak_gpu_memory(self.device)
        if self.settings["standardize"]:
            mean, deviation = mean_and_deviation(training.frames)
            self.mean, self.deviation = (
                torch.from_numpy(mean).to(self.device),
                torch.from_numpy(deviation).to(self.device),
            )
        train, valid = self._on_device(training), self._on_device(validation)
        if len(train) < 2:
            raise UserError(f"{self.name()}: {len(train)} training window(s); at least 2 are needed")

        torch.manual_seed(self.seed)
        shuffling = torch.Generator().manual_seed(self.seed)
        optimizer = _Adam(
            list(self.network.parameters()), self.settings["learning_rate"], self.settings["adam_epsilon"]
        )
        sizes = train.sizes(self.settings["batch_size"], least=2)
        losses: list[dict[str, Any]] = []
        best, best_at, kept_epoch, weights = math.inf, 0, 0, None
        for epoch in range(1, self.settings["epochs"] + 1):
            self.network.train()
            order = torch.randperm(len(train), generator=shuffling).to(self.device)
            step_losses = self._train_epoch(train.batches(sizes, order), len(sizes), optimizer, epoch)
            training_loss = float(step_losses @ sizes) / sum(sizes)
            if epoch == 1:
                before = float(step_losses[0])
            validation_loss = self._validation_loss(valid, epoch) if len(valid) else None
            if not math.isfinite(training_loss) or training_loss > EXPLODED * before:
                raise self._diverged(f"the training loss of epoch {epoch} is {training_loss:.3g}")
            if validation_loss is not None and not math.isfinite(validation_loss):
                raise self._diverged(f"the validation loss of epoch {epoch} is {validation_loss:.3g}")
            losses.append({"epoch": epoch, "training_loss": training_loss, "validation_loss": validation_loss})
            if validation_loss is None or not self.settings["best_epoch"]:
                kept_epoch = epoch
            if validation_loss is not None:
                if validation_loss < best:
                    best, best_at = validation_loss, epoch
                    if self.settings["best_epoch"]:
                        kept_epoch, weights = epoch, deepcopy(self.network.state_dict())
                patience = self.settings["early_stopping_patience"]
                if patience is not None and epoch - best_at >= patience:
                    break
        if weights is not None:
            self.network.load_state_dict(weights)
        # The loss of a step is that before it: of what the last step did, no training loss tells.
        if not all(bool(value.isfinite().all()) for value in self.network.state_dict().values()):
            raise self._diverged("weights are NaN or infinite after the last epoch")
        self.network.eval()
        return FitResult(
            training_windows=len(train),
            losses=losses,
            epochs_run=len(losses),
            kept_epoch=kept_epoch,
            peak_gpu_memory_mb=peak_gpu_memory_mb(self.device),
        )

    def _diverged(self, what: str) -> UserError:
        scale = "" if self.settings["standardize"] else " or set standardize: true"
        return UserError(
            f"{self.name()}: {what}, training has diverged; "
            f"lower learning_rate (now {self.settings['learning_rate']}){scale}"
        )

    def _train_epoch(
        self, batches: Iterator[Tensor], steps: int, optimizer: "_Adam", epoch: int
    ) -> NDArray[np.float64]:
        """One pass over the batches. Returns the loss of each, (steps,)."""
        # Kept on the device and read once: reading the loss at every step would wait for every step.
        losses = torch.empty(steps, device=self.device)
        for step, batch in enumerate(batches):
            loss = self.loss(batch, epoch)
            optimizer.step(torch.autograd.grad(loss, optimizer.parameters))
            losses[step] = loss.detach()
        return losses.double().cpu().numpy()

    def window_scores(self, clips: Clips) -> NDArray[np.float64]:
        self.network.eval()
        clip = self.windows(clips)[1]
        edges = np.searchsorted(clip, np.arange(len(clips) + 1))
        # One array for all: kept between what each clip needs for a moment, small ones would keep memory in pieces.
        scores = torch.empty(len(clip), device=self.device)
        # Clip by clip: the last bits of a matrix product depend on how many rows it has.
        with torch.inference_mode():
            for index in range(len(clips)):
                alone = clips.select(index, index + 1)
                frames = torch.tensor(alone.frames, device=self.device)
                windows = _Windows(self._standardized(frames), self.windows(alone)[0], self.settings["frames"])
                sizes = windows.sizes(self._pass_windows())
                parts = scores[edges[index] : edges[index + 1]].split(sizes)
                for part, batch in zip(parts, windows.batches(sizes), strict=True):
                    part.copy_(self.errors(batch))
        return scores.double().cpu().numpy()

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
        }
        # Through memory: given a path, torch writes that name into the file, and equal models would differ; and it does
        # not say why a file cannot be written.
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
        except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: not a {cls.name()} model, or damaged; remove the file and train again") from error
        detector.network.eval()
        return detector

    def _standardized(self, frames: Tensor) -> Tensor:
        """In place."""
        if self.settings["standardize"]:
            frames.sub_(self.mean).div_(self.deviation)
        return frames

    def _on_device(self, clips: Clips) -> "_Windows":
        starts, _ = self.windows(clips)
        frames = torch.from_numpy(np.require(clips.frames, np.float32, ["C", "W"])).to(self.device)
        return _Windows(self._standardized(frames), starts, self.settings["frames"])

    def _pass_windows(self) -> int:
        return max(1, PASS_VALUES // (self.settings["frames"] * self.n_mels))

    def _validation_loss(self, windows: "_Windows", epoch: int) -> float:
        self.network.eval()
        with torch.no_grad():
            batches = windows.batches(windows.sizes(self._pass_windows()))
            losses = [self.loss(batch, epoch) * len(batch) for batch in batches]
            return float(torch.stack(losses).double().sum()) / len(windows)


class _Windows:
    """Windows over frames that lie on a device: (total frames, n_mels), and the first frame of each window."""

    def __init__(self, frames: Tensor, starts: NDArray[np.int64], length: int) -> None:
        n_mels = frames.shape[1]
        self.shape = (length, n_mels)
        # Row i is the window that starts at frame i; rows overlap in memory, and are contiguous for the gather.
        self.view = frames.flatten().as_strided((max(0, len(frames) - length + 1), length * n_mels), (n_mels, 1))
        self.starts = torch.from_numpy(starts).to(frames.device)

    def __len__(self) -> int:
        return len(self.starts)

    def sizes(self, size: int, *, least: int = 1) -> list[int]:
        """Numbers of windows in batches of `size`; the last has the rest, and is left out below `least`.

        Training needs 2: batch normalisation has nothing to learn from a single window.
        """
        whole, rest = divmod(len(self), size)
        return [size] * whole + [rest] * (rest >= least)

    def batches(self, sizes: list[int], order: Tensor | None = None) -> Iterator[Tensor]:
        """(size, frames, n_mels) for each of `sizes`, in the given order of windows, else as they are."""
        starts = self.starts if order is None else self.starts.index_select(0, order)
        for part in starts[: sum(sizes)].split(sizes):
            yield self.view.index_select(0, part).unflatten(1, self.shape)


class _Adam:
    """PyTorch's own Adam, fused, as a function: its optimiser class takes a second to import the compiler.

    All parameters become views of one array, so that a step is one call on one array.
    """

    def __init__(self, parameters: list[nn.Parameter], learning_rate: float, epsilon: float) -> None:
        self.parameters, self.learning_rate, self.epsilon = parameters, learning_rate, epsilon
        self.weights = torch.cat([parameter.detach().flatten() for parameter in parameters])
        parts = self.weights.split([parameter.numel() for parameter in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.data = part.view_as(parameter)
        self.first, self.second = torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        self.steps = torch.zeros((), device=self.weights.device)

    def step(self, gradients: tuple[Tensor, ...]) -> None:
        with torch.no_grad():
            adam(
                [self.weights],
                [torch.cat([gradient.flatten() for gradient in gradients])],
                [self.first],
                [self.second],
                [],
                [self.steps],
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self.learning_rate,
                weight_decay=0.0,
                eps=self.epsilon,
                maximize=False,
            )


def squared_errors(reconstructions: Tensor, windows: Tensor) -> Tensor:
    """Mean squared error of each window, (batch,)."""
    return (reconstructions.flatten(1) - windows.flatten(1)).square().mean(1)


def mean_squared_error(reconstructions: Tensor, windows: Tensor) -> Tensor:
    """The mean of `squared_errors` over the batch, a scalar, in one fused and so faster operation."""
    return nn.functional.mse_loss(reconstructions.flatten(1), windows.flatten(1))


def _make_deterministic(device: str) -> None:
    # The same as use_deterministic_algorithms(True), without its import of the compiler.
    torch.set_deterministic_debug_mode("error")
    # That also fills every new tensor, a tenth of a training's time, against reads of memory never written: none here.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@cache
def _keep_freed_memory() -> None:
    """Let the C library keep the memory of freed tensors for the next step's: getting it anew from the system, page by
    page, takes a quarter of a convolutional network's time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc alone
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 2**25)
        mallopt(M_TRIM_THRESHOLD, 2**30)


def _initialize_like_keras(module: nn.Module) -> None:
    """Glorot uniform weights and zero biases; of an LSTM, orthogonal recurrent weights and a forget bias of 1."""
    if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.RNNBase):
        for name, parameter in module.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(parameter)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(parameter)
            else:
                nn.init.zeros_(parameter)
                if name.startswith("bias_ih"):
                    nn.init.ones_(parameter[module.hidden_size : 2 * module.hidden_size])
