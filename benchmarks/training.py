"""Speed and memory of training, beside the loop that a user would write by hand.

    python benchmarks/training.py [--models simple_ae vae ...] [--clips 60] [--pairs 3] [--json FILE]

Each network with its defaults, on made-up frames of clips of 10 s, one thread. The reference: windows (of id_classifier
whole clips, of 16 sections) stacked as float32, DataLoader with shuffling, torch.optim.Adam, the loss read back every
step. Ours: the detector's `fit`. Both run in turn, so that a busy moment hits both; speeds are windows per second of
CPU time, the ratio the median of pairs.
Memory: peak of a fresh process after its imports, for a section of MIMII's size. Residual: what the residual score adds
to a training of the default number of epochs, and to scoring, in percent of CPU time without it.
"""

import argparse
import logging
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import torch
from workbench import write_figures

from mimii.common.declarations import resolve
from mimii.detectors.autoencoder import AutoencoderDetector
from mimii.detectors.clip_classifier import ClipClassifier, class_of
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import model_declaration, model_names
from mimii.detectors.network import NetworkDetector
from mimii.features.clips import Clips, Group

NETWORKS = [name for name in model_names() if model_declaration(name).base == "network"]
N_MELS, CLIP_FRAMES, SECTIONS = 64, 313, 16
MIMII_CLIPS = 543  # that fan id_00 is fitted on: 604 without the validation part
GOALS = {"simple_ae": 2.0}
MEMORY_GOAL_MB = 300
RESIDUAL_GOALS = {"training": 10, "scoring": 20}  # percent of CPU time
NO_CLIPS = Clips(np.zeros((0, N_MELS), np.float32), np.zeros(0, np.int64))


def made_up_clips(count: int) -> Clips:
    """Frames like log-mels in decibels, of clips of SECTIONS sections in turn."""
    frames = np.random.default_rng(0).normal(-30, 10, (count * CLIP_FRAMES, N_MELS)).astype(np.float32)
    groups = tuple(Group(f"section {n % SECTIONS}") for n in range(count))
    return Clips(frames, np.full(count, CLIP_FRAMES, np.int64), groups)


def make_detector(name: str, epochs: int, device: str = "cpu") -> NetworkDetector:
    settings = resolve(model_declaration(name).settings, {"epochs": epochs})
    detector = detector_class(name)(settings, N_MELS, seed=1, device=device)
    assert isinstance(detector, NetworkDetector)
    return detector


def default_epochs(name: str) -> int:
    return int(resolve(model_declaration(name).settings, {})["epochs"])


def stacked(detector: NetworkDetector, clips: Clips) -> tuple[torch.Tensor, ...]:
    """Standardised windows, each with its own copy of its frames, (windows, frames, n_mels); and where a network tells
    whose a clip is, the class of each, (windows,)."""
    frames = (clips.frames - clips.frames.mean(0)) / clips.frames.std(0)
    if isinstance(detector, ClipClassifier):
        detector.learn_classes(clips)
        classes = [detector.classes.index(class_of(group)) for group in clips.groups]
        return torch.from_numpy(frames.reshape(len(clips), CLIP_FRAMES, N_MELS)), torch.tensor(classes)
    starts, _ = detector.windows(clips)
    return (torch.from_numpy(np.stack([frames[start : start + detector.settings["frames"]] for start in starts])),)


def reference(detector: NetworkDetector, stacked: tuple[torch.Tensor, ...], epochs: int, device: str = "cpu") -> None:
    """As one would write it, with the same network and loss."""
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(*stacked), batch_size=detector.settings["batch_size"], shuffle=True
    )
    with detector.new_head() if isinstance(detector, ClipClassifier) else nullcontext():
        optimizer = torch.optim.Adam(detector.network.parameters(), lr=detector.settings["learning_rate"])
        detector.network.train()
        for epoch in range(1, epochs + 1):
            total = 0.0
            for batch in loader:
                batch = [part.to(device) for part in batch]
                optimizer.zero_grad()
                loss = detector.loss(batch[0] if len(batch) == 1 else batch, epoch)
                loss.backward()
                optimizer.step()
                total += loss.item() * len(batch[0])


def measure(name: str, clips: int, whose: str) -> None:
    """Print windows per second of CPU time: several epochs, as a training has 50, after one that warms up."""
    data = made_up_clips(clips)
    for epochs in (1, 5):
        detector = make_detector(name, epochs)
        windows = stacked(detector, data)
        copy = Clips(data.frames.copy(), data.lengths, data.groups)
        started = time.process_time()
        reference(detector, windows, epochs) if whose == "reference" else detector.fit(copy, NO_CLIPS)
        seconds = time.process_time() - started
    print(len(windows[0]) * epochs / seconds)


