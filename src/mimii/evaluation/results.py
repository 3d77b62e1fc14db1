"""results.csv as a table, and averages that a person reads."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mimii.common.errors import UserError
from mimii.common.files import refuse_endless
from mimii.evaluation.columns import check_rows, read_columns
from mimii.evaluation.merge_files import check_csv
from mimii.runs.run import EXTERNAL

if TYPE_CHECKING:
    import pandas as pd

SECTION_COLUMNS = ["db_level", "machine_type", "machine_id"]  # what names the section of a row
# Columns of the settings that a metric or its interval depends on.
MEASURED_WITH = ("bootstrap_samples", "confidence", "max_fpr", "threshold_quantile")


def read_results(path: str | Path) -> "pd.DataFrame":
    """results.csv with the types of columns.yaml: text, nullable integers, floats exactly as written.

    Raises UserError where it is not what the merge wrote, or lacks columns.
    """
    import pandas as pd

    refuse_endless(path)
    # pandas' own reader rounds the last digit of some floats; Python's does not.
    types = {
        "string": ("string", str),
        "json": ("string", str),
        "integer": ("Int64", int),
        "number": ("float64", float),
    }
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column.name for column in read_columns() if column.name not in (reader.fieldnames or [])]
            rows = list(reader)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the CSV of a finished benchmark") from None
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}: no results CSV ({error}); merge it again with snakemake") from None
    recorded = check_csv(path)
    if missing:
        raise UserError(f"{path}: lacks the columns {', '.join(missing)}; merge it again with snakemake")
    if any(None in row or None in row.values() for row in rows):
        raise UserError(f"{path}: rows and header differ in length; merge it again with snakemake")
    if not rows:
        raise UserError(f"{path}: holds no run; give the CSV of a benchmark of which something is finished")
    table: dict[str, list[Any]] = {}
    for column in read_columns():
        _, parse = types[column.type]
        try:
            table[column.name] = [parse(row[column.name]) if row[column.name] else None for row in rows]
        except ValueError as error:
            raise UserError(f"{path}: column {column.name}: {error}; merge it again with snakemake") from error
    if not recorded:
        check_unrecorded(path, [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)])
    return pd.DataFrame(
        {column.name: pd.Series(table[column.name], dtype=types[column.type][0]) for column in read_columns()}
    )


def check_unrecorded(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise UserError where a CSV that no merge vouches for, such as one put together by hand, holds no whole rows, a
    run twice, or runs that were measured in several ways.
    """
    try:
        check_rows(rows)
    except UserError as error:
        raise UserError(f"{path}: {error}\nMerge it again with snakemake") from None
    run, count = Counter(row["run_path"] for row in rows).most_common(1)[0]
    if count > 1:
        raise UserError(f"{path}: holds the run {run} {count} times; leave one row of each run")
    for name in MEASURED_WITH:
        if len(values := dict.fromkeys(row[name] for row in rows)) > 1:
            raise UserError(
                f"{path}: its runs were measured with {name} {' and '.join(map(str, values))}, so they cannot be "
                "compared; merge them with one configuration"
            )


def average(frame: "pd.DataFrame", values: Sequence[str], by: Sequence[str] = ("model", "variant")) -> "pd.DataFrame":
    """Averages of `values` for each `by`, indexed by it: over seeds, then machine IDs, then machine types, then SNRs.

    Levels named in `by` are kept apart. A missing value makes the average missing: a mean over fewer sections would
    not be comparable.
    """
    by = list(by)
    keys = [*by, *(level for level in (*SECTION_COLUMNS, "seed") if level not in by)]
    averages = frame[[*keys, *values]].set_index(keys).astype("float64")
    for last in range(len(keys), len(by), -1):
        averages = averages.groupby(level=keys[: last - 1], sort=False, dropna=False).mean(skipna=False)
    return averages


def run_labels(frame: "pd.DataFrame") -> dict[tuple[str, str], str]:
    """A name for each model and variant: the model's, and in brackets what its variants do not share."""
    pairs = list(dict.fromkeys(zip(frame["model"], frame["variant"], strict=True)))
    labels = {}
    for model in dict.fromkeys(model for model, _ in pairs):
        settings = {variant: variant.split(",") for own, variant in pairs if own == model}
        shared = set.intersection(*map(set, settings.values()))
        for variant, parts in settings.items():
            own_parts = ",".join(part for part in parts if part not in shared)
            labels[model, variant] = f"{model} ({own_parts})" if own_parts else model
    return {pair: labels[pair] for pair in pairs}


def direction_hints(frame: "pd.DataFrame") -> list[str]:
    """A sentence for each method with external scores whose direction looks reversed: below chance on most sections."""
    hints = []
    for name, rows in frame[frame["variant"] == EXTERNAL].groupby("model", sort=False):
        below = int((rows["auc_high"] < 0.5).sum())
        if below > len(rows) / 2:
            hints.append(
                f"{name}: AUC is below chance, interval and all, on {below} of {len(rows)} sections. "
                "Higher scores must mean more anomalous: are these reversed?"
            )
    return hints


# Load for each core above which times are marked: jobs that fill all cores, and what starts them, stay below.
BUSY = 1.5
# A time: the load while it was measured.
LOADS = {
    "training_time_sec": "training_load",
    "training_cpu_sec": "training_load",
    "inference_time_per_clip_ms": "scoring_load",
}


def busy_costs(frame: "pd.DataFrame", by: Iterable[str]) -> set[tuple[str, ...]]:
    """Which times of which rows, such as (label, training_time_sec), were measured on a machine with more work than
    cores, in any run. by: columns that name the row."""
    by, marked = list(by), set()
    for cost, load in LOADS.items():
        busy = frame[frame.reindex(columns=[load])[load].astype(float) > BUSY]
        marked |= {(*key, cost) for key in busy[by].drop_duplicates().itertuples(index=False, name=None)}
    return marked


def load_hints(frame: "pd.DataFrame") -> list[str]:
    """A sentence where some runs were made while their machine had more work than cores; empty where none was."""
    loads = frame.reindex(columns=sorted(set(LOADS.values()))).astype(float).max(axis=1)
    busy = int((loads > BUSY).sum())
    if not busy:
        return []
    return [
        f"Marked times are too long: in {busy} of {len(frame)} runs the machine had more work than cores "
        "(training_load, scoring_load); CPU times suffer less."
    ]
