"""The literature that results rest on: which entries of `references.bib` a set of models, data and tests cites."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from mimii.detectors.declaration import model_declaration, model_names
from mimii.paper.table_formats import escape_latex

ENTRY = re.compile(r"^@\w+\{(\w+),\n.*?^\}$", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^  (\w+) = \{(.*)\},?$", re.MULTILINE)
# What identifies a paper, in a declaration's text as well as in an entry.
IDENTIFIER = re.compile(r"10\.\d{4,}/[\w.()/-]+\w|\d{4}\.\d{5}")


@cache
def entries() -> dict[str, str]:
    """The BibTeX of every entry, by its key."""
    text = Path(__file__).with_suffix(".bib").read_text(encoding="utf-8")
    return {match[1]: match[0] for match in ENTRY.finditer(text)}


def fields(key: str) -> dict[str, str]:
    """The fields of an entry."""
    return dict(FIELD.findall(entries()[key]))


def papers_of(model: str) -> list[str]:
    """Keys of the papers that a model's declaration names, by their DOI, arXiv number or title.

    The model's name where none has an entry; empty where nothing is declared, as of external scores.
    """
    paper = model_declaration(model).paper if model in model_names() else ""
    if not paper:
        return []
    identifiers = set(IDENTIFIER.findall(paper))
    keys = []
    for key in entries():
        own = fields(key)
        own_identifiers = set(IDENTIFIER.findall(f"{own.get('doi', '')} {own.get('url', '')}"))
        if own_identifiers & identifiers or plain(own["title"]) in plain(paper):
            keys.append(key)
    return keys or [model]


def plain(text: str) -> str:
    """A title to compare: without braces and capitals."""
    return text.replace("{", "").replace("}", "").lower()


def bibliography(keys: Iterable[str]) -> str:
    """These entries as a BibTeX file; a model without one gets the text that it declares."""
    cited = dict.fromkeys(keys)
    texts = [text for key, text in entries().items() if key in cited]
    return "\n\n".join([*texts, *(_declared(key) for key in cited if key not in entries())]) + "\n"


def _declared(model: str) -> str:
    return f"@misc{{{model},\n  key = {{{model}}},\n  note = {{{escape_latex(model_declaration(model).paper)}}}\n}}"
