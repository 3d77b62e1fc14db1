"""A benchmark of one model on one tiny section of noise, whose stages run in this process."""

import io
import os
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import in_process
import numpy as np
import pytest
import soundfile
import yaml

from mimii.commands import main as commands
from mimii.common.errors import UserError
from mimii.data.sections import Section
from mimii.evaluation.results import read_results
from mimii.planning.config_file import read_yaml
from mimii.planning.plan import Plan

RATE = 16000
SECTION = "6dB/fan/id_00"
STAGES = ["planning", "features", "training", "scoring", "metrics", "merge", "summary", "command"]


def noise(samples=4000, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, samples)


def write_section(folder, normal=12, abnormal=2):
    for label, count in (("normal", normal), ("abnormal", abnormal)):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            values = noise(seed=1 + number if label == "normal" else 51 + number)  # `noise()` is none of them
            soundfile.write(folder / label / f"{number:08d}.wav", values, RATE, subtype="PCM_16")


class Benchmark:
    """A configuration, recordings and results in the working directory, and the workflow's stages as methods."""

    def __init__(self):
        self.config = {
            "dataset": {"root": "data"},
            "models": {"pca": {"components": 4}},
            "metrics": {"bootstrap_samples": 100},
        }
        self.section = Section.parse(SECTION)
        self.text = None
        self.typed = None
        self.arguments = ["summary", "results/results.csv"]
        self.plan = None

    def planning(self):
        Path("config.yaml").write_bytes(
            yaml.safe_dump(self.config, sort_keys=False).encode() if self.text is None else self.text
        )
        self.plan = Plan(read_yaml("config.yaml"))
        assert self.plan.sections
        self.plan.check_external()
        self.plan.check_csv()
        self.plan.check_folders(writable=True)
        if self.typed:
            self.typed(self.plan)

    @property
    def run(self):
        return Path("results/runs", next(self.plan.runs()).path)

    @property
    def model_file(self):
        return self.run / self.plan.model_file(self.plan.variants[0].model)

    @property
    def features_file(self):
        return Path(self.plan.features_file(self.plan.variants[0], self.section))

    def features(self):
        in_process.extract(self.plan, self.plan.variants[0], self.section)

    def training(self):
        in_process.train(self.plan, next(self.plan.runs()))

    def scoring(self):
        in_process.score(self.plan, next(self.plan.runs()))

    def metrics(self):
        in_process.measure(self.plan, next(self.plan.runs()))

    def merge(self):
        in_process.merge(self.plan)

    def summary(self):
        read_results("results/results.csv")

    def command(self):
        """`python -m mimii` with `arguments`. Raises UserError with what it says where its exit code is not 0."""
        output, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(output), redirect_stderr(errors), pytest.raises(SystemExit) as end:
            commands.main(self.arguments)
        if end.value.code:
            assert end.value.code == 1
            assert errors.getvalue().startswith("error: ")
            raise UserError(errors.getvalue())


@contextmanager
def working_in(folder):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def make_benchmark(folder):
    """Let all stages run in a folder."""
    with working_in(folder):
        write_section(Path("data", SECTION))
        benchmark = Benchmark()
        for stage in STAGES:
            getattr(benchmark, stage)()
