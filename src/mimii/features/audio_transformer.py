"""Embeddings of a pretrained network, from a checkpoint in a folder, as frames of a clip.

The network is one of those that `transformers` has for sound: AST (Gong et al., Interspeech 2021, arXiv:2104.01778),
CLAP (Wu et al., ICASSP 2023, arXiv:2211.06687), WavLM (Chen et al., IEEE JSTSP 2022, arXiv:2110.13900), HuBERT (Hsu et
al., IEEE/ACM TASLP 2021, arXiv:2106.07447) and the encoder of Whisper (Radford et al., ICML 2023, arXiv:2212.04356). It
hears a clip at its own sample rate; one that is longer than it can hear at once in pieces, one after the other. A frame
is the mean of the embeddings whose middle lies in its stretch of the clip. Nothing is downloaded, and nothing in a
checkpoint is run.
Published: no figure of these networks before such detectors is known here; of another one, BEATs, there is one at knn.
"""

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mimii.common.device import pick_device
from mimii.common.errors import UserError
from mimii.features.checkpoints import Checkpoint, why_no_networks
from mimii.features.extractor import FeatureExtractor
from mimii.features.settings import frame_count

LEAST_SECONDS = 0.1
# Of sound that a network without a limit of its own hears at once: attention grows with the square.
LONGEST_SECONDS = 30.0
CLIPS_ON_GPU = 16  # of 10 s; a CPU computes them one by one as fast
UNUSED_WEIGHTS = {"masked_spec_embed"}  # of pretraining alone


class AudioNetwork(ABC):
    """One kind of network: how it is loaded, and which of its outputs are embeddings of which time.

    sample_rate: Hz. most_seconds: of sound that it hears at once. step: s from one embedding to the next. first: s from
    the beginning to the middle of the first embedding. layers: how many layers it has, 0 its input.
    """

    sample_rate: int
    most_seconds: float
    step: float
    first: float
    layers: int

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        self.folder = checkpoint.folder
        self.device = device

    @abstractmethod
    def embeddings(self, pieces: Sequence[NDArray[np.float32]], layer: int | None) -> Tensor:
        """(pieces, steps, bands, values) of pieces of equal length; steps beyond their end may be among them."""

    def load(self, kind: str, **options: Any) -> Any:
        """The network `kind` of transformers, ready on the device. Raises UserError where it lacks weights."""
        import transformers

        network, report = getattr(transformers, kind).from_pretrained(
            self.folder, local_files_only=True, use_safetensors=True, output_loading_info=True, **options
        )
        if missing := sorted(set(report["missing_keys"]) - UNUSED_WEIGHTS):
            raise UserError(
                f"{self.folder}: {len(missing)} of the network's weights are not there, such as {missing[0]}; "
                "take a checkpoint of the whole network"
            )
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        return network.float().eval().to(self.device)

    def load_input(self, kind: str) -> Any:
        """What prepares sound for the network: the feature extractor `kind` of transformers."""
        import transformers

        prepare = getattr(transformers, kind).from_pretrained(self.folder, local_files_only=True)
        self.sample_rate = int(prepare.sampling_rate)
        return prepare

    def prepared(self, prepare: Any, pieces: Sequence[NDArray[np.float32]], name: str) -> Tensor:
        """The network's input `name` of pieces, on the device."""
        values: Tensor = prepare(list(pieces), sampling_rate=self.sample_rate, return_tensors="pt")[name]
        return values.float().to(self.device)


