"""Training of every network on one GPU, beside the plain loop on the same GPU, and several jobs sharing it.

    python benchmarks/gpu.py [--device cuda] [--clips 543] [--epochs 50] [--jobs 1 2 4 8 16] [--json FILE]

On made-up frames of the size of fan id_00, with each network's default epochs or --epochs. Ours: the detector's `fit`,
frames resident on the device. The reference: see training.py; a few epochs, since its speed does not change. The floor
is the time that the floating-point operations alone would take at --peak-tflops. Sharing: as many processes at once,
each training every network in turn from another place in the list. From that, the time for all of MIMII: its 48
sections, which every network hears once, one by one or all of an SNR together. Scoring: clip by clip, as the library
does, beside passes of a fixed number of windows from many clips; and whether in those a window's score is the same to
the last bit whatever windows are beside it, without which no score could be trusted.
"""

import argparse
import logging
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import torch
from torch.utils.flop_counter import FlopCounterMode
from training import (
    MIMII_CLIPS,
    NETWORKS,
    NO_CLIPS,
    default_epochs,
    made_up_clips,
    make_detector,
    reference,
    stacked,
)
from workbench import write_figures

from mimii.detectors.clip_classifier import ClipClassifier
from mimii.detectors.window_network import WindowNetwork

SECTIONS = 48
MIMII_MEAN_CLIPS = 637  # training clips of a section of MIMII without its validation part
PASS_CLIPS = 32  # whose windows are scored together
GOALS = {"ratio": 15, "memory_over_features_mb": 1000, "all_of_mimii_minutes": 30}


def train(name: str, clips: int, epochs: int, device: str) -> dict[str, float]:
    """Seconds and windows per second of a whole training, and the device memory above the features."""
    data = made_up_clips(clips)
    features_mb = data.frames.nbytes / 2**20
    started = time.perf_counter()
    result = make_detector(name, epochs, device).fit(data, NO_CLIPS)
    seconds = time.perf_counter() - started
    memory = result.peak_gpu_memory_mb
    return {
        "seconds": seconds,
        "windows_per_s": result.training_windows * epochs / seconds,
        "memory_over_features_mb": None if memory is None else memory - features_mb,
    }


def reference_speed(name: str, clips: int, epochs: int, device: str) -> float:
    """Windows per second of the plain loop."""
    detector = make_detector(name, epochs, device)
    windows = stacked(detector, made_up_clips(clips))
    started = time.perf_counter()
    reference(detector, windows, epochs, device)  # it reads every loss, so nothing is left to wait for
    return len(windows[0]) * epochs / (time.perf_counter() - started)


def operations(name: str) -> float:
    """Floating-point operations of a training step, for each window."""
    detector = make_detector(name, 1)
    batch = [part[: detector.settings["batch_size"]] for part in stacked(detector, made_up_clips(MIMII_CLIPS))]
    with (
        detector.new_head() if isinstance(detector, ClipClassifier) else nullcontext(),
        FlopCounterMode(display=False) as counter,
    ):
        detector.loss(batch[0] if len(batch) == 1 else batch, 1).backward()
    return counter.get_total_flops() / len(batch[0])


