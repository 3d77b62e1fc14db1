"""A trained network as an ONNX file: windows in, scores and reconstructions out (docs/api.md says what is in it)."""

import json
import logging
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.common.provenance import git_revision
from mimii.detectors.network import NetworkDetector
from mimii.detectors.reconstruction import ReconstructingDetector
from mimii.detectors.window_network import WindowNetwork
from mimii.runs.trained import TrainedDetector

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
# Of the largest value: float32 in another order of sums differs by some 1e-7.
TOLERANCE = 1e-4


class ScoringGraph(nn.Module):
    """Windows (windows, frames, n_mels) in dB to their scores (windows,) and, of networks that reconstruct, to
    reconstructions (windows, frames, n_mels) in dB. Standardisation is within.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, detector: WindowNetwork) -> None:
        super().__init__()
        self.detector = detector
        self.network = detector.network
        self.scaled = bool(detector.settings["standardize"])
        self.register_buffer("mean", detector.mean)
        self.register_buffer("deviation", detector.deviation)

    def forward(self, windows: Tensor) -> tuple[Tensor, ...]:
        inputs = (windows - self.mean) / self.deviation if self.scaled else windows
        scores = self.detector.score_batch(inputs)
        if not isinstance(self.detector, ReconstructingDetector):
            return (scores,)
        made = self.network(inputs).reshape(inputs.shape)
        return scores, made * self.deviation + self.mean if self.scaled else made


def write_onnx(trained: TrainedDetector, file: Path) -> float:
    """Write a network as an ONNX file, and score random windows with it.

    Returns the largest deviation from the detector's own values, as a share of the largest of these. Raises UserError
    for other models, without the packages of the extra `onnx`, and where the deviation is beyond TOLERANCE.
    """
    detector = trained.detector
    if not isinstance(detector, WindowNetwork):
        why = "is no network, and ONNX is for networks"
        if isinstance(detector, NetworkDetector):
            why = "compares clips with those that it was trained on, and in ONNX there are networks on windows alone"
        raise UserError(f"{trained.model} {why}; export to a file that ends otherwise")
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise UserError(f"ONNX needs {', '.join(missing)}: .venv/bin/pip install {' '.join(missing)}")
    graph = ScoringGraph(detector).eval()
    windows = _random_windows(detector)
    with written_whole(file) as temporary:
        program = _exported(graph, windows)
        program.model.metadata_props.update(_about(trained))
        program.save(temporary)
        deviation = _largest_deviation(graph, windows, temporary)
        if not deviation < TOLERANCE:
            raise UserError(
                f"{trained.model} cannot be exported to ONNX: its scores there differ from its own by {deviation:.1g}"
            )
    return deviation


def _random_windows(detector: WindowNetwork) -> Tensor:
    """More than one pass holds, in dB, about what the network was trained on."""
    generator = torch.Generator().manual_seed(0)
    shape = (300, detector.settings["frames"], detector.n_mels)
    return torch.randn(shape, generator=generator) * detector.deviation + detector.mean


def _exported(graph: ScoringGraph, windows: Tensor) -> torch.onnx.ONNXProgram:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of packages that are not installed and that no network here needs
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                graph,
                (windows,),
                dynamo=True,
                verbose=False,
                input_names=["windows"],
                output_names=["scores", "reconstructions"][: 1 + graph.detector.reconstructs],
                dynamic_shapes=({0: torch.export.Dim("windows")},),
            )
    finally:
        logger.setLevel(level)
    assert program is not None  # with dynamo, and without a file
    return program


def _about(trained: TrainedDetector) -> dict[str, str]:
    """What makes windows of a recording, and what their scores mean."""
    settings = trained.settings
    about = {
        "model": trained.model,
        "section": trained.section,
        "seed": trained.seed,
        "features": trained.features,
        "window": {"frames": settings["frames"], "hop_frames": settings["hop_frames"]},
        "threshold": trained.threshold,
        "git_revision": git_revision(),
    }
    return {key: value if isinstance(value, str) else json.dumps(value, sort_keys=True) for key, value in about.items()}


def _largest_deviation(graph: ScoringGraph, windows: Tensor, file: Path) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    deviations = []
    for some in (windows, windows[:1]):
        with torch.inference_mode():
            own = [values.numpy() for values in graph(some)]
        for theirs, ours in zip(session.run(None, {"windows": some.numpy()}), own, strict=True):
            deviations.append(float(np.abs(theirs - ours).max() / np.abs(ours).max()))
    return max(deviations)
