"""What a job asks a cluster for, memory and minutes: from the size of its input and the settings of its model.

Most were measured and rounded up; docs/cluster.md holds requested against used, and says what is estimated: what CUDA
takes, and pretrained networks other than AST on a CPU. Each further attempt asks for twice as much. On one machine
nobody looks at these numbers.
"""

from collections.abc import Mapping
from typing import Any

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
# Seconds of one CPU core for an epoch over 1 MB of features, at a model's default windows. A GPU needs less. A model
# that is not here is taken to be as slow as the slowest.
EPOCH_SECONDS = {
    "simple_ae": 0.05,
    "deep_ae": 0.15,
    "denoising_ae": 0.15,
    "vae": 0.15,
    "residual_ae": 0.2,
    "idnn": 0.05,
    "lstm_ae": 0.15,
    "attention_ae": 0.25,
    "conv_ae": 0.3,
    "id_classifier": 0.1,
}
LEAST_MINUTES = 10
METRICS_MINUTES = 5
MARGIN = 3  # a busy node, a slow file system


def increase(amount: float, attempt: int) -> int:
    """Twice as much at each further attempt."""
    return round(amount) * 2 ** (attempt - 1)


def model_memory_mb(base: str, features_mb: float, attempt: int) -> int:
    """MB for training or scoring; base: the model's, such as "network", features_mb: of the section's features file."""
    return increase((NETWORK if base == "network" else ESTIMATOR) + PER_FEATURES_MB * features_mb, attempt)


def training_minutes(
    model: str, settings: Mapping[str, Any], defaults: Mapping[str, Any], features_mb: float, attempt: int
) -> int:
    """Minutes for training. settings: of the run; defaults: the model's own, which say what was measured."""
    seconds = EPOCH_SECONDS.get(model, max(EPOCH_SECONDS.values())) * settings.get("epochs", 1) * features_mb
    if settings.get("frames") and defaults.get("frames"):
        overlap = settings["frames"] / settings["hop_frames"]
        seconds *= overlap / (defaults["frames"] / defaults["hop_frames"])
    return increase(LEAST_MINUTES + MARGIN * seconds / 60, attempt)


def scoring_minutes(features_mb: float, attempt: int) -> int:
    """Minutes for scoring."""
    return increase(LEAST_MINUTES + features_mb / 20, attempt)
