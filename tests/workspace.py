"""A copy of the workflow in a folder, with tiny made-up recordings, to run Snakemake on."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
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
    "models": {"simple_ae": {}, "deep_ae": {}, "isolation_forest": {}},
}


class Workspace:
    """A folder with a workflow, its configuration and whatever Snakemake made there."""

    def __init__(self, folder: Path):
        self.folder = folder
        for part in PARTS:
            source = REPOSITORY / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / part)

    @staticmethod
    def shipped():
        """Folder of the configurations in the repository."""
        return REPOSITORY / "config"

    def configure(self, config):
        (self.folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))

    def command(self, *arguments):
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]

    @property
    def environment(self):
        return {**os.environ, "PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}

    def snakemake(self, *arguments, check=True):
        """Run to the end. With `check`, a failure fails the test with what was printed."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600
        )
        if check and done.returncode:
            pytest.fail(f"snakemake {' '.join(arguments)} exited {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def planned(self, *arguments):
        """The jobs that would run now: a set of (rule, run or section or file it is for)."""
        done = self.snakemake("--dry-run", *arguments)
        return jobs_in(done.stdout + done.stderr)


def jobs_in(text):
    """(rule, first output without its file name where that says no more) of each job in a dry run's output."""
    jobs = set()
    for block in re.split(r"\n(?=(?:local)?rule )", text):
        rule = re.match(r"(?:local)?rule (\w+):", block)
        output = re.search(r"^    output: ([^,\n]+)", block, re.MULTILINE)
        if rule and output:
            name = re.sub(r"/(model\.\w+|scores\.parquet|metrics\.json)$|\.parquet$", "", output[1])
            jobs.add((rule[1], name))
    return jobs
