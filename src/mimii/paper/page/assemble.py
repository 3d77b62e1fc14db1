"""From boards to one HTML file that needs no other."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
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
# Of all gathered clips together, in characters: the page is to be passed on by mail.
MOST_LISTENING = 11_000_000
# Nothing is fetched and nothing runs but these scripts. Tabulator sets style attributes, so those are allowed.
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; media-src data:; "
    "base-uri 'none'; form-action 'none'"
)


def write_page(boards: Sequence[dict[str, Any]], output: Path, *, title: str = "Anomalous sound detection") -> None:
    """Write the page of these boards."""
    if not boards:
        raise UserError("no results: nothing to show")
    page = assemble(within_size(boards), title, datetime.now().astimezone())
    with written_whole(output) as temporary:
        temporary.write_text(page, encoding="utf-8")


def within_size(boards: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Boards with the first gathered clips that fit; `unheard` lists [method, section] of the others."""
    left = MOST_LISTENING
    found = []
    for board in boards:
        kept, unheard = [], []
        for record in board["listening"]:
            left -= len(json.dumps(record))
            if left >= 0:
                kept.append(record)
            else:
                unheard.append([record["method"], record["section"]])
        found.append({**board, "listening": kept, "unheard": unheard})
    return found


def assemble(boards: Sequence[dict[str, Any]], title: str, made: datetime) -> str:
    """The page's HTML. Names and texts of the data can end neither the script that they stand in nor become markup."""
    scripts = [_own_text(path) for path in SCRIPTS]
    data = json.dumps({"boards": boards}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    parts = {
        "policy": POLICY.format(scripts=" ".join(f"'sha256-{_digest(script)}'" for script in scripts)),
        "title": html.escape(title),
        "styles": "\n".join(map(_own_text, STYLES)),
        "date": made.strftime("%Y-%m-%d %H:%M %Z"),
        "licences": html.escape("\n\n".join(_licence(path) for path in sorted(VENDOR.glob("*.LICENSE")))),
        "data": data.replace("<", "\\u003c"),
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
    }
    template = (HERE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _own_text(path: Path) -> str:
    return SOURCE_MAP.sub("", path.read_text(encoding="utf-8"))


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _licence(path: Path) -> str:
    return f"{path.stem}\n\n{path.read_text(encoding='utf-8')}"
