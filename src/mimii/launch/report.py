"""The HTML report: Snakemake's own, of everything that the configuration asks for."""

import os
import subprocess
from pathlib import Path

from mimii.common.errors import UserError
from mimii.common.provenance import REPOSITORY
from mimii.launch.process import snakemake
from mimii.launch.request import Request
from mimii.planning.plan import Plan


def make_report(request: Request, plan: Plan) -> Path:
    """Write `report.html` into the results' folder, and return its path. All that it shows must have been made.

    Raises UserError with Snakemake's message where it could not be made.
    """
    target = REPOSITORY / plan.results_root / "report.html"
    # Snakemake goes by the ending, so this cannot be the usual temporary name.
    temporary = target.with_name(f".report.{os.getpid()}.html")
    done = subprocess.run(
        [*snakemake(), *request.arguments(), "--report", str(temporary)],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    try:
        if done.returncode:
            raise UserError(f"the report could not be made: {done.stderr.strip()[-2000:]}")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
