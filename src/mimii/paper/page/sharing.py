"""A page of several results, and results packed for others to put on theirs."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mimii.common.errors import UserError
from mimii.common.files import refuse_foreign, written_whole
from mimii.evaluation.results import read_results
from mimii.paper.page.assemble import write_page
from mimii.paper.page.board import make_boards
from mimii.paper.page.readers import CLIPS, CONFIG, Results, read_any

PAGE = "page.html"
MARK = b'<meta name="generator" content="mimii">'


def page_of(paths: Sequence[Path], output: Path) -> None:
    """Write one page of several results, each a folder, its CSV, or a zip of `share`.

    Raises UserError for others, and where `output` is something that is no such page.
    """
    refuse_foreign(output, lambda start: MARK in start)
    with TemporaryDirectory() as scratch:
        results = [read_any(path, Path(scratch) / str(number)) for number, path in enumerate(paths)]
        write_page(make_boards(_named_apart(results)), output)


def _named_apart(results: Sequence[Results]) -> list[Results]:
    names = [one.name for one in results]
    return [
        replace(one, name=f"{one.name} ({number})") if names.count(one.name) > 1 else one
        for number, one in enumerate(results, 1)
    ]


def share(folder: Path, output: Path) -> list[str]:
    """Pack a folder of results: page, results.csv, clip scores of its runs, gathered clips, the configuration.

    Returns under which licences the recordings of the gathered clips are.

    Raises UserError where the folder holds no results, a run's scores are missing, or `output` is something that was
    not packed here.
    """
    refuse_foreign(output, lambda start: start[:4] == b"PK\x03\x04" and start[30:41] == b"results.csv")
    csv = folder / "results.csv"
    if not csv.is_file():
        raise UserError(f"{folder}: holds no results.csv; give a folder of results")
    runs = [f"runs/{path}/scores.parquet" for path in read_results(csv)["run_path"]]
    if missing := [name for name in runs if not (folder / name).is_file()]:
        raise UserError(f"{folder}: {len(missing)} runs have no scores, such as {missing[0]}; run snakemake again")
    clips = [str(path.relative_to(folder)) for path in sorted((folder / CLIPS).rglob("*.json"))]
    there = [name for name in (PAGE, CONFIG) if (folder / name).is_file()]
    with written_whole(output) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ["results.csv", *there, *clips, *runs]:
            archive.write(folder / name, name)
    return sorted({json.loads((folder / name).read_text(encoding="utf-8"))["licence"] for name in clips})
