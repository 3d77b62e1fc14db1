"""From the runs' metrics to results.csv, and from results.csv to averages that a person reads.

pandas is imported where a table is read, not where it is merged.
"""

import csv
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.evaluation.columns import check_rows, read_columns
from mimii.runs.run import EXTERNAL

if TYPE_CHECKING:
    import pandas as pd

# Of a run, in the order in which they are made.
RECORDS = ["training.json", "scoring.json", "metrics.json"]


class ExpectedRun(Protocol):
    """A run that the configuration asks for."""

    @property
    def path(self) -> str:
        """`vae/default/seed=42/6dB/fan/id_00`"""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All of the model's settings."""

    @property
    def features(self) -> Mapping[str, Any]:
        """All of the feature settings."""


def merge_results(
    expected: Sequence[ExpectedRun],
    runs_root: str | Path,
    output_csv: str | Path,
    present: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write one CSV with the row of each expected run, in the given order.

    present: for each model, columns and what they must hold: fingerprints of its code, settings of the metrics.
    Raises one UserError that lists every run whose metrics are missing, or contradict its path, its settings or the
    present code: nothing else can enter the CSV than what the configuration names now.
    """
    rows, faults, again = [], [], []
    for run in expected:
        folder = Path(runs_root) / run.path
        found, row = _read_row(folder / "metrics.json")
        if row is not None:
            found = _contradictions(row, run, present[str(run.path).split("/")[0]])
            rows.append(row)
        if found:
            faults += [f"  - {folder}: {fault}" for fault, _ in found]
            # What is made first is enough: all else of the run follows from it.
            again.append(str(folder / min((file for _, file in found), key=RECORDS.index)))
    if faults:
        raise UserError(
            f"{len(again)} of {len(expected)} runs do not belong to the present configuration and code:\n"
            + "\n".join(faults)
            + "\nTo run them again, add this to your snakemake command: --forcerun "
            + " ".join(map(shlex.quote, again))
        )
    check_rows(rows)
    with written_whole(output_csv) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        # Python writes the shortest digits that read back as the same float, and None as an empty cell.
        writer = csv.DictWriter(file, [column.name for column in read_columns()], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def run_faults(run: ExpectedRun, runs_root: str | Path, present: Mapping[str, Any]) -> list[str]:
    """Why a run's row cannot be merged, `present` as in `merge_results`, of its model; empty where it can."""
    found, row = _read_row(Path(runs_root) / run.path / "metrics.json")
    if row is not None:
        found = _contradictions(row, run, present)
    return [fault for fault, _ in found]


def _read_row(path: Path) -> tuple[list[tuple[str, str]], dict[str, Any] | None]:
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return [("metrics.json is missing", "metrics.json")], None
    except (ValueError, OSError) as error:
        return [(f"metrics.json cannot be read ({error})", "metrics.json")], None
    if not isinstance(row, dict):
        return [("metrics.json holds no row", "metrics.json")], None
    return [], row


def _contradictions(row: Mapping[str, Any], run: ExpectedRun, present: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong, and the file of the run that has to be made again."""
    model, variant, *seed, db_level, machine_type, machine_id = run.path.split("/")
    wanted = {
        "model": model,
        "variant": variant,
        "seed": int(seed[0].removeprefix("seed=")) if seed else None,
        "db_level": db_level,
        "machine_type": machine_type,
        "machine_id": machine_id,
    }
    faults = [
        f"{name} is {row.get(name)!r}, the path says {value!r}"
        for name, value in wanted.items()
        if row.get(name) != value
    ]
    for name, settings in (("settings", run.settings), ("features", run.features)):
        try:
            recorded = json.loads(row.get(name) or "{}")
        except ValueError:
            recorded = {}
        # Through JSON, as the record went: tuples become lists.
        asked = json.loads(json.dumps(dict(settings)))
        differing = sorted(
            key for key in {*recorded, *asked} if recorded.get(key, "nothing") != asked.get(key, "nothing")
        )
        for key in differing:
            faults.append(
                f"it ran with {key} = {recorded.get(key, 'nothing')!r}, "
                f"the configuration says {asked.get(key, 'nothing')!r}"
            )
    found = [(fault, "training.json") for fault in faults]
    for name, value in present.items():
        if row.get(name) != value:
            made_by = {"training_code": "training.json", "scoring_code": "scoring.json", "top_k": "scoring.json"}
            what = f"{name} is {row.get(name)!r}, the configuration says {value!r}"
            if name.endswith("_code"):
                what = f"{name.removesuffix('_code')} was done by other code than the present one"
            found.append((what, made_by.get(name, "metrics.json")))
    return found


def read_results(path: str | Path) -> "pd.DataFrame":
    """results.csv with the types of columns.yaml: text, nullable integers, floats exactly as written."""
    import pandas as pd

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
    if missing:
        raise UserError(f"{path}: lacks the columns {', '.join(missing)}; merge it again with snakemake")
    if any(None in row or None in row.values() for row in rows):
        raise UserError(f"{path}: rows and header differ in length; merge it again with snakemake")
    table = {}
    for column in read_columns():
        dtype, parse = types[column.type]
        try:
            cells = [parse(row[column.name]) if row[column.name] else None for row in rows]
        except ValueError as error:
            raise UserError(f"{path}: column {column.name}: {error}; merge it again with snakemake") from error
        table[column.name] = pd.Series(cells, dtype=dtype)
    return pd.DataFrame(table)


def average(frame: "pd.DataFrame", values: Sequence[str], by: Sequence[str] = ("model", "variant")) -> "pd.DataFrame":
    """Averages of `values` for each `by`, indexed by it: over seeds, then machine IDs, then machine types, then SNRs.

    Levels named in `by` are kept apart. A missing value makes the average missing: a mean over fewer sections would
    not be comparable.
    """
    by = list(by)
    levels = ["db_level", "machine_type", "machine_id", "seed"]
    keys = [*by, *(level for level in levels if level not in by)]
    averages = frame.set_index(keys)[list(values)].astype("float64")
    for last in range(len(keys), len(by), -1):
        averages = averages.groupby(level=keys[: last - 1], sort=False, dropna=False).mean(skipna=False)
    return averages


def run_labels(frame: "pd.DataFrame") -> dict[tuple[str, str], str]:
    """A name for each model and variant: the model's alone where it has one variant."""
    pairs = list(dict.fromkeys(zip(frame["model"], frame["variant"], strict=True)))
    models = [model for model, _ in pairs]
    return {(model, variant): model if models.count(model) == 1 else f"{model} ({variant})" for model, variant in pairs}


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
