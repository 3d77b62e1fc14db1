"""Tables and figures are found by their files."""

import pytest

from mimii.common.lookup import names_in
from mimii.evaluation.metrics import metrics_in
from mimii.paper.entries import HERE, figure_entries, table_entries

MODELS, SNRS = ["vae", "pca"], ["6dB", "0dB", "min6dB"]


@pytest.mark.parametrize("kind", ["tables", "figures"])
def test_a_module_and_its_caption_go_together(kind):
    captions = {path.stem for path in (HERE / kind).glob("*.rst")}
    assert captions == set(names_in(f"mimii.paper.{kind}"))


@pytest.mark.parametrize("entries", [table_entries, figure_entries])
def test_every_entry_has_a_name_of_its_own_and_a_caption(entries):
    found = entries(MODELS, SNRS)
    assert len({entry.name for entry in found}) == len(found)
    for entry in found:
        _, _, text = entry.caption.read_text().partition("\n\n")
        assert len(text.split()) > 10
        assert entry.labels
        assert not any("{" in part for part in (entry.name, entry.category, *entry.labels.values()))


def test_there_is_one_of_each_snr_model_and_metric():
    tables = {entry.name for entry in table_entries(MODELS, SNRS)}
    assert {f"auc_machine_types_{snr}" for snr in SNRS} | set(metrics_in("tables")) <= tables
    figures = {entry.name: entry.values for entry in figure_entries(MODELS, SNRS)}
    assert {f"scores/{model}/{snr}" for model in MODELS for snr in SNRS} <= set(figures)
    assert figures["scores/pca/0dB"] == {"snr": "0dB", "model": "pca"}
    assert {f"{name}_over_snr" for name in metrics_in("figures")} <= set(figures)
