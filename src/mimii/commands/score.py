"""`python -m mimii score`: recordings scored with a trained model, as lines, as a CSV, and as figures."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mimii.common.csv_files import has_columns, write_csv
from mimii.common.errors import UserError
from mimii.common.files import refuse_foreign
from mimii.common.process import prepare_process
from mimii.data.folders import ENDINGS
from mimii.data.sections import section_name
from mimii.detectors.contract import detector_class
from mimii.features.extractor import DEFAULT, extractor_class
from mimii.runs.exported import folder_of
from mimii.runs.records import ScoringRecord, TrainingRecord
from mimii.runs.trained import TrainedDetector, load_detector

COLUMNS = ["path", "score", "above_threshold"]


@dataclass(frozen=True)
class Scored:
    """One recording. score: None where it cannot be used. above: the threshold; None without score or threshold."""

    path: Path
    score: float | None
    above: bool | None = None


def score_recordings(
    run: Path,
    paths: Sequence[Path],
    *,
    device: str,
    table: Path | None = None,
    figures: Path | None = None,
    checkpoint: Path | None = None,
) -> int:
    """Score files and the recordings in folders; returns 1 where one of them could not be used, else 0.

    Prints a line for each: score, whether it is above the run's threshold, path. table: a CSV to write. figures: a
    folder for a figure of each. checkpoint: folder of the pretrained network, of a run on its embeddings. Raises
    UserError where the run cannot be used, or something there would be replaced.
    """
    refuse_to_replace(table, figures)
    prepare_process()
    with folder_of(run) as folder:
        trained = ScoringRecord.read(folder / "scoring.json").training_folder(folder)
        training = TrainingRecord.read(trained / "training.json")
        # Both import what computes, and with it the libraries that are prepared.
        detector_class(training.model)
        extractor = extractor_class(training.features.get("extractor", DEFAULT))
        prepare_process(threads=training.threads, hide=not extractor.uses_network)
        detector = load_detector(folder, device=device, checkpoint=checkpoint)
    scored = []
    for number, path in enumerate(recordings_in(paths)):
        scored.append(own := score_recording(detector, path))
        if own.score is None:
            continue
        print(f"{own.score}\t{ {None: '', True: 'anomalous', False: 'normal'}[own.above] }\t{path}")
        if figures:
            draw_recording(detector, own, figures / f"{number + 1:04}_{section_name(path.stem)[:100]}.png")
    if table:
        write_scores(scored, table)
    return int(any(own.score is None for own in scored))


def score_recording(detector: TrainedDetector, path: Path) -> Scored:
    """One recording's score; what is wrong with it goes to standard error."""
    try:
        score = detector.score(path)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return Scored(path, None)
    return Scored(path, score, None if detector.threshold is None else score > detector.threshold)


def recordings_in(paths: Sequence[Path]) -> Iterator[Path]:
    """The files as they are named; of folders, the recordings that they hold, sorted. Raises UserError without any."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        files = sorted(file for file in path.rglob("*") if file.name.lower().endswith(ENDINGS))
        if not files:
            raise UserError(f"{path}: holds no recording; known are files that end in {', '.join(ENDINGS)}")
        yield from files


def draw_recording(detector: TrainedDetector, scored: Scored, file: Path) -> None:
    """A figure: log-mel, reconstruction where the model makes one, score over time, threshold, decision."""
    from mimii.paper.clip_figures import recording_figure
    from mimii.paper.drawing import save

    save(recording_figure(detector, scored.path, above=scored.above), file.with_suffix(""), endings=["png"])


def write_scores(scored: Sequence[Scored], file: Path) -> None:
    """A CSV of COLUMNS; what is not known is empty."""
    words = {None: None, True: "true", False: "false"}
    rows = ((own.path, own.score, words[own.above]) for own in scored)
    write_csv(file, COLUMNS, (dict(zip(COLUMNS, row, strict=True)) for row in rows))


def refuse_to_replace(table: Path | None, figures: Path | None) -> None:
    """Raise UserError where a file is there that this command has not written, or a folder that holds something."""
    if table:
        refuse_foreign(table, has_columns(*COLUMNS))
    if figures and os.path.lexists(figures) and (not figures.is_dir() or any(figures.iterdir())):
        raise UserError(f"--figures: {figures} is there already, and not an empty folder; name another one")
