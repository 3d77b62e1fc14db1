"""One board of the page: methods that were tested on the same clips, with all that is compared between them."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mimii.data.sections import has_snrs, snr_title
from mimii.evaluation.columns import read_columns
from mimii.evaluation.compared import Statistics, compute_statistics
from mimii.evaluation.resampling import COMPARED, read_run, select_runs
from mimii.evaluation.results import MEASURED_WITH, SECTION_COLUMNS, average, busy_costs
from mimii.evaluation.seeds import NO_CLAIM, has_enough_seeds
from mimii.evaluation.summary import RESIDUAL
from mimii.paper.page.claims import Findings, caveats, facts, sentences
from mimii.paper.page.errors import error_analysis
from mimii.paper.page.readers import ROOT, Results, ScoredSection, read_sections, records
from mimii.paper.page.references import references_for
from mimii.paper.page.scores import number, packed, run_details
from mimii.paper.table import COSTS, model_title

# In the CSV alone: texts too long to read in a table.
NOT_SHOWN = {"features", "settings", "versions", "skipped_paths", "model_sha256"}

Pairs = Sequence[Sequence[str]]


def make_boards(results: Sequence[Results]) -> list[dict[str, Any]]:
    """A board for all results that were tested on the same clips: of all variants that were run on every section."""
    groups: dict[str, list[tuple[Results, Pairs]]] = {}
    for one in results:
        pairs = complete_variants(one.frame)
        groups.setdefault(_clips_key(select_runs(one.frame, pairs)), []).append((one, pairs))
    return [make_board(group) for group in groups.values()]


def complete_variants(frame: pd.DataFrame) -> list[list[str]]:
    """(model, variant) pairs of the rows that were run on every section that there is."""
    sections = {tuple(row) for row in frame[SECTION_COLUMNS].itertuples(index=False)}
    pairs = []
    for (model, variant), rows in frame.groupby(["model", "variant"], sort=False):
        if {tuple(row) for row in rows[SECTION_COLUMNS].itertuples(index=False)} == sections:
            pairs.append([str(model), str(variant)])
    return pairs


def _clips_key(frame: pd.DataFrame) -> str:
    """A digest of which test clips the results are of, and of how they were measured."""
    digest = hashlib.sha256(repr([frame[name].iloc[0] for name in MEASURED_WITH]).encode())
    for row in records(frame.drop_duplicates(SECTION_COLUMNS).sort_values(SECTION_COLUMNS)):
        digest.update(repr([*(row[name] for name in SECTION_COLUMNS), *read_run(row, ROOT).paths]).encode())
    return digest.hexdigest()


def make_board(group: Sequence[tuple[Results, Pairs]], statistics: Statistics | None = None) -> dict[str, Any]:
    """Everything that the page shows of results on the same clips, as JSON can hold it.

    group: results, each with the (model, variant) pairs to compare. statistics: of them, where they are known;
    computed here otherwise.
    """
    frame = _joined(group)
    known = statistics or compute_statistics(frame, ROOT)
    averages = known.averages[known.averages["metric"].isin(COMPARED)]
    confidence = float(frame["confidence"].iloc[0])
    sections = read_sections(frame)
    config = group[0][0].config
    labels = list(frame["label"].unique())
    enough_seeds = has_enough_seeds(frame)
    findings = Findings(frame, averages, known.comparisons, known.ranks["auc"], confidence, enough_seeds, config)
    return {
        "name": ", ".join(one.name for one, _ in group) or "results",
        "confidence": confidence,
        "metrics": {name: metric.title for name, metric in COMPARED.items()},
        "costs": {name: [cell.text, cell.below] for name, (cell, _) in COSTS.items()},
        "facts": facts(findings),
        "claims": sentences(findings),
        "caveats": caveats(findings),
        "sections": [section_entry(section) for section in sections],
        "hasSnrs": has_snrs(frame["db_level"].unique()),
        "methods": [
            {**method_entry(frame, averages, sections, label), "enoughSeeds": enough_seeds[label]} for label in labels
        ],
        "references": references_for(sections, config),
        "noClaim": NO_CLAIM,
        "pairs": list(overall_pairs(known.comparisons, labels)),
        "sectionPairs": section_pairs(known.section_comparisons, sections, labels),
        "runs": runs_table(frame),
        "residual": RESIDUAL if frame["auc_residual"].notna().any() else None,
        "details": run_details(sections, labels),
        "errors": error_analysis(sections, labels),
        "listening": list(_listening(group, frame, sections, labels)),
    }


def _joined(group: Sequence[tuple[Results, Pairs]]) -> pd.DataFrame:
    """The compared rows of all results, with a label that tells them apart."""
    parts = []
    for results, pairs in group:
        rows = select_runs(results.frame, pairs)
        rows["results"] = results.name
        if len(group) > 1:
            rows["label"] = [f"{label}, {results.name}" for label in rows["label"]]
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _listening(
    group: Sequence[tuple[Results, Pairs]],
    frame: pd.DataFrame,
    sections: Sequence[ScoredSection],
    labels: Sequence[str],
) -> Iterator[dict[str, Any]]:
    """The gathered clips of the methods and sections of the board, with their places on it."""
    methods = frame[["results", "model", "variant", "label"]].drop_duplicates()
    by_key = {tuple(row[:3]): row[3] for row in methods.itertuples(index=False, name=None)}
    paths = [one.section.path for one in sections]
    for results, _ in group:
        for one in results.listening:
            label = by_key.get((results.name, one["model"], one["variant"]))
            if label is not None and one["section"] in paths:
                yield {**one, "method": labels.index(label), "section": paths.index(one["section"])}


def section_entry(scored: ScoredSection) -> dict[str, Any]:
    """A section and its test clips."""
    section = scored.section
    return {
        "path": section.path,
        "snr": section.snr,
        "snrTitle": snr_title(section.snr),
        "machine": section.machine,
        "id": section.id,
        "clips": scored.clips,
        "abnormal": scored.abnormal.astype(int).tolist(),
        "domains": scored.domains.tolist() if scored.domains.any() else None,
        "attributes": scored.attributes.tolist() if scored.attributes.any() else None,
    }


def method_entry(
    frame: pd.DataFrame, averages: pd.DataFrame, sections: Sequence[ScoredSection], label: str
) -> dict[str, Any]:
    """A method: what it is, its averages, costs, and each section's AUC and clip scores (seeds averaged)."""
    rows = frame[frame["label"] == label]
    costs, busy = average(rows, list(COSTS), ["label"]).iloc[0], busy_costs(rows, ["label"])
    of_sections = rows.groupby(SECTION_COLUMNS)[["auc", "auc_low", "auc_high"]].mean()
    intervals = {key: tuple(values) for key, values in zip(of_sections.index, of_sections.to_numpy(), strict=True)}
    model = str(rows["model"].iloc[0])
    return {
        "label": label,
        "title": model_title(model) + label.removeprefix(model),
        "model": model,
        "variant": str(rows["variant"].iloc[0]),
        "settings": json.loads(rows["settings"].iloc[0]),
        "seeds": [None if pd.isna(seed) else int(seed) for seed in rows["seed"].unique()],
        "costs": {name: number(value, 9) for name, value in costs.items()},
        "busyCosts": sorted(cost for _, cost in busy),
        "averages": [
            [
                *(row[name] for name in ("metric", "db_level", "machine_type")),
                *(number(row[name]) for name in ("mean", "low", "high", "seed_deviation", "machine_deviation")),
                int(row["is_best"]) + int(row["is_significantly_best"]),
            ]
            for row in averages[averages["label"] == label].to_dict("records")
        ],
        "sections": [[number(value) for value in intervals[_key(section)]] for section in sections],
        "scores": [packed(section.mean_scores(label)) for section in sections],
    }


