"""What embeddings of a network of AST's published size cost: CPU time of a clip, memory beside what a job asks for.

    python benchmarks/embeddings.py [--clips 14]

Weights are random, since only their number matters; clips of 10 s of noise, one thread. Needs `transformers`.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import transformers

from mimii.common.errors import UserError
from mimii.common.provenance import peak_host_memory_mb
from mimii.data.lookup import open_source
from mimii.data.sections import Section
from mimii.features.checkpoints import Checkpoint
from mimii.features.extraction import extract_features
from mimii.features.settings import resolve_features
from mimii.planning import resources

SECTION = Section("6dB", "fan", "id_00")
RATE, SECONDS = 16000, 10


def write_recordings(root: Path, clips: int) -> None:
    """Normal clips and two abnormal ones."""
    for label, count in (("normal", clips - 2), ("abnormal", 2)):
        folder = root / SECTION.path / label
        folder.mkdir(parents=True)
        for number in range(count):
            sound = np.random.default_rng(number).normal(0, 0.1, RATE * SECONDS)
            soundfile.write(folder / f"{number:08d}.wav", sound, RATE, subtype="PCM_16")


def measure(folder: Path, clips: int) -> None:
    """Print what the extraction of a section cost."""
    checkpoint, root = folder / "ast", folder / "data"
    transformers.ASTForAudioClassification(transformers.ASTConfig()).save_pretrained(checkpoint)
    transformers.ASTFeatureExtractor().save_pretrained(checkpoint)
    write_recordings(root, clips)
    source = {"source": "folder", "root": str(root), "snrs": "all", "machines": "all", "ids": "all"}
    source |= {"split": "as_many_as_abnormal", "clip_seconds": None}
    settings = {"extractor": "audio_transformer", "checkpoint": Checkpoint.at(checkpoint).read_name()}
    record = extract_features(
        open_source(source), SECTION, resolve_features(settings), folder / "features.parquet", checkpoint=checkpoint
    )
    weights_mb = sum(file.stat().st_size for file in checkpoint.glob("*.safetensors")) / 1e6
    asked_mb = resources.EMBEDDING + resources.PER_WEIGHTS_MB * weights_mb
    print(f"{record.cpu_per_clip_ms / 1000:.2f} s of CPU a clip; load {record.load:.1f} a core")
    print(f"{weights_mb:.0f} MB of weights: {peak_host_memory_mb():.0f} MB at the peak, {asked_mb:.0f} asked for")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=14, help="clips of the section, at least 12")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as name:
            measure(Path(name), arguments.clips)
    except UserError as error:
        sys.exit(f"error: {error}")
