"""What the pages tell people to type can be typed: commands are parsed, configurations are read."""

import re
import shlex

import pytest
import yaml
from workspace import REPOSITORY

from mimii.commands.main import make_parser
from mimii.planning.config import read_config

PAGES = [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/*.md"))]
START = "python -m mimii "


def commands(page):
    """Commands of `python -m mimii`: lines of a page's blocks, and what stands within the lines of the README."""
    text = page.read_text(encoding="utf-8")
    yield from re.findall(rf"^(?:\.venv/bin/)?({START}.+)$", text, re.MULTILINE)
    if page.name == "README.md":
        yield from re.findall(rf"`({START}[^`]+)`", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_pages_are_understood(page):
    for command in commands(page):
        make_parser().parse_args(shlex.split(command, comments=True)[3:])  # exits with an error where it is none


def test_the_readme_names_commands():
    named = {command.split()[3] for command in commands(PAGES[0])}
    assert {"run", "init", "check_dataset"} <= named


def test_the_configurations_of_the_readme_can_be_read():
    text = PAGES[0].read_text(encoding="utf-8")
    (box,) = (box for box in text.split("```")[1::2] if "  dataset:" in box)
    own = yaml.safe_load("\n".join(line[41:] for line in box.strip().splitlines()))
    assert read_config(own)["dataset"]["labelled"]["abnormal"] == ["faulty"]
    settings = [
        yaml.safe_load(own)
        for line in text.splitlines()
        if line.startswith("| ")
        for own in re.findall(r"`(\w+: [^`]+)`", line)
    ]
    assert len(settings) >= 6
    for part in settings:
        if "source" not in part and "keep_archives" not in part:
            whole = {"models": {"vae": {}}, **part, "dataset": {"root": "dataset", **part.get("dataset", {})}}
            read_config(whole)
