"""A pretrained network's checkpoint on disk: whether it may be used, and what it is called. Loads no network.

It is called by its kind and the first 16 digits of a SHA-256 over the files that decide its embeddings: its
configuration, that of its input, and its weights. Planning asks for that name at every start, and weights have
gigabytes; so the SHA-256 of each file is kept beside the features, with the size and the time of change that the file
then had. An extraction reads the weights anyway, and takes the SHA-256 of each file afresh; the features' metadata
keep it.
"""

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.common.records import sha256_of

# Its `model_type` in config.json, and what it is called here.
KINDS = {
    "audio-spectrogram-transformer": "ast",
    "clap": "clap",
    "clap_audio_model": "clap",
    "wavlm": "wavlm",
    "hubert": "hubert",
    "whisper": "whisper",
}
CONFIG = "config.json"
INPUT_CONFIGS = ("preprocessor_config.json", "processor_config.json")  # one of them says how sound is prepared
WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"
NOTES = "checkpoints.json"


def why_no_networks() -> str | None:
    """Why no network can be loaded, and what to do; None where one can."""
    if importlib.util.find_spec("transformers") is None:
        return (
            "the extractor audio_transformer needs the package transformers, which is not installed; "
            "install it beside the others: .venv/bin/pip install 'transformers>=5' (docs/pretrained.md)"
        )
    return None


@dataclass(frozen=True)
class Checkpoint:
    """A folder that holds a network of a known kind.

    layers: how many layers the network has; None where its configuration does not say. files: names of those that
    decide its embeddings, sorted.
    """

    folder: Path
    kind: str
    layers: int | None
    files: tuple[str, ...]

    @classmethod
    def at(cls, folder: str | Path) -> "Checkpoint":
        """The checkpoint in a folder. Raises UserError where there is none, or one that may not be used."""
        folder = Path(folder)
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; give the folder that holds the checkpoint's {CONFIG}")
        config = _read_json(folder / CONFIG)
        kind = KINDS.get(str(config.get("model_type")))
        if kind is None:
            raise UserError(
                f"{folder}: the network's model_type is {config.get('model_type')!r}; known are {', '.join(KINDS)} "
                "(docs/pretrained.md)"
            )
        if (folder / "adapter_config.json").exists():
            raise UserError(f"{folder}: holds an adapter beside the network; merge it into the weights, and save those")
        inputs = [name for name in INPUT_CONFIGS if (folder / name).is_file()]
        if not inputs:
            raise UserError(f"{folder}: holds no {INPUT_CONFIGS[0]}, which says how sound is prepared; copy it there")
        return cls(folder, kind, _layers(config), tuple(sorted([CONFIG, *inputs, *_weights(folder)])))

    def name(self, sha256s: Mapping[str, str]) -> str:
        """Such as `ast-3f0c1b2a4d5e6f70`. sha256s: of each of its files."""
        text = "".join(f"{file} {sha256s[file]}\n" for file in self.files)
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def read_sha256s(self) -> dict[str, str]:
        """SHA-256 of each of its files as they are; reads all of them."""
        return {file: sha256_of(self.folder / file) for file in self.files}

    def read_name(self) -> str:
        """`name` from the files as they are."""
        return self.name(self.read_sha256s())

    def noted_name(self, features_root: str | Path) -> str:
        """`name`, reading only files whose size or time of change is not the one noted beside the features."""
        notes = _read_notes(Path(features_root, NOTES))
        states: dict[str, tuple[Path, dict[str, Any]]] = {}
        for file in self.files:
            path = (self.folder / file).resolve()
            state = path.stat()
            noted = notes.get(str(path), {})
            same = (noted.get("size"), noted.get("changed")) == (state.st_size, state.st_mtime_ns)
            sha256 = noted["sha256"] if same else sha256_of(path)
            states[file] = path, {"size": state.st_size, "changed": state.st_mtime_ns, "sha256": sha256}
        own = {str(path): noted for path, noted in states.values()}
        if any(notes.get(path) != noted for path, noted in own.items()):
            with suppress(UserError), written_whole(Path(features_root, NOTES)) as temporary:
                # Where nothing can be written, files are read again at the next start; no result depends on it.
                temporary.write_text(json.dumps({**notes, **own}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return self.name({file: noted["sha256"] for file, (_, noted) in states.items()})


def _layers(config: Mapping[str, Any]) -> int | None:
    own = config.get("audio_config", config)
    depths = own.get("depths")
    layers = len(depths) if isinstance(depths, list) else own.get("encoder_layers", own.get("num_hidden_layers"))
    return layers if isinstance(layers, int) else None


def _weights(folder: Path) -> list[str]:
    """Names of the files with weights. Raises UserError where none is of safetensors, which hold numbers alone."""
    if (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    if not (folder / SHARDS).is_file():
        others = sorted(file.name for file in folder.iterdir() if file.suffix in (".bin", ".pt", ".pth", ".ckpt"))
        there = f", and {others[0]} is a pickle, which could run code when it is loaded" if others else ""
        raise UserError(
            f"{folder}: holds no {WEIGHTS}{there}; save it as safetensors, or take a release of it that has them"
        )
    named = _read_json(folder / SHARDS).get("weight_map")
    shards = sorted({str(name) for name in named.values()}) if isinstance(named, dict) else []
    missing = [
        name for name in shards if "/" in name or not name.endswith(".safetensors") or not (folder / name).is_file()
    ]
    if missing or not shards:
        raise UserError(
            f"{folder}: {SHARDS} names {', '.join(missing) or 'no file'}, which is not there as safetensors"
        )
    return [SHARDS, *shards]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}); copy the checkpoint again") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds no settings; copy the checkpoint again")
    return values


def _read_notes(path: Path) -> dict[str, dict[str, Any]]:
    """What was noted of files by their paths; nothing where there is no such file, or one that cannot be read."""
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(notes, dict):
        return {}
    known = {"size", "changed", "sha256"}
    return {path: note for path, note in notes.items() if isinstance(note, dict) and set(note) == known}
