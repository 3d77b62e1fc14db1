"""One CSV of exactly the runs that are asked for; none that contradicts its path, settings, code or recordings."""

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mimii.common.csv_files import write_csv
from mimii.common.errors import UserError
from mimii.common.records import DamagedError, sha256_of
from mimii.data.recordings import Recordings
from mimii.data.sections import Section
from mimii.detectors.declaration import model_declaration
from mimii.evaluation.columns import check_rows, read_columns
from mimii.evaluation.merge_files import MergeRecord, metrics_csv, record_of
from mimii.features.file import FeaturesMetadata, read_metadata
from mimii.runs.records import MetricsRecord, ScoringRecord
from mimii.runs.run import Run, has_model

LONG_COLUMNS = ("run_path", "score", "domain", "attributes", "metric", "value", "low", "high")
# Files of a run that can be made again, in the order in which they are made.
TRAINING, SCORING, METRICS = "training.json", "scoring.json", "metrics.json"
MADE_BY = {"training_code": TRAINING, "scoring_code": SCORING, "top_k": SCORING}


@dataclass(frozen=True)
class Fault:
    """Why a run's row cannot be merged. file: of the run, or a path of features, which has to be made again."""

    text: str
    file: str


@dataclass(frozen=True)
class Expectation:
    """What the rows of a CSV must hold.

    columns: for each model, columns and their values: fingerprints of its code, settings of scores and metrics.
    listings: for each section that any run is trained on, how its recordings are listed now. features_root: folder of
    the features; those that are there must be of the same recordings as the rows, and made by the present code.
    features_code: its fingerprint, by the extractor.
    """

    columns: Mapping[str, Mapping[str, Any]]
    listings: Mapping[str, str]
    features_root: Path
    features_code: Mapping[str, str] = field(default_factory=dict)


def merge_results(runs: Sequence[Run], runs_root: str | Path, output_csv: str | Path, expectation: Expectation) -> None:
    """Write one CSV with the row of each run, in the given order; beside it the long metrics, and a record of both.

    Raises one UserError that lists every run whose metrics are missing, or contradict its path, its settings, the
    present code or the present recordings: nothing else can enter the CSV than what the configuration names now.
    """
    records: list[MetricsRecord] = []
    lines: list[str] = []
    due: list[str] = []
    refused = 0
    for run in runs:
        record, faults = read_run(run, runs_root, expectation)
        if record is not None:
            records.append(record)
        if faults:
            refused += 1
            lines += [f"  - {Path(runs_root) / run.path}: {fault.text}" for fault in faults]
            due += first_files(faults, run, Path(runs_root))
    if lines:
        raise UserError(
            f"{refused} of {len(runs)} runs do not belong to the present configuration, code and recordings:\n"
            + "\n".join(lines)
            + "\nTo run them again, add this to your snakemake command: --forcerun "
            + " ".join(map(shlex.quote, dict.fromkeys(due)))
        )
    rows = [record.row for record in records]
    check_rows(rows)
    check_together(rows)
    write_csv(output_csv, [column.name for column in read_columns()], rows)
    scores = [{"run_path": record.row["run_path"], **score.plain()} for record in records for score in record.scores]
    write_csv(metrics_csv(output_csv), LONG_COLUMNS, scores)
    MergeRecord(sha256_of(output_csv), sha256_of(metrics_csv(output_csv)), len(rows)).write(record_of(output_csv))


def first_files(faults: Sequence[Fault], run: Run, runs_root: Path) -> list[str]:
    """What has to be made again: of the run, what is made first is enough, since all else follows from it."""
    stages = [TRAINING, SCORING, METRICS]
    if features := [fault.file for fault in faults if fault.file not in stages]:
        return features
    file = min((fault.file for fault in faults), key=stages.index)
    return [str(runs_root / (run.training_path if file == TRAINING else run.path) / file)]


def read_run(run: Run, runs_root: str | Path, expectation: Expectation) -> tuple[MetricsRecord | None, list[Fault]]:
    """A run's metrics, and why they cannot be merged; None where there are none that can be read."""
    path = Path(runs_root) / run.path / METRICS
    if not path.exists():
        return None, [Fault("metrics.json is missing", METRICS)]
    try:
        record = MetricsRecord.read(path)
    except DamagedError as error:
        return None, [Fault(error.what, METRICS)]
    return record, [
        *_path_faults(record.row, run),
        *_settings_faults(record.row, run),
        *_recordings_faults(record.row, run, expectation),
        *_column_faults(record.row, expectation.columns[run.variant.model]),
        *_member_faults(record.row, Path(runs_root)),
    ]


