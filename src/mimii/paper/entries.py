"""What the paper shows: its tables and figures, found by their files. Light: planning reads it.

A table or figure is two files in `tables` or `figures`: `<name>.py` makes or draws it, `<name>.rst` is its caption in
the report, below a head of comments that says what it is called and how the report labels it:

    .. name: {metric.name}_over_snr
    .. category: Comparison
    .. Figure: {metric.title} over SNR
    .. SNR: all

Braces stand for what there is one of each: `snr`, `model`, `metric` (one shown in tables, or in figures), `test` (a
post-hoc test), `domains` (an SNR whose clips have domains, or what stands in its place, such as dcase2024), `scored`
(the same and dcase2020: what has an official score). `make` or `draw` gets those by name.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any, Literal

from mimii.common.lookup import names_in
from mimii.common.provenance import REPOSITORY
from mimii.data.sections import scored_year
from mimii.evaluation.metrics import metrics_in

HERE = Path(__file__).parent
HEAD = re.compile(r"\.\. (?P<key>[^:]+): (?P<value>.+)")
Kind = Literal["tables", "figures"]


@dataclass(frozen=True)
class PostHoc:
    """A post-hoc test: its name in ranks.json, and its title."""

    name: str
    title: str


POST_HOC = (PostHoc("nemenyi", "Nemenyi"), PostHoc("wilcoxon_holm", "Wilcoxon-Holm"))


@dataclass(frozen=True)
class Entry:
    """name: of the file without its ending. caption: an rst. labels: what the report filters by.

    module: of the package of its kind, which makes it of `values`.
    """

    name: str
    category: str
    caption: Path
    labels: Mapping[str, str] = field(default_factory=dict)
    module: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def modules(kind: Kind) -> list[str]:
    """The modules that make tables or draw figures, with their packages."""
    return [f"mimii.paper.{kind}.{name}" for name in names_in(f"mimii.paper.{kind}")]


def table_entries(models: Sequence[str], snrs: Sequence[str], domains: Sequence[str] = ()) -> list[Entry]:
    """Every table of results of these models at these SNRs. domains: SNRs whose clips have any, beside DCASE's."""
    return list(_entries("tables", models, snrs, domains))


def figure_entries(models: Sequence[str], snrs: Sequence[str], domains: Sequence[str] = ()) -> list[Entry]:
    """Every figure of results of these models at these SNRs. domains: as in `table_entries`."""
    return list(_entries("figures", models, snrs, domains))


def _entries(kind: Kind, models: Sequence[str], snrs: Sequence[str], domains: Sequence[str]) -> Iterator[Entry]:
    each: dict[str, Sequence[Any]] = {
        "snr": snrs,
        "model": models,
        "metric": list(metrics_in(kind).values()),
        "test": POST_HOC,
        "scored": [snr for snr in snrs if scored_year(snr, domains=snr in domains)],
        "domains": [snr for snr in snrs if (scored_year(snr, domains=snr in domains) or 0) > 2020],
    }
    for module in names_in(f"mimii.paper.{kind}"):
        caption = HERE / kind / f"{module}.rst"
        head = _head(caption)
        name, category = head.pop("name"), head.pop("category")
        used = {part.split(".")[0] for _, part, _, _ in Formatter().parse(name) if part}
        varied = [key for key in each if key in used]
        for chosen in itertools.product(*(each[key] for key in varied)):
            values = dict(zip(varied, chosen, strict=True))
            labels = {key: text.format(**values) for key, text in head.items()}
            yield Entry(name.format(**values), category, caption, labels, module, values)


def caption_text(entry: Entry) -> str:
    """The caption in the report, in one line."""
    return " ".join(line for line in entry.caption.read_text(encoding="utf-8").splitlines() if not HEAD.fullmatch(line))


def _head(path: Path) -> dict[str, str]:
    """The comments that a caption starts with."""
    lines = itertools.takewhile(bool, path.read_text(encoding="utf-8").splitlines())
    return {match["key"]: match["value"] for line in lines if (match := HEAD.fullmatch(line))}


REPORT = REPOSITORY / "workflow" / "report"

RESULTS = Entry("results", "Tables", REPORT / "results.rst", {"Table": "Every run (CSV)", "SNR": "all"})

BASELINE = Entry(
    "official_baseline",
    "Tables",
    REPORT / "official_baseline.rst",
    {"Table": "Official baseline: check", "SNR": "all"},
)

# Figures of clips: one of each chosen model and section, so labelled by the rule that draws them.
CLIPS = Entry("clips", "Clips", REPORT / "clips.rst")
