"""Made-up runs, for the tests of metrics, results, tables and figures."""

import json
from pathlib import Path

import numpy as np
import pytest

from mimii.common.records import sha256_of
from mimii.data.sections import Section
from mimii.evaluation.merging import Expectation, merge_results
from mimii.evaluation.row import compute_metrics
from mimii.runs.clip_scores import write_scores
from mimii.runs.records import ScoringRecord, TrainingRecord
from mimii.runs.run import Run, Variant

METRICS_SETTINGS = {
    "bootstrap_samples": 100,
    "confidence": 0.95,
    "max_fpr": 0.1,
    "threshold_quantile": 0.9,
}


@pytest.fixture(scope="session")
def project_root() -> Path:
    return Path(__file__).resolve().parents[1]


def write_run(
    folder: Path,
    *,
    quality: float = 1.0,
    clips: int = 30,
    domains: bool = False,
    section: str = "6dB/fan/id_00",
    **overrides,
) -> tuple[Path, Path, Path]:
    """scores.parquet, training.json and scoring.json of a run; `quality` is the distance of the two classes.

    domains: whether every second clip is of the target domain, the others of the source.
    """
    tested = {name: overrides.pop(name, clips) for name in ("test_normal_clips", "test_abnormal_clips")}
    training = {
        "model": "vae",
        "variant": "default",
        "seed": 42,
        "settings": {
            "frames": 5,
            "hop_frames": 1,
            "val_split": 0.1,
            "epochs": 50,
            "batch_size": 256,
            "learning_rate": 0.001,
        },
        "features": {
            "n_mels": 64,
            "n_fft": 1024,
            "hop_length": 512,
            "power": 2.0,
            "channel": 0,
            "f_min": 0.0,
            "f_max": None,
            "padding": "reflect",
            "sample_rate": 16000,
        },
        "recordings": None,
        "code": "training-code",
        "train_clips": 90,
        "validation_clips": 10,
        "skipped_clips": [],
        "train_windows": 27810,
        "epochs_run": 50,
        "kept_epoch": 50,
        "training_time_sec": 12.5,
        "training_cpu_sec": 12.0,
        "features_cpu_sec": 1.5,
        "load": 0.9,
        "training_loss": 0.1,
        "validation_loss": 0.2,
        "peak_gpu_memory_mb": None,
        "peak_host_memory_mb": 400.0,
        "imports_memory_mb": 150.0,
        "model_size_mb": 0.4,
        "model_sha256": "0" * 64,
        "losses_sha256": "1" * 64,
        "num_parameters": 42440,
        "device": "cpu",
        "threads": 1,
        "blas": "openblas",
        "host": "node1",
        "versions": {"python": "3.11.0"},
        "git_revision": None,
        **overrides,
    }
    training["scope"] = Section.parse(section).scope(training["settings"].get("train_per", "section"))
    recordings = training["recordings"] or {section: {"listed": "listed", "content": "content"}}
    training["recordings"] = recordings
    scoring = {
        "section": section,
        "scope": training["scope"],
        **tested,
        "code": "scoring-code",
        "scoring": {"top_k": 10},
        "recordings": recordings[section],
        "model_sha256": training["model_sha256"],
        "test_windows": 18540,
        "inference_time_ms": 0.001,
        "inference_time_per_clip_ms": 0.309,
        "throughput_samples_per_sec": 1e6,
        "peak_gpu_memory_mb": None,
        "peak_host_memory_mb": 500.0,
        "imports_memory_mb": 300.0,
        "scoring_time_sec": 0.5,
        "scoring_cpu_sec": 0.4,
        "features_cpu_per_clip_ms": 1.25,
        "load": 1.0,
        "members": None,
        "device": "cpu",
        "threads": 1,
        "host": "node1",
    }
    rng = np.random.default_rng([len(training["model"]), training["seed"], *section.encode()])
    validation = training["validation_clips"]
    labels = ["normal"] * (validation + clips) + ["abnormal"] * clips
    means = 5 + rng.normal(size=len(labels)) + quality * np.array([label == "abnormal" for label in labels])
    about = {
        "path": [f"{section}/{label}/{number:08d}.wav" for number, label in enumerate(labels)],
        "label": labels,
        "split": ["validation"] * validation + ["test"] * (2 * clips),
        "domain": [("source", "target")[number % 2] if domains else None for number in range(len(labels))],
        "attributes": [""] * len(labels),
    }
    scores = {
        "mean": means,
        "max": means + rng.gamma(2, size=len(labels)),
        "top_k": means + rng.gamma(1, size=len(labels)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "scores.parquet", folder / "training.json", folder / "scoring.json"
    write_scores(paths[0], about, scores)
    TrainingRecord.parse(training).write(paths[1])
    ScoringRecord.parse({**scoring, "scores_sha256": sha256_of(paths[0])}).write(paths[2])
    return paths


@pytest.fixture
def run_files(tmp_path):
    """Writes a run's three files with overrides of its training record."""
    return lambda **overrides: write_run(tmp_path / "run", **overrides)


@pytest.fixture(scope="session")
def run_folder():
    """Writes a run with its metrics below a root, at its path, and returns its row."""

    def make(root: Path, model="vae", section="6dB/fan/id_00", seed=42, variant="default", **overrides) -> dict:
        folder = root / f"{model}/{variant}/seed={seed}/{section}"
        paths = write_run(folder, model=model, section=section, seed=seed, variant=variant, **overrides)
        record = compute_metrics(*paths, METRICS_SETTINGS, code="metrics-code")
        record.write(folder / "metrics.json")
        return dict(record.row)

    return make


def run_of(row):
    """The run that a row is of, as the configuration would ask for it."""
    settings, features = json.loads(row["settings"]), json.loads(row["features"])
    variant = Variant(row["model"], row["variant"], settings, features, "default")
    return Run(variant, row["seed"], Section(row["db_level"], row["machine_type"], row["machine_id"]))


def expectation_of(rows, root):
    """What holds for the given rows."""
    codes = {"training_code": "training-code", "scoring_code": "scoring-code", "metrics_code": "metrics-code"}
    columns = {row["model"]: {**codes, "top_k": 10} for row in rows}
    listed = {section: one["listed"] for row in rows for section, one in json.loads(row["recordings"]).items()}
    return Expectation(columns, listed, root / "features")


def merge(rows, root, output):
    """Merge the runs of the given rows."""
    merge_results([run_of(row) for row in rows], root, output, expectation_of(rows, root))