def scoring(name: str, clips: int, device: str) -> dict[str, float | bool]:
    """Seconds of scoring, clip by clip and in passes of PASS_CLIPS clips' windows; whether scores of the latter are the
    same in other company, bit for bit, and by how much they differ from the library's. Of networks on windows."""
    detector = make_detector(name, 1, device)
    if not isinstance(detector, WindowNetwork):
        return {}
    detector.fit(made_up_clips(2), NO_CLIPS)
    data = made_up_clips(clips)
    windows = detector.examples(data)
    size = PASS_CLIPS * len(windows) // clips
    orders = torch.arange(len(windows), device=device), torch.randperm(len(windows)).to(device)

    def in_passes(order: torch.Tensor) -> torch.Tensor:
        padded = torch.cat([order, order.new_zeros(-len(order) % size)])  # every pass has the same shape
        scores = torch.empty(len(padded), device=device)
        with torch.inference_mode():
            for first, batch in enumerate(windows.batches([size] * (len(padded) // size), padded)):
                scores[padded[first * size : (first + 1) * size]] = detector.score_batch(batch)
        return scores[: len(order)].double().cpu()

    detector.window_scores(data.select(0, 1)), in_passes(orders[0][:1])
    started = time.perf_counter()
    alone = torch.from_numpy(detector.window_scores(data))
    between = time.perf_counter()
    together = in_passes(orders[0])
    ended = time.perf_counter()
    return {
        "clip_by_clip_s": between - started,
        "in_passes_s": ended - between,
        "same_in_any_company": torch.equal(together, in_passes(orders[1])),
        "largest_relative_difference": float(((together - alone) / alone).abs().max()),
    }


def side_by_side(jobs: int, names: list[str], clips: int, epochs: int, device: str) -> float:
    """Windows per second of all jobs together, start-up left out."""
    command = [sys.executable, __file__, "--device", device, "--clips", str(clips), "--epochs", str(epochs), "--run"]
    running = []
    for job in range(jobs):
        turned = names[job % len(names) :] + names[: job % len(names)]
        running.append(subprocess.Popen([*command, *turned], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    for process in running:
        assert process.stdout.readline() == "ready\n"
    started = time.perf_counter()
    printed = [process.communicate("go\n")[0] for process in running]
    if any(process.returncode for process in running):
        sys.exit(f"one of {jobs} jobs side by side failed")
    return sum(map(float, printed)) / (time.perf_counter() - started)


def job(names: list[str], clips: int, epochs: int, device: str) -> None:
    """One of the jobs side by side: warm up, say so, wait, train, print the number of windows."""
    train(names[0], 2, 1, device)
    print("ready", flush=True)
    sys.stdin.readline()
    rows = [train(name, clips, epochs, device) for name in names]
    print(sum(row["windows_per_s"] * row["seconds"] for row in rows))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    heads = ["seconds", "windows/s", "reference/s", "ratio", "floor s", "MB over features", "scoring s"]
    heads += ["in passes s", "same in any company"]
    print("| model | " + " | ".join(heads) + " |\n|---" + "|---:" * len(heads) + "|")
    models = {}
    for name in arguments.models:
        train(name, 2, 1, arguments.device)  # libraries load at first use
        reference_speed(name, 2, 1, arguments.device)
        epochs = arguments.epochs or default_epochs(name)
        row = train(name, arguments.clips, epochs, arguments.device)
        row["all_epochs_s"] = row["seconds"] * default_epochs(name) / epochs
        row["reference_per_s"] = reference_speed(name, arguments.clips, arguments.reference_epochs, arguments.device)
        row["ratio"] = row["windows_per_s"] / row["reference_per_s"]
        row["floor_s"] = operations(name) * row["windows_per_s"] * row["seconds"] / (arguments.peak_tflops * 1e12)
        row |= (scored := scoring(name, arguments.clips, arguments.device))
        models[name] = row
        memory = row["memory_over_features_mb"]
        cells = [f"{scored['clip_by_clip_s']:.2f}", f"{scored['in_passes_s']:.2f}"] if scored else ["", ""]
        print(
            f"| {name} | {row['seconds']:.1f} | {row['windows_per_s']:,.0f} | {row['reference_per_s']:,.0f} "
            f"| {row['ratio']:.1f} | {row['floor_s']:.2f} | {'' if memory is None else f'{memory:.0f}'} "
            f"| {' | '.join(cells)} | {scored.get('same_in_any_company', '')} |",
            flush=True,
        )
    shared = {
        jobs: side_by_side(jobs, arguments.models, arguments.clips, arguments.sharing_epochs, arguments.device)
        for jobs in arguments.jobs
    }
    alone = sum(row["all_epochs_s"] for row in models.values())
    best = max(shared, key=lambda jobs: shared[jobs])
    gain = shared[best] / shared[min(shared)] * min(shared)
    minutes = alone * SECTIONS * (MIMII_MEAN_CLIPS / arguments.clips) / gain / 60
    print()
    for jobs, speed in shared.items():
        print(f"{jobs} job(s) side by side: {speed:,.0f} windows/s together")
    print(f"all of MIMII, {len(models)} networks, {best} job(s) at a time: {minutes:.1f} minutes of training")
    return {
        "models": models,
        "side_by_side_windows_per_s": shared,
        "best_jobs": best,
        "all_of_mimii_minutes": minutes,
        "goals": GOALS,
        "device": torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "cpu",
        "clips": arguments.clips,
        "epochs": arguments.epochs,
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--clips", type=int, default=MIMII_CLIPS)
    parser.add_argument("--epochs", type=int, help="of every network (default: each one's own)")
    parser.add_argument("--reference-epochs", type=int, default=2)
    parser.add_argument("--sharing-epochs", type=int, default=5)
    parser.add_argument(
        "--jobs", type=int, nargs="+", default=[1, 2, 4, 8, 16], help="numbers of jobs to try side by side"
    )
    parser.add_argument("--peak-tflops", type=float, default=67.0, help="of the device in float32 (default: an H100's)")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # of too few clips to score well
    if arguments.run:
        job(arguments.run, arguments.clips, arguments.epochs, arguments.device)
        sys.exit()
    figures = measure(arguments)
    if arguments.json:
        write_figures(arguments.json, figures)
