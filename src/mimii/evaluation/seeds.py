"""Of which models anything may be claimed: those whose scores no seed changes, and those that were run with enough."""

import json
from typing import TYPE_CHECKING, Any

from mimii.detectors.declaration import model_declaration, model_names
from mimii.runs.run import EXTERNAL, is_ensemble

if TYPE_CHECKING:  # a start of the workflow, which says where seeds are too few, does not wait for it
    import pandas as pd

# So many seeds of a stochastic model are the least of which anything is claimed.
LEAST_SEEDS = 3
NO_CLAIM = f"No claim is made about {{}}: another seed gives other scores, and fewer than {LEAST_SEEDS} seeds were run."


def has_enough_seeds(frame: "pd.DataFrame") -> dict[str, bool]:
    """For each label, whether anything may be claimed of it: `may_be_claimed` of its rows."""
    return {str(label): may_be_claimed(rows) for label, rows in frame.groupby("label", sort=False)}


def may_be_claimed(rows: "pd.DataFrame") -> bool:
    """Whether the rows of a model, of external scores or of an ensemble allow a claim: no seed changes them, or
    they have LEAST_SEEDS seeds.

    External scores count as they are: nobody knows whether another run would give others.
    """
    fixed = not any(is_stochastic(model) for model in models_behind(rows.iloc[0]))
    return bool(fixed or rows["seed"].nunique() >= LEAST_SEEDS)


def models_behind(row: "pd.Series[Any]") -> list[str]:
    """The models whose seeds a row depends on: its own; those among an ensemble's members; none of external scores."""
    if row["variant"] == EXTERNAL:
        return []
    if not is_ensemble(row["variant"]):
        return [row["model"]]
    members = [member.split("/") for member in json.loads(row["settings"])["members"]]
    return [model for model, variant in members if variant != EXTERNAL]


def is_stochastic(model: str) -> bool:
    """Whether another seed gives other scores; taken to be so of a model that is not in the library any more."""
    return model not in model_names() or model_declaration(model).stochastic
