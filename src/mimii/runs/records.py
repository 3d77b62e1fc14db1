"""The records of a run: what training and scoring write down of what they did, with what, and of which files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimii.common.records import Record
from mimii.data.recordings import Recordings
from mimii.data.sections import Section
from mimii.runs.run import RunName


@dataclass(frozen=True)
class SkippedClip(Record):
    """A clip that could not be used, and why."""

    path: str
    error: str


@dataclass(frozen=True, kw_only=True)
class TrainingRecord(Record):
    """`training.json`. What is unknown of a method that ran elsewhere is None.

    model, variant, seed, scope: what names the training; scope: path of the section, machine type or SNR that was
    trained on. settings, features: all of the model's and of the features'. recordings, skipped_clips, counts of clips
    and windows: of all sections that were trained on. code: fingerprint of what trained. losses: of the kept epoch.
    times: s of wall clock, or of the process's CPU time; features_cpu_sec: of computing the features of all sections
    that were trained on. load: `provenance.machine_load`, at the end of training.
    memory and size: MB (10^6 bytes); imports: what the process held before it read any clip. blas: the library of
    matrix products and its kernel, which decide last bits. model_sha256, losses_sha256: of the files beside the record.
    """

    model: str
    variant: str
    seed: int | None = None
    scope: str
    settings: Mapping[str, Any]
    features: Mapping[str, Any]
    recordings: Mapping[str, Recordings]
    code: str | None = None
    train_clips: int | None = None
    validation_clips: int | None = None
    skipped_clips: Sequence[SkippedClip]
    train_windows: int | None = None
    epochs_run: int | None = None
    kept_epoch: int | None = None
    training_time_sec: float | None = None
    training_cpu_sec: float | None = None
    features_cpu_sec: float | None = None
    load: float | None = None
    training_loss: float | None = None
    validation_loss: float | None = None
    peak_gpu_memory_mb: float | None = None
    peak_host_memory_mb: float | None = None
    imports_memory_mb: float | None = None
    model_size_mb: float | None = None
    model_sha256: str | None = None
    losses_sha256: str | None = None
    num_parameters: int | None = None
    device: str | None = None
    threads: int | None = None
    blas: str | None = None
    host: str | None = None
    versions: Mapping[str, str] | None = None
    git_revision: str | None = None

    def run_name(self, section: str) -> RunName:
        """What names the run in which this model scores a section."""
        return RunName(self.model, self.variant, self.seed, Section.parse(section))


@dataclass(frozen=True)
class ScoringSettings(Record):
    """The configuration's part `scoring`. top_k: of how many of a clip's window scores `top_k` is the mean."""

    top_k: int


@dataclass(frozen=True, kw_only=True)
class ScoringRecord(Record):
    """`scoring.json`. What is unknown of a method that ran elsewhere is None.

    section: whose clips were scored; recordings, test clips: of it. scope: path of what the model was trained on. code:
    fingerprint of what scored. model_sha256: of the model that scored. scores_sha256: of scores.parquet beside the
    record. times: ms and s of wall clock, or of CPU time; features_cpu_per_clip_ms: of computing a clip's features,
    mean over the section's. throughput: windows a second. load, memory: as for training.
    members: of an ensemble, the runs whose mean it is, and the SHA-256 of the clip scores of each.
    """

    section: str
    scope: str
    scoring: ScoringSettings | None = None
    recordings: Recordings
    test_normal_clips: int
    test_abnormal_clips: int
    code: str | None = None
    model_sha256: str | None = None
    scores_sha256: str
    test_windows: int | None = None
    scoring_time_sec: float | None = None
    scoring_cpu_sec: float | None = None
    features_cpu_per_clip_ms: float | None = None
    load: float | None = None
    inference_time_ms: float | None = None
    inference_time_per_clip_ms: float | None = None
    throughput_samples_per_sec: float | None = None
    peak_gpu_memory_mb: float | None = None
    peak_host_memory_mb: float | None = None
    imports_memory_mb: float | None = None
    device: str | None = None
    threads: int | None = None
    host: str | None = None
    members: Mapping[str, str] | None = None

    def training_folder(self, run: Path) -> Path:
        """Where the model of a run lies: in the run's folder, as in an exported one; where sections share it, above."""
        above = self.section.count("/") - self.scope.count("/")
        shared = run.absolute().parents[above - 1] if above else run
        return shared if (shared / "training.json").is_file() else run


@dataclass(frozen=True)
class ScoreMetric(Record):
    """One metric of one of the clip scores: a row of metrics.csv.

    domain: "source" or "target"; None: all clips. attributes: of the abnormal clips that count, beside all normal ones,
    such as a kind of fault; None: all.
    """

    score: str
    domain: str | None
    metric: str
    value: float | None
    low: float | None
    high: float | None
    attributes: str | None = None


@dataclass(frozen=True)
class MetricsRecord(Record):
    """`metrics.json`. row: of results.csv, a value for each of its columns. scores: of metrics.csv."""

    row: Mapping[str, Any]
    scores: Sequence[ScoreMetric]
