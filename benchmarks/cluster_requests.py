"""Memory and time of training and scoring, held against what the jobs would ask a cluster for: docs/cluster.md's table.

Random features of a section of MIMII's size; two epochs, from which the minutes of the configured epochs follow: CPU
time of one thread, which other work on the machine hardly changes.
`python benchmarks/cluster_requests.py [--clips 600] [--models simple_ae pca]`; networks on the CPU.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from mimii.common.declarations import resolve
from mimii.data.recordings import Clip, Recordings
from mimii.data.sections import Section
from mimii.detectors.declaration import model_declaration, model_names
from mimii.features.file import FeaturesMetadata, FeatureWriter
from mimii.planning import job_parameters
from mimii.planning import resources as requests
from mimii.planning.plan import Plan

SECTION = "6dB/fan/id_00"
FRAMES = 313  # of a clip of 10 s
EPOCHS = 2


def plan_of(model):
    """A plan of one model, as the workflow would make it, of one section, also where it learns from several."""
    only = {"snrs": ["6dB"], "machines": ["fan"], "ids": ["id_00"]}
    source = {"source": "made_up", "root": "nowhere", "made_up": only}
    return Plan({"dataset": source, "models": {model: {}}, "settings": {"epochs": EPOCHS}})


def write_features(path, clips):
    """Random log-mels: `clips` for training, a third of that for each kind of test clips."""
    plan = plan_of("pca")
    settings = dict(plan.variants[0].features)
    recordings = Recordings(plan.listed(Section.parse(SECTION)), content="none")
    generator = np.random.default_rng(0)
    with FeatureWriter(path, FeaturesMetadata(SECTION, settings, recordings=recordings)) as writer:
        for label, split, count in (
            ("normal", "train", clips),
            ("normal", "test", clips // 3),
            ("abnormal", "test", clips // 3),
        ):
            for number in range(count):
                log_mel = generator.normal(-30, 8, (FRAMES, settings["n_mels"])).astype(np.float32)
                writer.add(Clip(f"{label}/{split}/{number}", label, split), log_mel)


def measure(model, features, folder):
    """The records of a training and a scoring job."""
    plan = plan_of(model)
    section = Section.parse(SECTION)
    job = job_parameters.training_job(plan, model, plan.variants[0].name, "42", plan.base_run(model, section).scope)
    model_file, training, scoring = folder / plan.model_file(model), folder / "training.json", folder / "scoring.json"
    common = ["--features", features, "--model-file", model_file, "--device", "cpu"]
    written = ["--losses", folder / "losses.parquet", "--record", training]
    run("train_model", *common, *written, "--job", job)
    written = ["--scores", folder / "scores.parquet", "--record", scoring]
    job = job_parameters.scoring_job(plan, model, section)
    run("score_clips", *common, *written, "--training", training, "--job", job)
    return json.loads(training.read_text()), json.loads(scoring.read_text())


def run(script, *arguments):
    subprocess.run([sys.executable, f"scripts/{script}.py", *map(str, arguments)], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=600, help="training clips (default: %(default)s)")
    parser.add_argument("--models", nargs="+", default=model_names(), choices=model_names(), metavar="MODEL")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        features = Path(folder, "features.parquet")
        write_features(features, options.clips)
        size = features.stat().st_size / 1e6
        print(f"{size:.0f} MB of features")
        print("model, MB asked, MB training, MB scoring, minutes asked, CPU minutes training")
        for name in options.models:
            training, scoring = measure(name, features, Path(folder))
            declaration = model_declaration(name)
            defaults = resolve(declaration.settings)
            minutes = training["training_cpu_sec"] / 60 * (defaults["epochs"] / EPOCHS if "epochs" in defaults else 1)
            print(
                name,
                requests.model_memory_mb(declaration.base, size, 1),
                round(training["peak_host_memory_mb"]),
                round(scoring["peak_host_memory_mb"]),
                requests.training_minutes(name, defaults, defaults, size, 1),
                f"{minutes:.1f}",
                sep=", ",
                flush=True,
            )
