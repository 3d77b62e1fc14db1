"""`python -m mimii save NAME`: results kept as they are now, for `compare` and `page`; and results by their names."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mimii.common.errors import UserError
from mimii.common.provenance import REPOSITORY
from mimii.common.suggestions import unknown
from mimii.evaluation.packed import CONFIG, CSV, pack_snapshot, results_files, unpack
from mimii.planning.plan import Plan

NOW = "now"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")


def snapshots() -> Path:
    """The folder that holds them."""
    return REPOSITORY / "snapshots"


def save_snapshot(plan: Plan, name: str) -> Path:
    """Keep the results of a configuration as `snapshots/<name>.zip`, and return that path.

    Raises UserError for a name that is no safe file name or is taken, and where there are no whole results.
    """
    if not NAME.fullmatch(name) or name == NOW or len(name) > 100 or name.lower().endswith((".zip", ".csv")):
        raise UserError(
            f"{name!r} cannot be a snapshot's name: at most 100 of letters, digits, _, - and single dots between them; "
            f"not {NOW!r}, and without .zip"
        )
    file = snapshots() / f"{name}.zip"
    if os.path.lexists(file):
        raise UserError(f"{os.path.relpath(file)} is there already; choose another name, or delete that file")
    csv = REPOSITORY / plan.results_csv
    if not csv.is_file():
        raise UserError(f"{os.path.relpath(csv)}: there are no results yet; start python -m mimii run first")
    pack_snapshot(results_files(csv, REPOSITORY / plan.runs_root, REPOSITORY / plan.results_root / CONFIG), file)
    return file


def snapshot_or_path(name: str) -> Path:
    """The file of the snapshot of that name, else the name as a path."""
    saved = snapshots() / f"{name}.zip"
    return saved if NAME.fullmatch(name) and saved.is_file() else Path(name)


@contextmanager
def results_named(name: str, plan_now: Callable[[], Plan]) -> Iterator[tuple[Path, Path]]:
    """The CSV of results and the folder of their runs, for as long as the context lasts.

    name: `now`, of a snapshot, or a path: a results CSV, a folder of results, a zip of `save` or `share`. plan_now: the
    plan whose results `now` is. Raises UserError where there is no such thing.
    """
    if name == NOW:
        plan = plan_now()
        if not (REPOSITORY / plan.results_csv).is_file():
            raise UserError(
                f"now: there is no {plan.results_csv}; run first, or name the configuration: --configfile FILE"
            )
        yield REPOSITORY / plan.results_csv, REPOSITORY / plan.runs_root
        return
    path = snapshot_or_path(name)
    if not path.exists() and path.suffix != ".csv" and len(path.parts) == 1:
        raise UserError(unknown("snapshot", name, [NOW, *(file.stem for file in snapshots().glob("*.zip"))]))
    if path.suffix == ".zip":
        with TemporaryDirectory() as scratch:
            unpack(path, Path(scratch))
            if not Path(scratch, CSV).is_file():
                raise UserError(f"{path}: holds no {CSV}; give a zip of `save` or `share`")
            yield Path(scratch, CSV), Path(scratch, "runs")
        return
    csv = path / CSV if path.is_dir() else path
    yield csv, csv.parent / "runs"
