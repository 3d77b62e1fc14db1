"""The reference run. Light: planning asks whether the check applies."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mimii.data.sections import Section


@cache
def reference() -> Mapping[str, Any]:
    """`reference.yaml`."""
    return yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))


def reference_auc() -> dict[Section, float]:
    """AUC of the reference run on each of the 48 sections."""
    return {
        Section(snr, machine, id): auc
        for snr, machines in reference()["auc"].items()
        for machine, ids in machines.items()
        for id, auc in ids.items()
    }


def is_asked_for(studies: Sequence[str], sections: Sequence[Section]) -> bool:
    """Whether the study is configured and the dataset has MIMII's names."""
    return reference()["study"] in studies and set(sections) == set(reference_auc())
