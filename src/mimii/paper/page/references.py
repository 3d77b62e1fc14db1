"""Published numbers, to stand beside results on the same recordings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mimii.common.declarations import read_declarations
from mimii.data import published
from mimii.paper.official_baseline.reference import reference_auc
from mimii.paper.page.readers import ScoredSection

MIMII = {
    "name": "Official MIMII baseline (autoencoder)",
    "source": "One complete run of MIMII-hitachi/mimii_baseline by a third party (yachuchi/mimii), one seed",
}


def references_for(sections: Sequence[ScoredSection], config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """name, source and auc ({section: AUC}) of each reference that knows some of these recordings."""
    references: list[Mapping[str, Any]] = []
    if all(_is_mimii(one) for one in sections):
        references.append({**MIMII, "auc": {section.path: value for section, value in reference_auc().items()}})
    if str(config.get("dataset", {}).get("source")).startswith("dcase"):
        references += read_declarations(Path(__file__).with_suffix(".yaml"))
    paths = [one.section.path for one in sections]
    rows = [{**one, "auc": {path: one["auc"][path] for path in paths if path in one["auc"]}} for one in references]
    return [one for one in rows if one["auc"]]


def _is_mimii(one: ScoredSection) -> bool:
    """Whether the test clips are as many as MIMII's section of that name has: as many normal as abnormal ones."""
    counts = published.clip_counts(one.section)
    abnormal = int(one.abnormal.sum())
    return counts is not None and abnormal == counts["abnormal"] == len(one.clips) - abnormal