def _member_faults(row: Mapping[str, Any], runs_root: Path) -> Iterable[Fault]:
    """Why an ensemble's row is not the mean of the clip scores that its members have now."""
    for run, sha256 in _read_json(row.get("members")).items():
        try:
            now = ScoringRecord.read(runs_root / run / SCORING).scores_sha256
        except UserError as error:
            yield Fault(f"it cannot be held against its member {run} ({error})", TRAINING)
            continue
        if now != sha256:
            yield Fault(f"its member {run} has other clip scores than it was made of", TRAINING)


def _path_faults(row: Mapping[str, Any], run: Run) -> Iterable[Fault]:
    asked_for = {
        "model": run.variant.model,
        "variant": run.variant.name,
        "seed": run.seed,
        "db_level": run.section.snr,
        "machine_type": run.section.machine,
        "machine_id": run.section.id,
        "training_path": run.training_path,
    }
    for name, value in asked_for.items():
        if row.get(name) != value:
            yield Fault(f"{name} is {row.get(name)!r}, the path says {value!r}", TRAINING)


def _settings_faults(row: Mapping[str, Any], run: Run) -> Iterable[Fault]:
    for name, settings in (("settings", run.settings), ("features", run.features)):
        recorded = _read_json(row.get(name))
        # Through JSON, as the record went: tuples become lists.
        asked_for = json.loads(json.dumps(dict(settings)))
        for key in sorted({*recorded, *asked_for}):
            if recorded.get(key, "nothing") != asked_for.get(key, "nothing"):
                yield Fault(
                    f"it ran with {key} = {recorded.get(key, 'nothing')!r}, "
                    f"the configuration says {asked_for.get(key, 'nothing')!r}",
                    TRAINING,
                )


def _recordings_faults(row: Mapping[str, Any], run: Run, expectation: Expectation) -> Iterable[Fault]:
    recorded = _read_json(row.get("recordings"))
    sections = map(Section.parse, expectation.listings)
    listings = {section.path: expectation.listings[section.path] for section in run.trained_on(sections)}
    if set(recorded) != set(listings):
        differing = ", ".join(sorted(set(recorded) ^ set(listings)))
        yield Fault(f"it was trained on other sections than the present ones (differing: {differing})", TRAINING)
        return
    for section, listing in listings.items():
        own = Recordings.parse(recorded[section])
        if own.listed != listing:
            yield Fault(
                f"it was made of other recordings of {section} than the present ones (where they were only copied: "
                "python -m mimii check_dataset --content)",
                TRAINING,
            )
            continue
        file = expectation.features_root / run.variant.features_name / f"{section}.parquet"
        # Where there is no such file any more, what was made of it stands by itself.
        if has_model(run.variant.name) and file.exists():
            features = _read_metadata(file, file.stat().st_mtime_ns)
            if features.recordings != own:
                yield Fault(f"it was trained on other features than {file} holds now", TRAINING)
            elif features.code != expectation.features_code.get(str(run.features.get("extractor")), features.code):
                yield Fault(f"{file} was made by other code than the present one", str(file))


@cache
def _read_metadata(features: Path, mtime: int) -> FeaturesMetadata:
    return read_metadata(features)


def _column_faults(row: Mapping[str, Any], columns: Mapping[str, Any]) -> Iterable[Fault]:
    for name, value in columns.items():
        if row.get(name) != value:
            text = f"{name} is {row.get(name)!r}, the configuration says {value!r}"
            if name.endswith("_code"):
                text = f"{name.removesuffix('_code')} was done by other code than the present one"
            yield Fault(text, MADE_BY.get(name, METRICS))


def check_together(rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise UserError where rows that are each right do not belong into one CSV.

    A section's recordings must have one content, and networks on a CPU one number of threads, which changes their bits.
    """
    contents: defaultdict[str, dict[str, str]] = defaultdict(dict)
    threads: dict[int, str] = {}
    for row in rows:
        for section, recordings in _read_json(row["recordings"]).items():
            contents[section].setdefault(recordings["content"], row["run_path"])
        network = has_model(row["variant"]) and model_declaration(row["model"]).base == "network"
        if network and row["device"] == "cpu":
            threads.setdefault(row["threads"], row["run_path"])
    faults = [
        f"  - recordings of {section} had another content for {' than for '.join(list(runs.values())[:2])}"
        for section, runs in contents.items()
        if len(runs) > 1
    ]
    if len(threads) > 1:
        named = ", ".join(f"{number} ({run})" for number, run in threads.items())
        faults.append(f"  - networks were trained with different numbers of threads, such as {named}: retrain some")
    if faults:
        raise UserError("these runs do not belong together:\n" + "\n".join(faults))


def _read_json(text: object) -> dict[str, Any]:
    try:
        values = json.loads(str(text))
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
