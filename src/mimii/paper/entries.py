"""What the report shows: every table and figure of a configuration, by name. Light: planning reads it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

TABLES = {
    "overview": "Overview with costs",
    "auc": "AUC per SNR",
    "pr_auc": "PR-AUC per SNR",
    "pauc": "pAUC per SNR",
    "ranks": "Ranks over machines, Friedman's test",
    "differences": "Paired differences of AUC",
}


@dataclass(frozen=True)
class Entry:
    """name: of the file without its ending. caption: an rst in workflow/report. labels: what the report filters by."""

    name: str
    category: str
    caption: str
    labels: Mapping[str, str] = field(default_factory=dict)


def table_entries(snrs: Sequence[str]) -> Iterator[Entry]:
    """Every table of `tables.make_tables`."""
    for name, title in TABLES.items():
        caption = name if name in ("ranks", "differences") else "tables"
        yield Entry(name, "Tables", caption, {"Table": title, "SNR": "all"})
    for snr in snrs:
        yield Entry(f"machine_types_{snr}", "Tables", "tables", {"Table": "AUC per machine type", "SNR": snr})


def figure_entries(models: Sequence[str], snrs: Sequence[str]) -> Iterator[Entry]:
    """Every figure of `figures.all_figures`."""
    comparison = "Comparison"
    yield Entry("auc_heatmap", comparison, "auc_heatmap", {"Figure": "AUC of each section", "SNR": "all"})
    for metric, title in (("auc", "AUC"), ("pr_auc", "PR-AUC"), ("pauc", "pAUC")):
        yield Entry(f"{metric}_over_snr", comparison, "metric_over_snr", {"Figure": f"{title} over SNR", "SNR": "all"})
    yield Entry("auc_against_cost", comparison, "auc_against_cost", {"Figure": "AUC against cost", "SNR": "all"})
    yield Entry("training_curves", comparison, "training_curves", {"Figure": "Training curves", "SNR": "all"})
    for test, title in (("nemenyi", "Nemenyi"), ("wilcoxon_holm", "Wilcoxon-Holm")):
        labels = {"Figure": f"Critical difference ({title})", "SNR": "all"}
        yield Entry(f"critical_difference/{test}", comparison, "critical_difference", labels)
    for snr in snrs:
        yield Entry(f"roc/{snr}", comparison, "roc", {"Figure": "ROC curves", "SNR": snr})
    for model in models:
        for snr in snrs:
            yield Entry(f"scores/{model}/{snr}", "Scores of clips", "scores", {"Model": model, "SNR": snr})


RESULTS = Entry("results", "Tables", "results", {"Table": "Every run (CSV)", "SNR": "all"})

BASELINE = Entry(
    "official_baseline", "Tables", "official_baseline", {"Table": "Official baseline: check", "SNR": "all"}
)

# Figures of clips: one of each chosen model and section, so labelled by the rule that draws them.
CLIPS = Entry("clips", "Clips", "clips")
