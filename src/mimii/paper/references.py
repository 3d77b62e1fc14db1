"""The literature that results rest on: which entries of `references.bib` a set of models, data and tests cites."""

import re
from functools import cache
from pathlib import Path

from mimii.detectors.declaration import model_declaration, model_names

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

    Empty for external scores, and for a model whose paper has no entry.
    """
    if model not in model_names():
        return []
    paper = model_declaration(model).paper
    identifiers = set(IDENTIFIER.findall(paper))
    found = []
    for key in entries():
        own = fields(key)
        known = set(IDENTIFIER.findall(f"{own.get('doi', '')} {own.get('url', '')}"))
        if known & identifiers or plain(own["title"]) in plain(paper):
            found.append(key)
    return found


def plain(text: str) -> str:
    """A title to compare: without braces and capitals."""
    return text.replace("{", "").replace("}", "").lower()


def bibliography(keys: list[str]) -> str:
    """These entries as a BibTeX file."""
    return "\n\n".join(entries()[key] for key in entries() if key in keys) + "\n"
