"""A page of several results, and results packed for others to put on theirs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mimii.common.errors import UserError
from mimii.common.files import refuse_foreign
from mimii.evaluation.packed import CLIPS, CONFIG, CSV, pack, results_files, runs_beside
from mimii.paper.page.assemble import SOUND, sound_folder, write_page
from mimii.paper.page.board import make_boards
from mimii.paper.page.readers import Results, read_any

PAGE = "page.html"
MARK = b'<meta name="generator" content="mimii">'


def page_of(paths: Sequence[Path], output: Path) -> None:
    """Write one page of several results, each a folder, its CSV, or a zip of `save` or `share`.

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
    refuse_foreign(output, lambda start: start[:4] == b"PK\x03\x04" and start[30:41] == CSV.encode())
    csv = folder / CSV
    if not csv.is_file():
        raise UserError(f"{folder}: holds no {CSV}; give a folder of results")
    clips = {str(path.relative_to(folder)): path for path in sorted((folder / CLIPS).rglob("*.json"))}
    page = {PAGE: folder / PAGE} if (folder / PAGE).is_file() else {}
    sound = [path for path in sound_folder(folder / PAGE).glob("*.mp3") if SOUND.fullmatch(path.name)] if page else []
    page |= {str(path.relative_to(folder)): path for path in sorted(sound)}
    pack({**results_files(csv, runs_beside(csv), folder / CONFIG), **page, **clips}, output)
    return sorted({json.loads(path.read_text(encoding="utf-8"))["licence"] for path in clips.values()})
