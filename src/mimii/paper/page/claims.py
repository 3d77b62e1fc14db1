"""The first screen in words: what was run, what may be claimed of it, and what may not."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mimii.data.sections import AVERAGE, has_snrs, snr_order, snr_title
from mimii.evaluation.results import SECTION_COLUMNS, direction_hints
from mimii.evaluation.seeds import LEAST_SEEDS
from mimii.features.settings import features_in_words
from mimii.paper.table import best_first, p_text, signed
from mimii.runs.run import EXTERNAL

# Wilcoxon's test cannot reach .05 with fewer.
FEWEST_MACHINES = 6
LISTED = 6


@dataclass(frozen=True)
class Pair:
    """Difference of overall AUC, its p-value after Holm's correction, and whether anything may be claimed of both."""

    difference: float
    p: float
    claimable: bool

    @property
    def verb(self) -> str:
        """How to say that the first is the higher."""
        return "is better than" if self.claimable else "scored higher than"

    def in_words(self, other: str) -> str:
        """The other method, how much lower it is, and p, which is a claim."""
        return f"`{other}` ({signed(self.difference)}{f', {p_text(self.p)}' if self.claimable else ''})"


Pairs = Mapping[tuple[str, str], Pair]


@dataclass(frozen=True)
class Findings:
    """Rows of `select_runs`, and what `inference` makes of them.

    enough_seeds: for each method, whether anything may be claimed of it. config: {} where it is not known.
    """

    frame: pd.DataFrame
    averages: pd.DataFrame
    comparisons: pd.DataFrame
    ranks: Mapping[str, Any]
    confidence: float
    enough_seeds: Mapping[str, bool]
    config: Mapping[str, Any]

    @property
    def level(self) -> float:
        """Significance level of the tests."""
        return round(1 - self.confidence, 12)

    @property
    def order(self) -> list[str]:
        """Labels, the highest overall AUC first."""
        return best_first(self.averages, "auc", AVERAGE)

    @property
    def claimable(self) -> list[str]:
        """Labels of which something may be claimed."""
        return [label for label, enough in self.enough_seeds.items() if enough]

    @property
    def pairs_in_words(self) -> str:
        """What pairs of `claimable` are called."""
        return "pairs" if all(self.enough_seeds.values()) else "pairs with enough seeds"

    def pairs(self) -> Pairs:
        """Every ordered pair of methods."""
        chosen = self.comparisons[(self.comparisons["metric"] == "auc") & (self.comparisons["db_level"] == AVERAGE)]
        pairs = {}
        for row in chosen.to_dict("records"):
            for one, other, sign in ((row["label"], row["other"], 1), (row["other"], row["label"], -1)):
                pairs[one, other] = Pair(sign * row["difference"], row["p_holm"], row["enough_seeds"])
        return pairs

    @property
    def is_made_up(self) -> bool:
        """Whether the recordings are the workflow's own."""
        return bool(self.config.get("dataset", {}).get("source") == "made_up")


def facts(findings: Findings) -> list[list[str]]:
    """What was run: [term, text] each."""
    frame = findings.frame
    sections = frame.drop_duplicates(SECTION_COLUMNS)
    snrs = sorted(sections["db_level"].unique(), key=snr_order)
    machines = sorted(sections["machine_type"].unique())
    counts = sections[["train_files", "normal_test_clips", "abnormal_test_clips"]].fillna(0).sum().astype(int)
    skipped = int(sections["skipped_clips"].sum())
    broken = f"; {skipped} left out as broken" if skipped else ""
    seeds = sorted({int(seed) for seed in frame["seed"].dropna()})
    seconds = float(frame["training_time_sec"].sum() + frame["scoring_time_sec"].sum())
    at = f" at {', '.join(map(snr_title, snrs))}" if has_snrs(snrs) else ""
    lines = [
        ["Dataset", _dataset(findings)],
        ["Sections", f"{len(sections)}: {', '.join(machines)}{at}"],
        [
            "Clips",
            f"{counts['train_files']:,} to train on, {counts['normal_test_clips']:,} normal and "
            f"{counts['abnormal_test_clips']:,} abnormal to test on{broken}",
        ],
        ["Features", _features(frame)],
        ["Seeds", ", ".join(map(str, seeds)) or "not known"],
        ["Clip score", "mean of the window scores"],
        ["Runs", f"{len(frame):,}; training and scoring took {_duration(seconds)} in all"],
        ["Computed on", ", ".join(sorted({str(device) for device in frame["device"].dropna()})) or "not known"],
        ["Versions", _versions(frame)],
    ]
    if studies := findings.config.get("studies"):
        lines.append(["Studies", f"{', '.join(studies)}; their tables are in the results' folder studies"])
    revisions = sorted({str(revision) for revision in frame["git_revision"].dropna()})
    return lines + ([["Revision", ", ".join(revisions)]] if revisions else [])


def _dataset(findings: Findings) -> str:
    dataset = findings.config.get("dataset", {})
    source = str(dataset.get("source", "not known"))
    if source == "dcase":
        return f"DCASE {dataset['dcase']['year']} task 2, {dataset['dcase']['data']} data"
    descriptions = {
        "made_up": "made up by the workflow",
        "zenodo": "MIMII",
        "dcase2020": "DCASE 2020 task 2, development data",
        "folder": "recordings in MIMII's layout",
        "labelled": "own recordings, in folders",
        "table": "own recordings, beside a table",
    }
    return descriptions.get(source, source)


