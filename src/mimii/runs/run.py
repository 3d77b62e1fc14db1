"""A run: one model with one variant of its settings, one seed, one section; its path says which."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mimii.data.sections import Section

EXTERNAL = "external"  # variant of runs that come from external scores
SUBMISSION = "anomaly_score_"  # what the names of DCASE's submission files start with; they have no header


def submission_names(section: Section) -> tuple[str, str]:
    """What DCASE's submission files of a section's scores are called: 2021 on, and 2020."""
    name = f"{SUBMISSION}{section.machine}_{section.id}"
    return f"{name}_test.csv", f"{name}.csv"


@dataclass(frozen=True)
class Variant:
    """A model with all of its settings and those of its features; `name` is the slug of what differs."""

    model: str
    name: str
    settings: Mapping[str, Any]
    features: Mapping[str, Any]
    features_name: str


@dataclass(frozen=True)
class Run:
    """One model with one variant of its settings, one seed (None for external scores), one section."""

    variant: Variant
    seed: int | None
    section: Section

    @property
    def path(self) -> str:
        """Relative to the folder of runs."""
        seed = "" if self.seed is None else f"/seed={self.seed}"
        return f"{self.variant.model}/{self.variant.name}{seed}/{self.section.path}"

    @property
    def settings(self) -> Mapping[str, Any]:
        """All of the model's settings."""
        return self.variant.settings

    @property
    def features(self) -> Mapping[str, Any]:
        """All of the feature settings."""
        return self.variant.features


def run_path_of(training: Mapping[str, Any]) -> str:
    """`vae/default/seed=42/6dB/fan/id_00`; external scores have no seed."""
    seed = [] if training["seed"] is None else [f"seed={training['seed']}"]
    return "/".join([training["model"], training["variant"], *seed, training["section"]])