def _key(scored: ScoredSection) -> tuple[str, str, str]:
    return scored.section.snr, scored.section.machine, scored.section.id


def overall_pairs(comparisons: pd.DataFrame, labels: Sequence[str]) -> Iterator[list[Any]]:
    """[one, other, SNR, difference of AUC, low, high, p, p after Holm's correction]; methods by their place."""
    for row in comparisons[comparisons["metric"] == "auc"].to_dict("records"):
        values = (number(row[name]) for name in ("difference", "low", "high", "p_value", "p_holm"))
        yield [labels.index(row["label"]), labels.index(row["other"]), row["db_level"], *values]


def section_pairs(
    comparisons: pd.DataFrame, sections: Sequence[ScoredSection], labels: Sequence[str]
) -> list[list[Any]]:
    """[one, other, difference of AUC, low, high, p after Holm's correction over the sections: one value a section]."""
    order = {_key(section): place for place, section in enumerate(sections)}
    entries = []
    for (one, other), rows in comparisons.groupby(["label", "other"], sort=False):
        places = [order[key] for key in rows[SECTION_COLUMNS].itertuples(index=False, name=None)]
        own = rows.iloc[np.argsort(places)]
        columns = (own[name] for name in ("difference", "low", "high", "p_holm"))
        entries.append(
            [labels.index(one), labels.index(other), *([number(value, 3) for value in column] for column in columns)]
        )
    return entries


def runs_table(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The columns of results.csv, each with its values or, where they are all the same, its one value."""
    columns = []
    for column in read_columns():
        if column.name in NOT_SHOWN:
            continue
        values: list[Any] = [None if pd.isna(value) else value for value in frame[column.name]]
        if column.name == "run_path":
            values = [shown_path(row) for row in records(frame)]
        elif column.type == "number":
            values = [number(value) for value in values]
        elif column.type == "integer":
            values = [None if value is None else int(value) for value in values]
        columns.append(_run_column(column.name, column.type, column.unit, column.meaning, values))
        if column.name == "auc_residual" and any(value is not None for value in values):
            columns.append(_reference_column(frame))
    labels = list(frame["label"])
    return [
        {"name": "label", "type": "string", "unit": None, "meaning": "Model and variant", "values": labels},
        *columns,
    ]


def _run_column(name: str, type: str, unit: str | None, meaning: str, values: Sequence[Any]) -> dict[str, Any]:
    entry = {"name": name, "type": type, "unit": unit, "meaning": meaning}
    same = all(value == values[0] for value in values)
    return {**entry, "value": values[0]} if same else {**entry, "values": values}


def _reference_column(frame: pd.DataFrame) -> dict[str, Any]:
    """Beside each residual AUC that of mahalanobis on the same section; None where it was not run."""
    keys = ["results", *SECTION_COLUMNS]
    auc = frame[frame["model"] == "mahalanobis"].groupby(keys)["auc"].mean().to_dict()
    values = [
        None if pd.isna(row["auc_residual"]) else number(auc.get(tuple(row[key] for key in keys), math.nan))
        for row in records(frame)
    ]
    meaning = "auc of mahalanobis, which has no network, on the same section: the reference of auc_residual"
    return _run_column("auc_mahalanobis", "number", None, meaning, values)


def shown_path(row: Mapping[str, Any]) -> str:
    """A run's path below the folder of runs: where that lies on this machine is nobody's business."""
    seed = [] if pd.isna(row["seed"]) else [f"seed={row['seed']}"]
    return "/".join([row["model"], row["variant"], *seed, *(row[name] for name in SECTION_COLUMNS)])
