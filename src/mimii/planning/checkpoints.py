"""Checkpoints of pretrained networks: in a configuration a folder; from there on the name that says what it holds."""

from collections.abc import Iterator, Mapping
from typing import Any

from mimii.common.errors import UserError
from mimii.features.checkpoints import Checkpoint, why_no_networks

KEY = "checkpoint"


def checkpoint_contradictions(features: Mapping[str, Any]) -> Iterator[str]:
    """Why the folder that settings of the features name cannot be used with them."""
    if features.get(KEY) is None:
        return
    if reason := why_no_networks():
        yield reason
    try:
        layers = Checkpoint.at(features[KEY]).layers
    except UserError as error:
        yield f"{KEY}: {error}"
        return
    if layers is not None and (features["layer"] or 0) > layers:
        yield f"layer {features['layer']}, but {features[KEY]} has {layers} layers; lower layer"


def name_checkpoints(config: Mapping[str, Any], features_root: str) -> tuple[dict[str, Any], dict[str, str]]:
    """A sound configuration with the name of each checkpoint in the place of its folder; and the folder of each name.

    features_root: folder where it is noted what was read. Raises UserError where a file of one cannot be read.
    """
    folders: dict[str, str] = {}

    def named(value: Any) -> Any:
        if isinstance(value, list):
            return [named(each) for each in value]
        if value is None:
            return None
        name = Checkpoint.at(value).noted_name(features_root)
        folders[name] = value
        return name

    def within(part: Any) -> Any:
        if isinstance(part, Mapping):
            return {key: named(value) if key == KEY else within(value) for key, value in part.items()}
        return [within(each) for each in part] if isinstance(part, list) else part

    parts = {part: within(config[part]) for part in ("features", "studies")}
    return {**config, **parts}, folders
