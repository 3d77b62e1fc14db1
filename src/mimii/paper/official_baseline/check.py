"""Whether a run of the preset reproduces the reference."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd
from scipy import stats

from mimii.data import published
from mimii.data.sections import Section
from mimii.evaluation.results import SECTION_COLUMNS
from mimii.paper.official_baseline.reference import reference, reference_auc

PASS, FAIL, NOT_COMPARABLE = "pass", "fail", "not comparable"


@dataclass(frozen=True)
class Check:
    """verdict: pass, fail or not comparable. reasons: in words. auc: of each section, a mean over `seeds`."""

    verdict: str
    reasons: list[str]
    auc: dict[Section, float]
    seeds: int


@dataclass(frozen=True)
class Criterion:
    """What a right pipeline's differences of AUC, its mean over seeds minus the reference, stay within.

    close: a section's difference. close_sections: so many are that close. mean_absolute, overall: of all sections.
    """

    close: float
    close_sections: int
    mean_absolute: float
    overall: float


@cache
def criterion(seeds: int) -> Criterion:
    """The limits for a mean of so many seeds, from the deviation that one seed of the reference has, too."""
    limits, sections = reference()["criterion"], len(reference_auc())
    deviation = limits["seed_deviation"] * math.sqrt(1 + 1 / seeds)
    wide = limits["deviations"]
    close = 2.5 * deviation
    far = stats.binom.ppf(stats.norm.cdf(wide), sections, 2 * stats.norm.sf(2.5))
    return Criterion(
        close=close,
        close_sections=sections - int(far),
        mean_absolute=deviation * (math.sqrt(2 / math.pi) + wide * math.sqrt((1 - 2 / math.pi) / sections)),
        overall=wide * deviation / math.sqrt(sections),
    )


def check(frame: pd.DataFrame) -> Check:
    """Hold the rows of the study against the reference run.

    Passes where the mean absolute difference, the number of sections that are close, and the difference of the overall
    means all are within the criterion. Nothing is compared where sections, clips or settings are others.
    """
    means = frame.groupby(SECTION_COLUMNS, sort=False)["auc"].mean()
    auc = {Section(*row[:3]): float(row[3]) for row in means.reset_index().itertuples(index=False)}
    seeds = int(frame.groupby(SECTION_COLUMNS)["seed"].nunique().min())
    if reasons := incomparable(frame, auc, seeds):
        return Check(NOT_COMPARABLE, reasons, auc, seeds)
    of_reference = reference_auc()
    tests = compare([auc[section] - value for section, value in of_reference.items()], seeds)
    passed = all(good for good, _ in tests)
    reasons = [f"{'ok' if good else 'NOT MET'}: {what}" for good, what in tests]
    return Check(PASS if passed else FAIL, reasons, auc, seeds)


def compare(differences: Sequence[float], seeds: int) -> list[tuple[bool, str]]:
    """For each part of the criterion, whether differences of a mean over `seeds` meet it, and what they are."""
    limits, sections = criterion(seeds), len(differences)
    absolute = sum(map(abs, differences)) / sections
    close = sum(abs(difference) <= limits.close for difference in differences)
    overall = sum(differences) / sections
    return [
        (
            absolute <= limits.mean_absolute,
            f"mean absolute difference {absolute:.3f}, at most {limits.mean_absolute:.3f} is allowed",
        ),
        (
            close >= limits.close_sections,
            f"{close} of {sections} sections within {limits.close:.3f}, at least {limits.close_sections} are needed",
        ),
        (
            abs(overall) <= limits.overall,
            f"overall mean differs by {overall:+.3f}, at most {limits.overall:.3f} is allowed",
        ),
    ]


def incomparable(frame: pd.DataFrame, auc: Mapping[Section, float], seeds: int) -> list[str]:
    """Why the rows are not of the official baseline on MIMII; empty where they are."""
    reasons = []
    if seeds < (least := reference()["criterion"]["least_seeds"]):
        reasons.append(f"there are sections with {seeds} seed(s), and a mean of {least} is compared: add `seeds`")
    if missing := sorted(set(reference_auc()) - set(auc)):
        reasons.append(f"{len(missing)} of MIMII's sections are missing, such as {missing[0]}")
    if extra := sorted(set(auc) - set(reference_auc())):
        reasons.append(f"{len(extra)} sections are not MIMII's, such as {extra[0]}")
    for row in frame.to_dict("records"):
        section = Section(row["db_level"], row["machine_type"], row["machine_id"])
        there = {
            "normal": row["train_files"] + row["validation_files"] + row["normal_test_clips"],
            "abnormal": row["abnormal_test_clips"],
        }
        counts = published.clip_counts(section)
        if counts is not None and there != counts:
            reasons.append(f"{section} has other clips than MIMII: {there}, not {counts}")
        settings = {"model": row["model"]}
        of_reference = {"model": reference()["model"]}
        for part in ("settings", "features"):
            settings |= json.loads(row[part])
            of_reference |= reference()[part]
        reasons += [
            f"{name} is {settings.get(name)!r}, not {value!r}"
            for name, value in of_reference.items()
            if settings.get(name) != value
        ]
    return list(dict.fromkeys(reasons))