class SpectrogramTransformer(AudioNetwork):
    """AST: patches of a spectrogram, several bands at each time."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        super().__init__(checkpoint, device)
        self.prepare = self.load_input("ASTFeatureExtractor")
        self.network = self.load("ASTModel")
        config = self.network.config
        frame = 160 / self.sample_rate  # s, of Kaldi's filter banks
        self.bands = (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1
        self.steps = (config.max_length - config.patch_size) // config.time_stride + 1
        self.step, self.first = config.time_stride * frame, config.patch_size * frame / 2
        self.most_seconds = (self.steps - 1) * self.step + 2 * self.first
        self.layers = config.num_hidden_layers

    def embeddings(self, pieces: Sequence[NDArray[np.float32]], layer: int | None) -> Tensor:
        output = self.network(self.prepared(self.prepare, pieces, "input_values"), output_hidden_states=True)
        # Two tokens of no time come first; then the patches, all times of the lowest band first.
        patches = chosen(output, layer)[:, -self.bands * self.steps :]
        return patches.unflatten(1, (self.bands, self.steps)).transpose(1, 2)


class Clap(AudioNetwork):
    """CLAP's audio tower, a Swin transformer: bands and times halve from stage to stage."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        super().__init__(checkpoint, device)
        self.prepare = self.load_input("ClapFeatureExtractor")
        self.network: nn.Module = self.load("ClapAudioModelWithProjection").audio_model
        self.config = self.network.config
        self.most_seconds = self.prepare.nb_max_samples / self.sample_rate
        self.layers = len(self.config.depths)
        self.parts = self.config.spec_size // self.config.num_mel_bins
        smallest = self.config.spec_size // self.config.patch_stride[1] // 2 ** (self.layers - 1)
        self.step = self.most_seconds / (smallest * self.parts)
        self.first = self.step / 2

    def embeddings(self, pieces: Sequence[NDArray[np.float32]], layer: int | None) -> Tensor:
        spectrograms = self.prepared(self.prepare, pieces, "input_features")
        # No piece is longer than the network hears; the feature extractor declares one so at random.
        longer = torch.zeros((len(pieces), 1), dtype=torch.bool, device=self.device)
        output = self.network(input_features=spectrograms, is_longer=longer, output_hidden_states=True)
        if layer is None:
            return output.last_hidden_state.permute(0, 3, 2, 1)
        # The spectrogram lies folded: the bands of its first part in time, below them those of the next.
        states = output.hidden_states[layer].unflatten(2, (self.parts, -1))  # (pieces, values, parts, bands, steps)
        unfolded = states.permute(0, 2, 4, 3, 1).flatten(1, 2)
        # Earlier layers have more steps: all have those of the last.
        return unfolded.unflatten(1, (round(self.most_seconds / self.step), -1)).mean(2)


class Waveform(AudioNetwork):
    """WavLM and HuBERT: a step every 20 ms, no bands."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        super().__init__(checkpoint, device)
        self.prepare = self.load_input("Wav2Vec2FeatureExtractor")
        self.network = self.load({"wavlm": "WavLMModel", "hubert": "HubertModel"}[checkpoint.kind])
        config = self.network.config
        self.most_seconds = LONGEST_SECONDS
        self.step = math.prod(config.conv_stride) / self.sample_rate
        self.first = self.step / 2
        self.layers = config.num_hidden_layers

    def embeddings(self, pieces: Sequence[NDArray[np.float32]], layer: int | None) -> Tensor:
        output = self.network(self.prepared(self.prepare, pieces, "input_values"), output_hidden_states=True)
        return chosen(output, layer)[:, :, None]


class Whisper(AudioNetwork):
    """The encoder of Whisper: always 30 s, the end silent; a step every 20 ms, no bands."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        super().__init__(checkpoint, device)
        self.prepare = self.load_input("WhisperFeatureExtractor")
        self.network = self.load("WhisperModel").get_encoder()
        config = self.network.config
        self.most_seconds = float(self.prepare.chunk_length)
        self.step = self.most_seconds / config.max_source_positions
        self.first = self.step / 2
        self.layers = config.encoder_layers

    def embeddings(self, pieces: Sequence[NDArray[np.float32]], layer: int | None) -> Tensor:
        output = self.network(self.prepared(self.prepare, pieces, "input_features"), output_hidden_states=True)
        return chosen(output, layer)[:, :, None]


NETWORKS: dict[str, type[AudioNetwork]] = {
    "ast": SpectrogramTransformer,
    "clap": Clap,
    "wavlm": Waveform,
    "hubert": Waveform,
    "whisper": Whisper,
}


def chosen(output: Any, layer: int | None) -> Tensor:
    """(pieces, tokens, values): what a layer gives, or the whole network."""
    states: Tensor = output.last_hidden_state if layer is None else output.hidden_states[layer]
    return states


