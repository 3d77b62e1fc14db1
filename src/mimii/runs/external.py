"""Clip scores of other code: held against the split of this benchmark, then written as a run's scores."""

import csv
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mimii.common.csv_files import row_fault
from mimii.common.errors import UserError
from mimii.common.records import sha256_of
from mimii.features.file import ClipTable, read_table
from mimii.runs.clip_scores import PRIMARY, write_scores
from mimii.runs.records import ScoringRecord, SkippedClip, TrainingRecord
from mimii.runs.run import EXTERNAL, SUBMISSION


def import_scores(
    sources: Sequence[Path],
    features: Path,
    job: Mapping[str, Any],
    *,
    scores_file: Path,
    training_file: Path,
    scoring_file: Path,
) -> None:
    """Write the scores.parquet and the two records of a run from a method's scores of one section.

    sources: CSV or parquet with the columns path and score, higher = more anomalous; together all of them. features:
    the section's features, which say which clips are tested. job: `name` of the method, `section`, and how its
    `recordings` are listed.
    Raises one UserError that lists what is wrong.
    """
    table = read_table(features)
    table.check_recordings(features, job["recordings"])
    rows = table.usable("test")
    given = [row for source in sources for row in read_rows(source)]
    scores = match_scores(given, table, job["section"], " and ".join(map(str, sources)))
    paths = [table.paths[row] for row in rows]
    values = [scores[path] for path in paths]
    about = {
        "path": paths,
        "label": [table.labels[row] for row in rows],
        "split": ["test"] * len(paths),
        "domain": [table.domains[row] for row in rows],
        "attributes": [table.attributes[row] for row in rows],
    }
    # How the method came to one score of a clip is its own affair: there is the primary one and no other.
    write_scores(scores_file, about, {PRIMARY: values})
    recordings = table.metadata.recordings
    TrainingRecord(
        model=job["name"],
        variant=EXTERNAL,
        scope=job["section"],
        settings={},
        features={},
        recordings={job["section"]: recordings},
        skipped_clips=[SkippedClip(*clip) for clip in table.skipped()],
    ).write(training_file)
    ScoringRecord(
        section=job["section"],
        scope=job["section"],
        recordings=recordings,
        test_normal_clips=table.count("test", "normal"),
        test_abnormal_clips=table.count("test", "abnormal"),
        scores_sha256=sha256_of(scores_file),
    ).write(scoring_file)


def read_rows(source: Path) -> list[tuple[str, float]]:
    """(path, score) of each row; DCASE's submission files have a clip's name for its path, and no header.

    Raises UserError where the file is not such a table.
    """
    columns = ["path", "score"]
    try:
        if source.suffix == ".parquet":
            content = pq.read_table(source, columns=columns).to_pydict()
            rows: Sequence[tuple[Any, Any]] = list(zip(content["path"], content["score"], strict=True))
        else:
            with source.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file, columns if source.name.startswith(SUBMISSION) else None)
                if missing := [name for name in columns if name not in (reader.fieldnames or [])]:
                    raise UserError(
                        f"{source}: has no column {' or '.join(missing)}; write path,score as its first line"
                    )
                if twice := [name for name in columns if list(reader.fieldnames or ()).count(name) > 1]:
                    raise UserError(f"{source}: has the column {twice[0]} twice; rename or remove one")
                rows = [(row["path"], row["score"]) for row in whole_rows(reader, source)]
    except (OSError, UnicodeDecodeError, pa.ArrowException, csv.Error) as error:
        raise UserError(f"{source}: cannot be read as a table of path and score ({error})") from error
    return [(str(path), _number(score)) for path, score in rows]


def whole_rows(reader: "csv.DictReader[str]", source: Path) -> Iterator[Mapping[str, str]]:
    """The rows of a table. Raises UserError where one does not fit the header: 0,71 would be read as 0."""
    for row in reader:
        if fault := row_fault(row, ()):
            raise UserError(f"{source}: line {reader.line_num} {fault}, and write decimals with a point")
        yield row


def _number(value: Any) -> float:
    """NaN where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def match_scores(rows: Sequence[tuple[str, float]], table: ClipTable, section: str, source: str) -> dict[str, float]:
    """Scores by the clip's path in the features: exactly the test clips, each once, all finite, or a UserError.

    A path may be relative to the dataset's root or to the section, or lie below another folder; a name that only one
    clip has is enough.
    """
    depth = {path: path.count("/") + 1 for path in table.paths}
    names = Counter(path.rpartition("/")[2] for path in table.paths)
    by_name = {name: path for path in table.paths if names[name := path.rpartition("/")[2]] == 1}
    depths = sorted(set(depth.values()), reverse=True)  # `a/1.wav` is no other clip's `1.wav`

    def known(path: str) -> str:
        parts = path.replace("\\", "/").removeprefix("./").split("/")
        tails = ("/".join(parts[-length:]) for length in depths)
        paths = (tail for tail in (*tails, f"{section}/{'/'.join(parts)}") if tail in depth)
        return next(paths, by_name.get(path, path))

    scores = [(known(path), score) for path, score in rows]
    counts = Counter(path for path, _ in scores)
    tested = {table.paths[row] for row in table.usable("test")}
    skipped = {path for path, error in zip(table.paths, table.errors, strict=True) if error}
    training = set(table.paths) - tested - skipped
    faults = {
        "test clips have no score": [path for path in tested if path not in counts],
        "clips have several scores": [path for path, count in counts.items() if count > 1],
        "scores are of training clips": [path for path in counts if path in training],
        "scores are of clips that this section does not have": [path for path in counts if path not in depth],
        "scores are not finite numbers": [path for path, score in scores if not math.isfinite(score)],
    }
    lines = [f"  - {len(paths)} {what}, such as {min(paths)}" for what, paths in faults.items() if paths]
    if lines:
        raise UserError(
            f"{source}: does not fit the {len(tested)} test clips of section {section}:\n"
            + "\n".join(lines)
            + "\nGive each test clip one score. Where the dataset has no split of its own, a test set is the first "
            "normal clips by name, as many as there are abnormal ones, and all abnormal ones"
        )
    return {path: score for path, score in scores if path in tested}
