"""Whether a run of the preset reproduces the reference."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from mimii.data import published
from mimii.data.sections import Section
from mimii.paper.official_baseline.reference import reference, reference_auc

PASS, FAIL, NOT_COMPARABLE = "pass", "fail", "not comparable"


@dataclass(frozen=True)
class Check:
    """verdict: pass, fail or not comparable. reasons: in words. found: AUC of each section, seeds averaged."""

    verdict: str
    reasons: list[str]
    found: dict[Section, float]


def check(frame: pd.DataFrame) -> Check:
    """Hold the rows of the study against the reference run.

    Passes where the mean absolute difference, the number of sections that are close, and the difference of the overall
    means all are within the criterion. Nothing is compared where sections, clips or settings are others.
    """
    means = frame.groupby(["db_level", "machine_type", "machine_id"], sort=False)["auc"].mean()
    found = {Section(*row[:3]): float(row[3]) for row in means.reset_index().itertuples(index=False)}
    if reasons := incomparable(frame, found):
        return Check(NOT_COMPARABLE, reasons, found)
    wanted, criterion = reference_auc(), reference()["criterion"]
    differences = [found[section] - wanted[section] for section in wanted]
    absolute = sum(map(abs, differences)) / len(differences)
    close = sum(abs(difference) <= criterion["close"] for difference in differences)
    overall = sum(differences) / len(differences)
    tests = [
        (
            absolute <= criterion["mean_absolute_difference"],
            f"mean absolute difference {absolute:.3f}, at most {criterion['mean_absolute_difference']} is allowed",
        ),
        (
            close >= criterion["close_sections"],
            f"{close} of {len(wanted)} sections within {criterion['close']}, at least {criterion['close_sections']} "
            "are needed",
        ),
        (
            abs(overall) <= criterion["overall_difference"],
            f"overall mean differs by {overall:+.3f}, at most {criterion['overall_difference']} is allowed",
        ),
    ]
    passed = all(good for good, _ in tests)
    return Check(PASS if passed else FAIL, [f"{'ok' if good else 'NOT MET'}: {what}" for good, what in tests], found)


def incomparable(frame: pd.DataFrame, found: Mapping[Section, float]) -> list[str]:
    """Why the rows are not of the official baseline on MIMII; empty where they are."""
    reasons = []
    if missing := sorted(set(reference_auc()) - set(found)):
        reasons.append(f"{len(missing)} of MIMII's sections are missing, such as {missing[0]}")
    if extra := sorted(set(found) - set(reference_auc())):
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
        given = {"model": row["model"]}
        wanted = {"model": reference()["model"]}
        for part in ("settings", "features"):
            given |= json.loads(row[part])
            wanted |= reference()[part]
        reasons += [
            f"{name} is {given.get(name)!r}, not {value!r}"
            for name, value in wanted.items()
            if given.get(name) != value
        ]
    return list(dict.fromkeys(reasons))
