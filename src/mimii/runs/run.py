"""A run: one model with one variant of its settings, one seed, one section; its path says which."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from mimii.common.errors import UserError
from mimii.common.slugs import shortened
from mimii.data.sections import Section

EXTERNAL = "external"  # variant of runs that come from external scores
ENSEMBLE = "ensemble="  # what the variant of runs that are the mean of others begins with; `ensemble_variant_name`
SUBMISSION = "anomaly_score_"  # what the names of DCASE's submission files start with; they have no header


def is_ensemble(variant: str) -> bool:
    """Whether a variant is that of runs that are the mean of others."""
    return variant.startswith(ENSEMBLE)


def has_model(variant: str) -> bool:
    """Whether runs of a variant come from a model of their own."""
    return variant != EXTERNAL and not is_ensemble(variant)


def ensemble_variant_name(settings: Mapping[str, Any]) -> str:
    """`ensemble=simple_ae+knn-components=8,how=rank`: members in order, as `how` says unless it is the default.

    settings: `how`, and `members`, `model/variant` each.
    """
    members = "+".join(member.removesuffix("/default").replace("/", "-") for member in settings["members"])
    how = "" if settings["how"] == "standardised" else f",how={settings['how']}"
    return shortened(f"{ENSEMBLE}{members}{how}")


def submission_names(section: Section) -> list[tuple[str, ...]]:
    """What DCASE's submission files of a section's scores are called: 2022 on, 2020, and the two of 2021."""
    name = f"{SUBMISSION}{section.machine}_{section.id}"
    return [(f"{name}_test.csv",), (f"{name}.csv",), (f"{name}_source_test.csv", f"{name}_target_test.csv")]


@dataclass(frozen=True)
class RunName:
    """What names a run. variant: slug of its settings. seed: None for external scores, which have none."""

    model: str
    variant: str
    seed: int | None
    section: Section

    @property
    def path(self) -> str:
        """`vae/default/seed=42/6dB/fan/id_00`, relative to the folder of runs."""
        seed = "" if self.seed is None else f"/seed={self.seed}"
        return f"{self.model}/{self.variant}{seed}/{self.section.path}"

    @classmethod
    def parse(cls, path: str) -> Self:
        """The inverse of `path`. Raises UserError where it is no such path."""
        model, variant, *rest = path.split("/") if path.count("/") >= 4 else ("", "")
        seed = rest.pop(0).removeprefix("seed=") if len(rest) == 4 else None
        if len(rest) != 3 or (seed is not None and str(int(seed) if seed.isdecimal() else None) != seed):
            raise UserError(f"run {path!r}: expected <model>/<variant>/seed=<seed>/<SNR>/<machine>/<ID>")
        return cls(model, variant, None if seed is None else int(seed), Section(*rest))


def in_scope(sections: Iterable[Section], train_per: str, scope: str) -> list[Section]:
    """The sections of a scope, by their paths. scope: its path, such as `6dB/fan` for train_per machine_type."""
    return sorted((one for one in sections if one.scope(train_per) == scope), key=lambda section: section.path)


@dataclass(frozen=True)
class Variant:
    """A model with all of its settings and those of its features; `name` is the slug of what differs."""

    model: str
    name: str
    settings: Mapping[str, Any]
    features: Mapping[str, Any]
    features_name: str

    @property
    def train_per(self) -> str:
        """What a model is trained on: "section", "machine_type" or "snr"."""
        train_per: str = self.settings.get("train_per", "section")
        return train_per


@dataclass(frozen=True)
class Run:
    """One model with one variant of its settings, one seed (None for external scores), one section."""

    variant: Variant
    seed: int | None
    section: Section

    @property
    def name(self) -> RunName:
        """What names it."""
        return RunName(self.variant.model, self.variant.name, self.seed, self.section)

    @property
    def path(self) -> str:
        """Relative to the folder of runs."""
        return self.name.path

    @property
    def training_path(self) -> str:
        """Folder of what was trained, relative to the folder of runs: that of the scope, which other runs share."""
        return self.path.removesuffix(self.section.path) + self.scope

    @property
    def scope(self) -> str:
        """Path of what the model is trained on."""
        return self.section.scope(self.variant.train_per)

    def trained_on(self, sections: Iterable[Section]) -> list[Section]:
        """The sections, of all those at hand, whose training clips the model sees, by their paths."""
        if self.variant.train_per == "section":
            return [self.section]
        return in_scope(sections, self.variant.train_per, self.scope)

    @property
    def settings(self) -> Mapping[str, Any]:
        """All of the model's settings."""
        return self.variant.settings

    @property
    def features(self) -> Mapping[str, Any]:
        """All of the feature settings."""
        return self.variant.features
