"""`python -m mimii export`: a finished run as one file, for scoring elsewhere."""

import os
from pathlib import Path

from mimii.common.errors import UserError
from mimii.runs.exported import write_export
from mimii.runs.trained import load_detector


def export_run(run: Path, file: Path) -> str:
    """Write one file with all that scoring needs, or an ONNX file where the name ends in .onnx; returns what it is.

    Raises UserError where the run is not finished or damaged, or `file` is there already.
    """
    if os.path.lexists(file):
        raise UserError(f"{file} is there already; name another file")
    if not run.is_dir():
        raise UserError(f"{run}: no folder; give the folder of a finished run")
    trained = load_detector(run)  # checks every file of the run
    if file.suffix == ".onnx":
        from mimii.runs.onnx_file import write_onnx

        deviation = write_onnx(trained, file)
        return f"{file}: ONNX; its scores of random windows differ from the run's by at most {deviation:.1g} of them"
    write_export(run, file)
    return f"{file}: {trained.model} of {trained.section}, for mimii.load_detector and python -m mimii score"
