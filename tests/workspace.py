"""A copy of the workflow in a folder, with tiny made-up recordings, to run Snakemake on."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import warm_python
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
PARTS = ["Snakefile", "environment.yml", "workflow", "scripts", "src", "config", "profiles"]

TINY = {
    "dataset": {
        "source": "made_up",
        "root": "dataset",
        "made_up": {
            "snrs": ["6dB"],
            "machines": ["fan", "valve"],
            "ids": ["id_00"],
            "normal_clips": 15,
            "abnormal_clips": 3,
            "seconds": 1.5,
            "channels": 1,
        },
    },
    "settings": {"epochs": 2},
    "models": {"simple_ae": {}, "deep_ae": {}, "isolation_forest": {"trees": 10}},
    "report": {"tables": False, "figures": [], "page": False},
}


QUICK = {"bootstrap_samples": 100}

# A model for each section, one for each machine type, and one for each SNR.
SHARED = {
    **TINY,
    "dataset": {"root": "recordings", "machines": ["fan", "valve"]},
    "settings": {},
    "models": {
        "gmm": {"components": 1},
        "mahalanobis": {"train_per": "machine_type"},
        "pca": {"train_per": "snr"},
    },
    "metrics": QUICK,
}


def write_recordings(folder, normal=13, abnormal=2, samples=4000):
    """A section of noise: wav files, 16 kHz, one channel, in `folder`/normal and `folder`/abnormal."""
    for label, count in (("normal", normal), ("abnormal", abnormal)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            generator = np.random.default_rng([number, len(label), *folder.name.encode()])
            values = generator.normal(0, 0.1, samples)
            soundfile.write(folder / label / f"{number:08d}.wav", values, 16000, subtype="PCM_16")


def blocks(page, language):
    """Fenced blocks of a page of docs/."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


class Workspace:
    """A folder with a workflow, its configuration and whatever Snakemake made there."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        for part in PARTS:
            source = REPOSITORY / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / part)

    @classmethod
    def at(cls, folder):
        """The workspace that is in `folder` already."""
        workspace = cls.__new__(cls)
        workspace.folder = Path(folder)
        return workspace

    def copied_to(self, folder):
        """A copy in `folder`, with times kept."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return Workspace.at(folder)

    @staticmethod
    def shipped():
        """Folder of the configurations in the repository."""
        return REPOSITORY / "config"

    def configure_text(self, text):
        (self.folder / "config" / "config.yaml").write_text(text)

    def configure(self, config):
        (self.folder / "config" / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def command(self, *arguments, python=sys.executable):
        return [python, "-m", "snakemake", "--cores", "2", *arguments]

    @property
    def environment(self):
        return {**os.environ, "PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}

    def snakemake(self, *arguments, check=True, python=None):
        """Run to the end. With `check`, a failure fails the test with what was printed.

        python: of Snakemake and its jobs; None: one whose libraries are imported already.
        """
        done = subprocess.run(
            self.command(*arguments, python=python or warm_python.executable()),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if check and done.returncode:
            pytest.fail(f"snakemake {' '.join(arguments)} exited {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def planned(self, *arguments):
        """The jobs that would run now: a set of (rule, run or section or file it is for)."""
        code, printed = self.dry_run("--cores", "2", *arguments)
        if code:
            pytest.fail(f"the dry run exited {code}:\n{printed}")
        return jobs_in(printed)

    def dry_run(self, *arguments):
        """The exit code of `snakemake --dry-run`, and what it printed."""
        command = ["-m", "snakemake", "--dry-run", *arguments]
        with tempfile.TemporaryFile("w+") as output:
            code = warm_python.run(command, self.folder, self.environment, output=output)
            output.seek(0)
            return code, output.read()


def jobs_in(text):
    """(rule, first output without its file name where that says no more) of each job in a dry run's output."""
    jobs = set()
    for block in re.split(r"\n(?=(?:local)?rule )", text):
        rule = re.match(r"(?:local)?rule (\w+):", block)
        output = re.search(r"^    output: (.+?)(?:, |$)", block, re.MULTILINE)
        if rule and output:
            name = re.sub(r"/(model\.\w+|scores\.parquet|metrics\.json|made_up\.json)$|\.parquet$", "", output[1])
            jobs.add((rule[1], name))
    return jobs
