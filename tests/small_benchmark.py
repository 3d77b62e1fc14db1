"""A benchmark of one model on one tiny section of noise, whose stages run in this process."""

import io
import json
import os
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from mimii.commands import main as commands
from mimii.common.errors import UserError
from mimii.data.sections import Section
from mimii.evaluation.merging import Expectation, merge_results
from mimii.evaluation.results import read_results
from mimii.evaluation.row import compute_metrics
from mimii.features.extraction import extract_features
from mimii.planning import job_parameters
from mimii.planning.config_file import read_yaml
from mimii.planning.plan import Plan
from mimii.runs.scoring import score_clips
from mimii.runs.training import train_model

RATE = 16000
SECTION = "6dB/fan/id_00"
STAGES = ["planning", "features", "training", "scoring", "metrics", "merge", "summary", "command"]


def noise(samples=4000, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, samples)


def write_section(folder, normal=12, abnormal=2):
    for label, count in (("normal", normal), ("abnormal", abnormal)):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            soundfile.write(folder / label / f"{number:08d}.wav", noise(seed=number), RATE, subtype="PCM_16")


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
        job = json.loads(job_parameters.features_job(self.plan, self.plan.variants[0].features_name, self.section))
        section, settings = Section.parse(job.pop("section")), job.pop("settings")
        folder = self.plan.checkpoint_folder(settings)
        extract_features(self.plan.source, section, settings, self.features_file, checkpoint=folder, **job)

    def training(self):
        variant = self.plan.variants[0]
        job = json.loads(job_parameters.training_job(self.plan, variant.model, variant.name, "42", self.section.path))
        names = {"model_file": self.model_file.name, "losses_file": "losses.parquet", "record_file": "training.json"}
        files = {key: self.run / name for key, name in names.items()}
        train_model([self.features_file], job, **files, device="cpu", threads=1)

    def scoring(self):
        score_clips(
            self.features_file,
            self.model_file,
            self.run / "training.json",
            json.loads(job_parameters.scoring_job(self.plan, self.plan.variants[0].model, self.section)),
            scores_file=self.run / "scores.parquet",
            record_file=self.run / "scoring.json",
            device="cpu",
            threads=1,
        )

    def metrics(self):
        job = json.loads(job_parameters.metrics_job(self.plan))
        files = [self.run / name for name in ("scores.parquet", "training.json", "scoring.json")]
        compute_metrics(*files, job["metrics"], code=job["code"]).write(self.run / "metrics.json")

    def merge(self):
        job = json.loads(job_parameters.merge_job(self.plan))
        columns = job_parameters.recorded_columns(job)
        expected = Expectation(columns, job["recordings"], Path(self.plan.features_root))
        merge_results(job_parameters.listed_runs(job), "results/runs", "results/results.csv", expected)

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