def compare(name: str, clips: int, pairs: int) -> dict[str, float]:
    """Windows per second of CPU time, of both, each in a process of its own."""
    speeds = []
    for _ in range(pairs):
        speeds.append([run(name, whose, clips)[0] for whose in ("reference", "ours")])
    theirs, ours = (statistics.median(speed) for speed in zip(*speeds, strict=True))
    return {
        "reference_windows_per_s": theirs,
        "windows_per_s": ours,
        "ratio": statistics.median(own / other for other, own in speeds),
    }


def memory(name: str, clips: int) -> None:
    """Print the peak, above what is there after the imports, of a training of one epoch; and the features' size."""
    make_detector(name, 1).fit(made_up_clips(2), NO_CLIPS)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    data = Clips(
        np.random.default_rng(0).standard_normal((clips * CLIP_FRAMES, N_MELS), np.float32),
        np.full(clips, CLIP_FRAMES, np.int64),
    )
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    make_detector(name, 1).fit(data, NO_CLIPS)
    print((peak_bytes() - resident) / 1e6, data.frames.nbytes / 1e6)


def residual(name: str, clips: int) -> None:
    """Print what the residual score adds to training and to scoring, in percent; nothing where a model has none."""
    data = made_up_clips(clips)
    detector = make_detector(name, 2)
    if not isinstance(detector, AutoencoderDetector):
        return
    detector.fit(data, NO_CLIPS)
    learning = cpu_seconds(detector.learn_clip_statistics, data)
    training = (cpu_seconds(detector.fit, data, NO_CLIPS) - learning) / detector.settings["epochs"]
    training *= default_epochs(name)
    with_it = cpu_seconds(detector.clip_scores, data, top_k=5)
    assert "residual" in detector.clip_scores(data, top_k=5)
    detector.clip_statistics = {}
    without = cpu_seconds(detector.clip_scores, data, top_k=5)
    print(100 * learning / training, 100 * (with_it / without - 1))


def cpu_seconds(function: Callable[..., object], *arguments: object, **named: object) -> float:
    """Of a call, the least of three."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        function(*arguments, **named)
        seconds.append(time.process_time() - started)
    return min(seconds)


def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def run(name: str, what: str, clips: int = 60) -> list[float]:
    """What a process of its own prints."""
    command = [sys.executable, __file__, "--models", name, "--clips", str(clips), "--run", what]
    return [float(number) for number in subprocess.check_output(command, text=True).split()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--clips", type=int, default=60, help="training clips of 10 s (default: 60)")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of measurements")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--run", choices=["reference", "ours", "memory", "residual"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # of too few clips to score well
    if arguments.run == "memory":
        memory(arguments.models[0], MIMII_CLIPS)
    elif arguments.run == "residual":
        residual(arguments.models[0], arguments.clips)
    elif arguments.run:
        measure(arguments.models[0], arguments.clips, arguments.run)
    if arguments.run:
        sys.exit()
    figures = {}
    heads = ["reference/s", "ours/s", "ratio", "goal", "peak MB", "features MB", "goal"]
    heads += [f"residual, {part} % (goal {goal})" for part, goal in RESIDUAL_GOALS.items()]
    print("| model | " + " | ".join(heads) + " |\n|---" + "|---:" * len(heads) + "|")
    for name in arguments.models:
        row = compare(name, arguments.clips, arguments.pairs)
        row["peak_mb"], row["features_mb"] = run(name, "memory")
        shares = run(name, "residual", arguments.clips) or [None, None]
        row["residual_training_percent"], row["residual_scoring_percent"] = shares
        row["goal_ratio"], row["goal_peak_mb"] = GOALS.get(name, 1.0), row["features_mb"] + MEMORY_GOAL_MB
        figures[name] = row
        print(
            f"| {name} | {row['reference_windows_per_s']:,.0f} | {row['windows_per_s']:,.0f} | {row['ratio']:.2f} "
            f"| {row['goal_ratio']:g} | {row['peak_mb']:.0f} | {row['features_mb']:.0f} | {row['goal_peak_mb']:.0f} "
            f"| {' | '.join('' if share is None else f'{share:.1f}' for share in shares)} |",
            flush=True,
        )
    if arguments.json:
        write_figures(arguments.json, {"models": figures, "torch": torch.__version__})
