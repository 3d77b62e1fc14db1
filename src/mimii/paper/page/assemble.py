"""From boards to one HTML file that needs no other."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mimii.common.errors import UserError
from mimii.common.files import written_whole

HERE = Path(__file__).parent
VENDOR = HERE / "vendor"
STYLES = (VENDOR / "uPlot.min.css", VENDOR / "tabulator_simple.min.css", HERE / "page.css")
SCRIPTS = (VENDOR / "uPlot.iife.min.js", VENDOR / "tabulator.min.js", HERE / "page.js")
SOURCE_MAP = re.compile(r"(//# sourceMappingURL=\S+|/\*# sourceMappingURL=\S+ \*/)\s*$")
# Of all gathered clips together, in characters: the page is to be passed on by mail. Sound beyond the first limit lies
# in a folder beside the page; pictures beyond the second are left out.
MOST_SOUND = 7_000_000
MOST_LISTENING = 11_000_000
SOUND = re.compile(r"[0-9a-f]{32}\.mp3")
# Nothing is fetched and nothing runs but these scripts. Tabulator sets style attributes, so those are allowed.
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; media-src {media}; "
    "base-uri 'none'; form-action 'none'"
)


def write_page(boards: Sequence[dict[str, Any]], output: Path, *, title: str = "Anomalous sound detection") -> None:
    """Write the page of these boards; sound that would make it too large into the folder `sound_folder(output)`."""
    if not boards:
        raise UserError("no results: nothing to show")
    fitting, beside = within_size(boards, sound_folder(output).name)
    page = assemble(fitting, title, datetime.now().astimezone(), sound_beside=bool(beside))
    _write_sound(beside, sound_folder(output))
    with written_whole(output) as temporary:
        temporary.write_text(page, encoding="utf-8")


def sound_folder(page: Path) -> Path:
    """Where the sound lies that a page does not hold itself."""
    return page.with_name(f"{page.stem}_sound")


def within_size(boards: Sequence[dict[str, Any]], folder: str) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Boards with the gathered clips that fit, and the sound that has to lie beside the page, by its file's name.

    A clip's `audio` becomes `sound`, its path, where it is not embedded. `unheard` lists [method, section] of what is
    left out altogether.
    """
    used = 0
    beside: dict[str, bytes] = {}
    fitting = []
    for board in boards:
        listening, unheard = [], []
        for record in board["listening"]:
            own = record
            if used + len(json.dumps(own)) > MOST_SOUND:
                own, sounds = _with_sound_beside(record, folder)
            else:
                sounds = {}
            if used + len(json.dumps(own)) > MOST_LISTENING:
                unheard.append([record["method"], record["section"]])
                continue
            used += len(json.dumps(own))
            beside |= sounds
            listening.append(own)
        fitting.append({**board, "listening": listening, "unheard": unheard})
    return fitting, beside


def _with_sound_beside(record: dict[str, Any], folder: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    clips, sounds = [], {}
    for clip in record["clips"]:
        if clip["audio"] is None:
            clips.append(clip)
            continue
        sound = base64.b64decode(clip["audio"])
        name = f"{hashlib.sha256(sound).hexdigest()[:32]}.mp3"
        sounds[name] = sound
        clips.append({**clip, "audio": None, "sound": f"{folder}/{name}"})
    return {**record, "clips": clips}, sounds


def _write_sound(sounds: Mapping[str, bytes], folder: Path) -> None:
    """A file's name is its content's: what is there is right, and what an earlier page had alone goes."""
    if folder.is_dir():
        for file in folder.iterdir():
            if SOUND.fullmatch(file.name) and file.name not in sounds:
                file.unlink()
    for name, sound in sounds.items():
        if not (folder / name).exists():
            with written_whole(folder / name) as temporary:
                temporary.write_bytes(sound)


def assemble(boards: Sequence[dict[str, Any]], title: str, made: datetime, *, sound_beside: bool = False) -> str:
    """The page's HTML. Names and texts of the data can end neither the script that they stand in nor become markup."""
    scripts = [_own_text(path) for path in SCRIPTS]
    data = json.dumps({"boards": boards}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    parts = {
        "policy": POLICY.format(
            scripts=" ".join(f"'sha256-{_digest(script)}'" for script in scripts),
            media="data: file: 'self'" if sound_beside else "data:",
        ),
        "title": html.escape(title),
        "styles": "\n".join(map(_own_text, STYLES)),
        "date": made.strftime("%Y-%m-%d %H:%M %Z"),
        "licences": html.escape("\n\n".join(_licence(path) for path in sorted(VENDOR.glob("*.LICENSE")))),
        "data": data.replace("<", "\\u003c"),
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
    }
    template = (HERE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda name: parts[name[1]], template)


def _own_text(path: Path) -> str:
    return SOURCE_MAP.sub("", path.read_text(encoding="utf-8"))


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _licence(path: Path) -> str:
    return f"{path.stem}\n\n{path.read_text(encoding='utf-8')}"