class Extractor(FeatureExtractor):
    """Embeds clips with one network and one set of settings."""

    uses_network = True
    libraries = ("transformers", "torch", "numpy")

    def __init__(
        self, settings: Mapping[str, Any], *, checkpoint: str | Path | None = None, device: str = "cpu"
    ) -> None:
        if checkpoint is None:
            raise UserError(f"features of {settings['checkpoint']} need the folder of that checkpoint; name it")
        if reason := why_no_networks():
            raise UserError(reason)
        there = Checkpoint.at(checkpoint)
        self.checkpoint_sha256s = there.read_sha256s()
        if (name := there.name(self.checkpoint_sha256s)) != settings["checkpoint"]:
            raise UserError(
                f"{checkpoint}: holds {name}, not the checkpoint {settings['checkpoint']} that was asked for; "
                "start again, or put back what was there"
            )
        self.settings = settings
        self.device = pick_device(device)
        self.network = NETWORKS[there.kind](there, self.device)
        self.sample_rate = self.network.sample_rate
        self.clips_at_once = 1 if self.device == "cpu" else CLIPS_ON_GPU
        self.layer: int | None = settings["layer"]
        self.frame_seconds: float = settings["frame_seconds"]
        self.separate_bands = settings["bands"] == "separate"
        if self.layer is not None and self.layer > self.network.layers:
            raise UserError(f"features: layer {self.layer}, but {name} has {self.network.layers}; lower layer")
        if self.frame_seconds < self.network.step:
            raise UserError(
                f"features: frame_seconds {self.frame_seconds:g}, but an embedding of {name} stands for "
                f"{self.network.step:g} s; raise frame_seconds"
            )

    @staticmethod
    def refusal(settings: Mapping[str, Any], samples: int, rate: int) -> str | None:
        if samples < LEAST_SECONDS * rate:
            return f"too short ({samples} samples at {rate} Hz; at least {LEAST_SECONDS} s are needed); leave it out"
        return None

    def frames(self, clips: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        cut = [self._pieces(samples) for samples in clips]
        steps = self._embedded([piece for pieces in cut for piece in pieces])
        return [
            self._frames(len(samples), pieces, [next(steps) for _ in pieces])
            for samples, pieces in zip(clips, cut, strict=True)
        ]

    def _pieces(self, samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """A clip in pieces as long as the network can hear; too short a rest is not heard."""
        size = int(self.network.most_seconds * self.sample_rate)
        pieces = [samples[first : first + size] for first in range(0, len(samples), size)]
        rest = len(pieces[-1]) < LEAST_SECONDS * self.sample_rate
        return pieces[:-1] if rest and len(pieces) > 1 else pieces

    def _embedded(self, pieces: Sequence[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """(steps, values) of each piece, those of one length through the network together."""
        by_length: dict[int, list[int]] = defaultdict(list)
        for place, piece in enumerate(pieces):
            by_length[len(piece)].append(place)
        embedded: dict[int, NDArray[np.float32]] = {}
        for places in by_length.values():
            for first in range(0, len(places), self.clips_at_once):
                some = places[first : first + self.clips_at_once]
                with torch.inference_mode():
                    states = self.network.embeddings([pieces[place] for place in some], self.layer)
                    states = states.flatten(2) if self.separate_bands else states.mean(2)
                embedded |= dict(zip(some, states.cpu().numpy(), strict=True))
        return (embedded[place] for place in range(len(pieces)))

    def _frames(
        self, samples: int, pieces: Sequence[NDArray[np.float32]], embedded: Sequence[NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """(frames, values) of a clip of so many samples. embedded: (steps, values) of each of its pieces."""
        times, values, begin = [], [], 0.0
        for piece, steps in zip(pieces, embedded, strict=True):
            seconds = len(piece) / self.sample_rate
            own = self.network.first + self.network.step * np.arange(len(steps))
            heard = max(1, int((own < seconds).sum()))  # what comes after is of the silence that fills up the piece
            times.append(begin + own[:heard])
            values.append(steps[:heard])
            begin += seconds
        time, value = np.concatenate(times), np.concatenate(values)
        count = frame_count(self.settings, samples, self.sample_rate)
        edges = np.arange(count + 1) * self.frame_seconds
        starts, stops = np.searchsorted(time, edges[:-1]), np.searchsorted(time, edges[1:])
        # Where two pieces meet there may be a frame without an embedding of its own: it has the next one.
        starts = np.minimum(starts, len(time) - 1)
        return np.stack(
            [value[start : max(stop, start + 1)].mean(0) for start, stop in zip(starts, stops, strict=True)]
        )
