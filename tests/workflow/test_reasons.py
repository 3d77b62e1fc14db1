"""`run --dry-run` gives the reasons of real plans, after each kind of change."""

import re
import subprocess

import pytest
import warm_python
from workspace import TINY

pytestmark = pytest.mark.slow


def append(name):
    def edit(workspace):
        with (workspace.folder / "src" / "mimii" / name).open("a") as file:
            file.write("\n\nADDED = 1\n")

    return edit


def configure(**changes):
    return lambda workspace: workspace.configure({**TINY, **changes})


def other_recordings(workspace):
    made_up = {**TINY["dataset"]["made_up"], "normal_clips": 16}
    workspace.configure({**TINY, "dataset": {**TINY["dataset"], "made_up": made_up}})


def remove_results(workspace):
    (workspace.folder / "results" / "results.csv").unlink()


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (lambda workspace: None, []),
        (configure(models={**TINY["models"], "pca": {}}), ["2 new: pca"]),
        (
            configure(models={**TINY["models"], "simple_ae": {"latent": 4}}),
            ["2 with settings that have not run yet: simple_ae (epochs=2,latent=4)"],
        ),
        (append("models/simple_ae.py"), ["2 because code of training simple_ae changed: simple_ae (epochs=2)"]),
        (append("evaluation/row.py"), ["6 because code of the metrics changed: .*"]),
        (append("features/log_mel.py"), ["6 because code of the features changed: .*"]),
        (configure(scoring={"top_k": 3}), [r"6 because settings changed \(scoring.top_k\): .*"]),
        (other_recordings, [r"6 because settings changed \(normal_clips\): .*"]),
        (remove_results, ["merge_results: not there"]),
        (configure(models={"simple_ae": {}}), ["merge_results: another choice of variants"]),
    ],
)
def test_a_plan_says_why(kept, change, lines):
    change(kept)
    command = [warm_python.executable(), "-m", "mimii", "run", "--dry-run"]
    done = subprocess.run(command, cwd=kept.folder, env=kept.environment, capture_output=True, text=True, check=True)
    said = [line.strip() for line in done.stdout.splitlines() if re.match(r"  (\d+ (because|new|with)|\w+: )", line)]
    assert len(said) == len(lines), done.stdout
    for found, wanted in zip(said, lines, strict=True):
        assert found == wanted or re.fullmatch(wanted, found)


def test_recordings_that_changed_are_named(finished_folder, tmp_path):
    kept = finished_folder.copied_to(tmp_path)
    clip = next(kept.folder.rglob("*.wav"))
    clip.write_bytes(clip.read_bytes() + b"\0\0")
    command = [warm_python.executable(), "-m", "mimii", "run", "--dry-run"]
    done = subprocess.run(command, cwd=kept.folder, env=kept.environment, capture_output=True, text=True, check=True)
    assert re.search(r"^  \d because recordings changed: \S+/\S+/\S+$", done.stdout, re.MULTILINE), done.stdout
