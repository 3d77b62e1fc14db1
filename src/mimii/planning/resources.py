"""What a job asks a cluster for, memory and minutes: from the size of its input and the settings of its model.

Most were measured and rounded up, the minutes of training from `costs.yaml`; docs/cluster.md holds requested against
used, and says what is estimated: what CUDA takes, and pretrained networks other than AST on a CPU. Each further attempt
asks for twice as much. On one machine nobody looks at these numbers.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mimii.common.declarations import read_declarations

# MB that a job needs whatever its input: the program, and about 350 for the two Snakemakes around it on a cluster.
# Networks: 500 with torch on a CPU; CUDA's libraries and context take up to 2500 more of the host's memory.
EXTRACTION = 1000
EMBEDDING = 4000
ESTIMATOR = 1000
NETWORK = 3500
METRICS = 1000
REPORT = 2000
# MB for each MB of the section's features file.
PER_FEATURES_MB = 4
# MB for each MB of a pretrained network's weights: as they are read, and as the network holds them. An estimate.
PER_WEIGHTS_MB = 3
# From 2.4 to 2.7 s of a core for a clip of 10 s with AST base: a section of 1,000 clips takes 40 to 45 minutes.
EMBEDDING_MINUTES = 120
# Features of the clip that costs.yaml counts in: 313 frames x 64 bands x 4 bytes.
CLIP_MB = 0.08
LEAST_MINUTES = 10
METRICS_MINUTES = 5
MARGIN = 3  # a slower processor, a busy node, a slow file system


@cache
def reference_costs() -> Mapping[str, Any]:
    """`costs.yaml`, which benchmarks/reference_costs.py writes."""
    costs: Mapping[str, Any] = read_declarations(Path(__file__).with_name("costs.yaml"))
    return costs


def increase(amount: float, attempt: int) -> int:
    """Twice as much at each further attempt."""
    return round(amount) * 2 ** (attempt - 1)


def model_memory_mb(base: str, features_mb: float, attempt: int) -> int:
    """MB for training or scoring; base: the model's, such as "network", features_mb: of the section's features file."""
    return increase((NETWORK if base == "network" else ESTIMATOR) + PER_FEATURES_MB * features_mb, attempt)


def training_minutes(
    model: str, settings: Mapping[str, Any], defaults: Mapping[str, Any], features_mb: float, attempt: int
) -> int:
    """Minutes for training on one core; a GPU needs less. A model that was never measured gets as many as the slowest.

    settings: of the run; defaults: the model's own, with which it was measured.
    """
    models = reference_costs()["models"]
    measured = [models[model]] if model in models else models.values()
    epochs = settings.get("epochs", 0)
    clip = max(costs["training"]["clip"] + epochs * costs["training"].get("epoch", 0) for costs in measured)
    seconds = clip * features_mb / CLIP_MB
    if settings.get("frames") and defaults.get("frames"):
        overlap = settings["frames"] / settings["hop_frames"]
        seconds *= overlap / (defaults["frames"] / defaults["hop_frames"])
    return increase(LEAST_MINUTES + MARGIN * seconds / 60, attempt)


def scoring_minutes(features_mb: float, attempt: int) -> int:
    """Minutes for scoring."""
    return increase(LEAST_MINUTES + features_mb / 20, attempt)
