"""Files of the names that a pretrained network's checkpoint has, and nothing that could be loaded."""

import hashlib
import json
from pathlib import Path

from mimii.features.checkpoints import Checkpoint

CONFIG = {"model_type": "audio-spectrogram-transformer", "num_hidden_layers": 12}


def contents(*, weights=b"weights", **config):
    return {
        "config.json": json.dumps({**CONFIG, **config}).encode(),
        "preprocessor_config.json": b"{}",
        "model.safetensors": weights,
    }


def write_checkpoint(folder, **content):
    Path(folder).mkdir(parents=True)
    for name, content_of_file in contents(**content).items():
        Path(folder, name).write_bytes(content_of_file)
    return Path(folder)


def name_of(**content):
    files = {name: hashlib.sha256(file).hexdigest() for name, file in contents(**content).items()}
    return Checkpoint(Path(), "ast", None, tuple(sorted(files))).name(files)