def _features(frame: pd.DataFrame) -> str:
    texts = []
    for text in frame["features"].dropna().unique():
        own = json.loads(text)
        if own:
            texts.append(features_in_words(own))
    return "; ".join(dict.fromkeys(texts)) or "not known"


def _versions(frame: pd.DataFrame) -> str:
    joined: dict[str, set[str]] = {}
    for text in frame["versions"].dropna().unique():
        for name, version in json.loads(text).items():
            joined.setdefault(name, set()).add(version)
    return ", ".join(f"{name} {' and '.join(sorted(own))}" for name, own in sorted(joined.items())) or "not known"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def sentences(findings: Findings) -> list[str]:
    """What the results show of the overall AUC; names of methods between backticks."""
    order, pairs = findings.order, findings.pairs()
    if len(order) < 2:
        return ["One method alone: there is nothing to compare."]
    best, level = order[0], findings.level
    differing = _differing(order, pairs, level)
    lines = _better(best, [other for one, other in differing if one == best], pairs)
    alike = _alike(order, pairs, level)
    if len(alike) == len(order):
        lines.append("No two methods can be told apart: other test clips could change their order.")
    elif len(alike) > 1:
        names = _join([f"`{label}`" for label in alike])
        lines.append(
            f"The first {len(alike)} ({names}) cannot be told apart: other test clips could change their order."
        )
    if not any(one == best for one, _ in differing):
        for one in dict.fromkeys(one for one, _ in differing):
            lines += _better(one, [other for first, other in differing if first == one], pairs)
    if claimable := len(list(itertools.combinations(findings.claimable, 2))):
        count = sum(pairs[pair].claimable for pair in differing)
        how = f"p below {level:g}".replace("0.", ".") + " with Holm's correction, paired by clip"
        lines.append(f"{count} of {claimable} {findings.pairs_in_words} differ in overall AUC ({how}).")
    general, machines = _machines(findings)
    return [*lines, machines] if general else lines


def _better(one: str, others: list[str], pairs: Pairs) -> list[str]:
    """A sentence for each verb: what may be claimed, and what was only seen."""
    lines = []
    for verb in dict.fromkeys(pairs[one, other].verb for other in others):
        others_in_words = [pairs[one, other].in_words(other) for other in others if pairs[one, other].verb == verb]
        lines.append(f"On these clips `{one}` {verb} {_join(others_in_words)}.")
    return lines


def _alike(order: list[str], pairs: Pairs, level: float) -> list[str]:
    """The longest beginning of the ranking in which no pair differs."""
    length = 1
    while length < len(order) and not _differing(order[: length + 1], pairs, level):
        length += 1
    return order[:length]


def _differing(labels: list[str], pairs: Pairs, level: float) -> list[tuple[str, str]]:
    return [
        (one, other) for place, one in enumerate(labels) for other in labels[place + 1 :] if pairs[one, other].p < level
    ]


def _join(parts: list[str]) -> str:
    shown = parts if len(parts) <= LISTED else [*parts[: LISTED - 1], f"{len(parts) - LISTED + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def caveats(findings: Findings) -> list[str]:
    """What these results cannot show, whatever the numbers."""
    lines = []
    if findings.is_made_up:
        lines.append("The recordings are made up: nothing here says which method is good on real machines.")
    few = [f"`{label}`" for label, enough in findings.enough_seeds.items() if not enough]
    if few:
        whose = "any method" if len(few) == len(findings.enough_seeds) else _join(few)
        lines.append(
            f"No difference is claimed for {whose}: another seed gives other scores, and fewer than {LEAST_SEEDS} were "
            "run. With more (seeds in the configuration, or --seeds) all intervals include what seeds change."
        )
    general, machines = _machines(findings)
    lines += [] if general else [machines]
    if (findings.frame["variant"] == EXTERNAL).any():
        lines.append("External scores were taken as they came: how their method was trained is not known here.")
    return [*lines, *direction_hints(findings.frame)]


def _machines(findings: Findings) -> tuple[bool, str]:
    """Whether something can be said of other IDs of these machine types, and what."""
    machines, friedman = findings.ranks["machines"], findings.ranks["friedman"]
    p = None if friedman is None else friedman["f_p_value"]
    test = ""
    if p is not None and all(findings.enough_seeds.values()):  # it is a claim of all methods together
        test = f" (Friedman's test with Iman and Davenport's correction: {p_text(p)})"
    if machines < FEWEST_MACHINES:
        few = "One machine is" if machines == 1 else f"{machines} machines are"
        return False, f"{few} too few to say whether the order holds for other IDs of these machine types{test}."
    pairs = list(itertools.combinations(findings.claimable, 2))
    if not pairs or (p is not None and p >= findings.level):
        return False, f"It is not known whether the order holds for other IDs of these machine types{test}."
    p_values = findings.ranks["p_values"]["wilcoxon_holm"]
    differing = sum(p_values[one][other] < findings.level for one, other in pairs)
    return differing > 0, (
        f"For other IDs of these machine types, {differing} of {len(pairs)} {findings.pairs_in_words} differ by "
        f"Wilcoxon's test over {machines} machines with Holm's correction{test}."
    )
