"""Peak memory of a training on all sections of an SNR, beside the size of their features.

    python benchmarks/scope_memory.py [--model id_classifier] [--sections 4] [--clips 900]

Features are made up, clips of 10 s; the training job is the workflow's own, one epoch, one thread. Peak: of the
process, above what it held before it read any clip.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mimii.common.declarations import resolve
from mimii.common.errors import UserError
from mimii.data.recordings import Clip
from mimii.detectors.declaration import model_declaration, model_names
from mimii.features.file import FeaturesMetadata, FeatureWriter
from mimii.features.settings import resolve_features
from mimii.runs.records import TrainingRecord
from mimii.runs.training import train_model

FRAMES, N_MELS = 313, 64


def write_features(path: Path, section: str, clips: int) -> None:
    """Noise in the place of a section's training clips."""
    rng = np.random.default_rng(0)
    with FeatureWriter(path, FeaturesMetadata(section, resolve_features({}))) as writer:
        for row in range(clips):
            frames = rng.standard_normal((FRAMES, N_MELS), np.float32)
            writer.add(Clip(f"{section}/normal/{row:08d}.wav", "normal", "train"), frames)


def train(model: str, sections: Sequence[str], folder: Path) -> TrainingRecord:
    """The training job on the features of all sections, in the order of their paths."""
    settings = resolve(model_declaration(model).settings)
    settings |= {"epochs": 1} if "epochs" in settings else {}
    job = {"model": model, "variant": "default", "seed": 42, "scope": "6dB", "settings": settings, "code": None}
    job |= {"features": resolve_features({}), "recordings": dict.fromkeys(sections, "")}
    files = {f"{name}_file": folder / name for name in ("model", "losses", "record")}
    features = [folder / f"{number}.parquet" for number in range(len(sections))]
    train_model(features, job, **files, device="cpu", threads=1)
    return TrainingRecord.read(files["record_file"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=model_names(), default="id_classifier")
    parser.add_argument("--sections", type=int, default=4)
    parser.add_argument("--clips", type=int, default=900, help="training clips of a section")
    arguments = parser.parse_args()
    names = [f"6dB/fan/id_{number:02d}" for number in range(arguments.sections)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            for number, name in enumerate(names):
                write_features(Path(folder) / f"{number}.parquet", name, arguments.clips)
            record = train(arguments.model, names, Path(folder))
    except UserError as error:
        sys.exit(f"error: {error}")
    features_mb = arguments.sections * arguments.clips * FRAMES * N_MELS * 4 / 1e6
    above = record.peak_host_memory_mb - record.imports_memory_mb
    print(f"{arguments.model}, {arguments.sections} sections: features {features_mb:.0f} MB, peak {above:.0f} MB")
