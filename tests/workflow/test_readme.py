"""The README's commands run as they stand, in their order, with its placeholders filled."""

import csv
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from workspace import QUICK, REPOSITORY, write_recordings

pytestmark = pytest.mark.slow

SECTION = "6dB/fan/id_00"
REPORT = {"tables": False, "figures": [], "page": False}


@pytest.fixture
def readme(workspace):
    """The README, and a workspace with MIMII's recordings elsewhere, a workshop, and the scores of a method."""
    folder = workspace.folder
    write_recordings(folder / "mimii" / SECTION)
    unit = folder / "workshop" / "press" / "unit 7"
    write_recordings(unit, normal=26, abnormal=3)
    (unit / "normal").rename(unit / "healthy")
    (unit / "abnormal").rename(unit / "faulty")
    with (folder / "scores.csv").open("w") as file:
        file.write("path,score\n")
        for label in ("normal", "abnormal"):
            file.writelines(f"{SECTION}/{label}/{number:08d}.wav,{number}\n" for number in range(2))  # the test clips
    (folder / "scores" / SECTION).parent.mkdir(parents=True)
    (folder / "scores.csv").rename(folder / "scores" / f"{SECTION}.csv")
    return (REPOSITORY / "README.md").read_text(encoding="utf-8")


def boxes(text):
    return text.split("```")[1::2]


def test_the_commands_of_the_readme(workspace, readme):
    def run(command):
        words = shlex.split(command.replace("/where/mimii/is", "mimii"), comments=True)
        words[:1] = [sys.executable] if words[0] == "python" else words[:1]
        done = subprocess.run(
            words, cwd=workspace.folder, env=workspace.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    (lines,) = (box for box in boxes(readme) if "external_scores:" in box)
    external = yaml.safe_load("\n".join(line[41:] for line in lines.strip().splitlines() if ":" in line[41:]))
    workspace.configure(
        {"dataset": {"root": "dataset"}, "models": {"pca": {}}, "metrics": QUICK, "report": REPORT, **external}
    )
    (mimii,) = (box for box in boxes(readme) if "ln -s" in box)
    link, check, run_all = mimii.removeprefix("bash").strip().splitlines()
    run(link)
    assert "missing" in run(check)  # of MIMII's sections one is there
    assert "my_method" in run(run_all)

    inits, runs = (
        dict.fromkeys(re.findall(rf"`(python -m mimii {name} [^`]+)`", readme)) for name in ("init", "run --configfile")
    )
    for command in inits:
        run(command)
    config = yaml.safe_load((workspace.folder / "workshop.yaml").read_text())
    small = {**config, "models": {"pca": {}}, "seeds": [42], "report": REPORT}
    (workspace.folder / "workshop.yaml").write_text(yaml.safe_dump(small))
    for command in runs:
        run(command)
    with (workspace.folder / "results/own/workshop/results.csv").open(newline="") as file:
        assert [row["model"] for row in csv.DictReader(file)] == ["pca"]

    for name in ("save", "compare"):
        (command,) = re.findall(rf"`(python -m mimii {name} [^`]+)`", readme)
        printed = run(command)
    assert re.search(r"^pca .*within noise$", printed, re.MULTILINE)
