"""What a model declares in `models/<name>.yaml`, and what its settings say together, in plain Python.

Planning checks it, and so does a detector when it is made; neither has to import the model. The rules stand beside the
settings, in `models/<name>.yaml` and in the file of its base:

    bottleneck: latent              so many values a window is squeezed into; at most a quarter of its own
    bottleneck_of: frame            and if so, each frame of a window, not the window
    multiples: {width: heads}       the one is a multiple of the other
    needs: {best_epoch: val_split}  where the one is set, the other must be
    needs: {vector=stacked: frames} or where it has this value
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mimii.common.declarations import Declarations, read_declarations
from mimii.common.errors import UserError
from mimii.common.suggestions import unknown

MODELS = Path(__file__).parents[1] / "models"
BASES = Path(__file__).parent


@cache
def model_names() -> tuple[str, ...]:
    """Every model that has both its files in `models/`, in alphabetical order. Imports none of them."""
    return tuple(sorted(file.stem for file in MODELS.glob("*.yaml") if file.with_suffix(".py").exists()))


@dataclass(frozen=True)
class ModelDeclaration:
    """What `models/<name>.yaml` says; `settings` holds those of its base too.

    stochastic: whether anything is drawn from the seed, so that another seed makes another model.
    still_clip: the mean score of a clip that stands still, its mean spectrum in every frame, beside that of the clip
    itself: "lower", "higher", or "either" where neither holds of every clip.
    least_classes: with fewer classes to tell apart a classifier learns little; None of what tells none apart.
    """

    name: str
    title: str
    base: str
    paper: str
    stochastic: bool
    still_clip: str
    settings: Declarations
    least_classes: int | None = None


@cache
def base_declarations(base: str) -> Declarations:
    """Settings that all models of a kind ("network", "estimator", "clip_vectors") share, those of every model last."""
    own, common = (read_declarations(BASES / f"{name}.yaml")["settings"] for name in (base, "contract"))
    return {**own, **common}


@cache
def model_declaration(name: str) -> ModelDeclaration:
    """A model's declaration, its base's settings first. Raises UserError for an unknown name."""
    if name not in model_names():
        raise UserError(unknown("model", name, model_names()))
    declared = read_declarations(MODELS / f"{name}.yaml")
    settings = {key: dict(value) for key, value in base_declarations(declared["base"]).items()}
    for key, value in (declared.get("settings") or {}).items():
        settings[key] = {**settings.get(key, {}), **value}
    return ModelDeclaration(
        name,
        declared["title"],
        declared["base"],
        declared.get("paper", ""),
        declared["stochastic"],
        declared.get("still_clip", ""),
        settings,
        declared.get("least_classes"),
    )


@dataclass(frozen=True)
class Rules:
    """What has to hold between a model's settings; all are names of settings, a key of `needs` also `name=value`."""

    bottleneck: str | None
    bottleneck_of: str  # "window" or "frame"
    multiples: Mapping[str, str]
    needs: Mapping[str, str]


@cache
def model_rules(model: str) -> Rules:
    """The rules of a model and of its base."""
    own = read_declarations(MODELS / f"{model}.yaml")
    base = read_declarations(BASES / f"{own['base']}.yaml")
    multiples, needs = ({**base.get(kind, {}), **own.get(kind, {})} for kind in ("multiples", "needs"))
    return Rules(own.get("bottleneck"), own.get("bottleneck_of", "window"), multiples, needs)


def check_model_settings(model: str, settings: Mapping[str, Any], n_mels: int | None) -> list[str]:
    """Contradictions between settings that are each in range, a sentence each; empty where there are none.

    settings: every setting that the model declares. n_mels: values of a frame, which are mel bands by
    default; None where only the features will tell: a detector checks again when it is made.
    """
    rules = model_rules(model)
    contradictions = []
    if rules.bottleneck and n_mels is not None:
        size, frames = settings[rules.bottleneck], settings["frames"]
        if rules.bottleneck_of == "frame" and 4 * size > n_mels:
            contradictions.append(
                f"{rules.bottleneck} {size} is more than a quarter of a frame's {n_mels} values (n_mels), so the input "
                f"could be copied; lower {rules.bottleneck}, or raise n_mels"
            )
        elif rules.bottleneck_of == "window" and 4 * size > frames * n_mels:
            contradictions.append(
                f"{rules.bottleneck} {size} is more than a quarter of a window's {frames * n_mels} values "
                f"(frames {frames} x n_mels {n_mels}), so the input could be copied; "
                f"lower {rules.bottleneck}, or raise frames or n_mels"
            )
    for key, divisor in rules.multiples.items():
        if settings[key] % settings[divisor]:
            contradictions.append(
                f"{key} {settings[key]} is not a multiple of {divisor} {settings[divisor]}; change one of them"
            )
    for condition, needed in rules.needs.items():
        key, _, wanted = condition.partition("=")
        applies = settings[key] == wanted if wanted else settings[key]
        if applies and not settings[needed]:
            value = json.dumps(settings[needed])
            contradictions.append(
                f"{key} {json.dumps(settings[key])} needs {needed}, which is {value}; change one of them"
            )
    return contradictions
