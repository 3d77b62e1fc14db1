"""From the files of a run to its row of the results: metrics, their intervals, a threshold and its rates, costs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mimii.common.canonical import to_json
from mimii.common.errors import UserError
from mimii.common.records import DamagedError
from mimii.data.sections import Section, scored_year
from mimii.evaluation.columns import read_columns
from mimii.evaluation.intervals import bootstrap, section_interval
from mimii.evaluation.kinds import clips_of_kinds
from mimii.evaluation.metrics import metrics_in, point_values
from mimii.evaluation.thresholds import conformal_threshold, threshold_from_normal
from mimii.runs.clip_scores import PRIMARY, ClipScores, RunScores, read_scores
from mimii.runs.records import MetricsRecord, ScoreMetric, ScoringRecord, TrainingRecord

RESIDUAL = "residual"
# Columns of results.csv, by domain and metric of metrics.csv.
OFFICIAL = {
    ("source", "auc"): "auc_source",
    ("target", "auc"): "auc_target",
    (None, "official_score"): "official_score",
}
MODEL_SETTINGS = ("frames", "hop_frames", "epochs", "batch_size", "learning_rate", "val_split")
FEATURE_SETTINGS = ("n_mels", "n_fft", "hop_length", "power", "f_min", "f_max", "padding", "sample_rate")

Figures = dict[str, Any]


def compute_metrics(
    scores_path: str | Path,
    training_path: str | Path,
    scoring_path: str | Path,
    settings: Mapping[str, Any],
    *,
    code: str | None = None,
) -> MetricsRecord:
    """A run's row of results.csv, with every column of columns.yaml, and its rows of metrics.csv.

    settings: bootstrap_samples, confidence, max_fpr, threshold_quantile. code: fingerprint of this code, without which
    the row cannot be merged.
    Raises UserError where the three files do not belong together, scores are missing or not finite, or a class has no
    clip.
    """
    training, scoring = TrainingRecord.read(training_path), ScoringRecord.read(scoring_path)
    scores = read_scores(scores_path, scoring.scores_sha256)
    check_same_run(scores, training, scoring, Path(scores_path), Path(scoring_path))
    run_path = training.run_name(scoring.section).path
    figures = {column: score_figures(scores, column, run_path, settings) for column in scores.columns}
    residual = figures.get(RESIDUAL, dict.fromkeys(figures[PRIMARY]))
    section = Section.parse(scoring.section)
    official = {column: official_metrics(scores, column, section, settings) for column in scores.columns}
    values = {
        **figures[PRIMARY],
        **{f"{name}_{RESIDUAL}": value for name, value in residual.items()},
        **official_columns(official[PRIMARY]),
        **settings,
        **names_and_settings(training, scoring),
        **counts(scores, training, scoring),
        **costs(training, scoring),
        **provenance(training, scoring),
        "metrics_code": code,
    }
    row = {column.name: values[column.name] for column in read_columns()}
    metrics = [metric for column, figure in figures.items() for metric in as_metrics(column, figure)]
    for column in scores.columns:
        metrics += official[column]
        metrics += kind_metrics(scores, column, settings)
    return MetricsRecord(row, metrics)


def check_same_run(
    scores: RunScores, training: TrainingRecord, scoring: ScoringRecord, scores_path: Path, scoring_path: Path
) -> None:
    """Raise UserError where scores, training record and scoring record are not of one run."""
    if scoring.model_sha256 != training.model_sha256:
        raise DamagedError(scoring_path, "another model scored than the one that training.json describes")
    if scoring.recordings != training.recordings.get(scoring.section):
        raise DamagedError(scoring_path, "other recordings were scored than the model was trained beside")
    there = scores.count("test", "normal") + scores.count("test", "abnormal")
    tested = scoring.test_normal_clips + scoring.test_abnormal_clips
    if not tested - len(training.skipped_clips) <= there <= tested:
        raise DamagedError(scores_path, f"it holds {there} test clips, and the section has {tested}")


def score_figures(scores: RunScores, column: str, run_path: str, settings: Mapping[str, Any]) -> Figures:
    """Metrics of one of the clip scores with their intervals, a threshold, and the rates at it, by name."""
    test, held_out = scores.clips(column), scores.clips(column, "validation")
    for clips in (test, held_out):
        _check_finite(clips, column, run_path)
    for name, count in (("normal", int((~test.abnormal).sum())), ("abnormal", int(test.abnormal.sum()))):
        if count == 0:
            raise UserError(f"run {run_path}: no {name} test clip has a score; an AUC needs both classes")
    figures = metrics_with_intervals(test.abnormal, test.scores, settings)
    quantile = settings["threshold_quantile"]
    threshold = threshold_from_normal(held_out.scores, quantile)
    value, method = (threshold.value, threshold.method) if threshold else (None, None)
    conformal = conformal_threshold(held_out.scores, quantile)
    return figures | {
        "threshold": value,
        "threshold_method": method,
        **rates_above(value, test),
        "conformal_threshold": conformal,
        **rates_above(conformal, test, "conformal_"),
    }


def metrics_with_intervals(
    abnormal: NDArray[np.bool_], scores: NDArray[np.float64], settings: Mapping[str, Any]
) -> Figures:
    """Each metric of clips, (clips,), and both ends of its interval, by name."""
    max_fpr = settings["max_fpr"]
    point = point_values(abnormal, scores, max_fpr=max_fpr)
    resampled = bootstrap(abnormal, scores, samples=settings["bootstrap_samples"], max_fpr=max_fpr)
    figures: Figures = {}
    for name, metric in metrics_in("csv").items():
        low, high = section_interval(
            metric,
            point[name],
            resampled[name],
            normal=int((~abnormal).sum()),
            abnormal=int(abnormal.sum()),
            confidence=settings["confidence"],
            max_fpr=max_fpr,
        )
        figures |= {name: point[name], f"{name}_low": low, f"{name}_high": high}
    return figures


def rates_above(threshold: float | None, test: ClipScores, prefix: str = "") -> Figures:
    """Shares of the abnormal and of the normal test clips above a threshold; empty without one."""
    if threshold is None:
        return {f"{prefix}tpr": None, f"{prefix}fpr": None}
    flagged = test.scores > threshold
    rates = {"tpr": flagged[test.abnormal].mean(), "fpr": flagged[~test.abnormal].mean()}
    return {f"{prefix}{name}": float(rate) for name, rate in rates.items()}


def as_metrics(column: str, figures: Figures) -> list[ScoreMetric]:
    """The rows of metrics.csv of one of the clip scores."""
    numbers = {name: value for name, value in figures.items() if not name.endswith(("_low", "_high", "_method"))}
    return [
        ScoreMetric(column, None, name, value, figures.get(f"{name}_low"), figures.get(f"{name}_high"))
        for name, value in numbers.items()
    ]


def official_metrics(
    scores: RunScores, column: str, section: Section, settings: Mapping[str, Any]
) -> list[ScoreMetric]:
    """The year's official score of one of the clip scores, and its parts in each domain; none of other data."""
    clips = scores.clips(column)
    year = scored_year(section.snr, domains=any(clips.domains))
    if year is None:
        return []
    from mimii.evaluation.official_score import score_of_run  # imports scipy, which other data do not need

    resampling = {"samples": settings["bootstrap_samples"], "confidence": settings["confidence"]}
    values_of_run = score_of_run(year, section, clips, **resampling)
    return [ScoreMetric(column, domain, metric, *values) for domain, metric, values in values_of_run]


def official_columns(metrics: Sequence[ScoreMetric]) -> Figures:
    """The columns of results.csv that `official_metrics` fills; None where there is no such value."""
    found = {(one.domain, one.metric): one for one in metrics}
    return {
        f"{column}{end}": getattr(found.get(key), attribute, None)
        for key, column in OFFICIAL.items()
        for end, attribute in (("", "value"), ("_low", "low"), ("_high", "high"))
    }


def kind_metrics(scores: RunScores, column: str, settings: Mapping[str, Any]) -> list[ScoreMetric]:
    """The AUC of one of the clip scores for each kind of fault; none where the dataset does not tell them apart."""
    test = scores.clips(column)
    metrics = []
    for kind, clips in clips_of_kinds(test.abnormal, test.attributes).items():
        figures = metrics_with_intervals(test.abnormal[clips], test.scores[clips], settings)
        value, low, high = (figures[name] for name in ("auc", "auc_low", "auc_high"))
        metrics.append(ScoreMetric(column, None, "auc", value, low, high, attributes=kind))
    return metrics


def names_and_settings(training: TrainingRecord, scoring: ScoringRecord) -> Figures:
    """What was run. A setting that a kind of model does not have is empty; of external scores none is known."""
    name, features = training.run_name(scoring.section), training.features
    return {
        "model": training.model,
        "variant": training.variant,
        "seed": training.seed,
        "db_level": name.section.snr,
        "machine_type": name.section.machine,
        "machine_id": name.section.id,
        "run_path": name.path,
        "training_path": name.path.removesuffix(scoring.section) + training.scope,
        **{name: training.settings.get(name) for name in MODEL_SETTINGS},
        **{name: features.get(name) for name in FEATURE_SETTINGS},
        "channel": str(features["channel"]) if "channel" in features else None,
        "features": to_json(features),
        "settings": to_json(training.settings),
    }


def counts(scores: RunScores, training: TrainingRecord, scoring: ScoringRecord) -> Figures:
    """How many clips and windows were trained on, held out, scored and skipped."""
    normal, abnormal = (scores.count("test", label) for label in ("normal", "abnormal"))
    skipped = [clip.path for clip in training.skipped_clips]
    return {
        "train_files": training.train_clips,
        "validation_files": training.validation_clips,
        "eval_files": normal + abnormal,
        "normal_test_clips": normal,
        "abnormal_test_clips": abnormal,
        "train_samples": training.train_windows,
        "test_samples": scoring.test_windows,
        "skipped_clips": len(skipped),
        "skipped_paths": to_json(skipped) if skipped else None,
        "top_k": scoring.scoring.top_k if scoring.scoring else None,
    }


def costs(training: TrainingRecord, scoring: ScoringRecord) -> Figures:
    """Time, memory and size, and how training went."""
    return {
        "training_time_sec": training.training_time_sec,
        "training_cpu_sec": training.training_cpu_sec,
        "features_cpu_sec": training.features_cpu_sec,
        "scoring_time_sec": scoring.scoring_time_sec,
        "scoring_cpu_sec": scoring.scoring_cpu_sec,
        "features_cpu_per_clip_ms": scoring.features_cpu_per_clip_ms,
        "training_load": training.load,
        "scoring_load": scoring.load,
        "inference_time_ms": scoring.inference_time_ms,
        "inference_time_per_clip_ms": scoring.inference_time_per_clip_ms,
        "throughput_samples_per_sec": scoring.throughput_samples_per_sec,
        "model_size_mb": training.model_size_mb,
        "num_parameters": training.num_parameters,
        "memory_usage_mb": _larger(training.peak_gpu_memory_mb, scoring.peak_gpu_memory_mb),
        "peak_host_memory_mb": _larger(training.peak_host_memory_mb, scoring.peak_host_memory_mb),
        "memory_above_imports_mb": _larger(_above_imports(training), _above_imports(scoring)),
        "training_loss": training.training_loss,
        "validation_loss": training.validation_loss,
        "epochs_run": training.epochs_run,
        "kept_epoch": training.kept_epoch,
    }


def provenance(training: TrainingRecord, scoring: ScoringRecord) -> Figures:
    """Where, with what and of what the run was made."""
    recordings = {section: each.plain() for section, each in training.recordings.items()}
    return {
        "recordings": to_json(recordings),
        "device": training.device,
        "scoring_device": scoring.device,
        "threads": training.threads,
        "blas": training.blas,
        "host": training.host,
        "scoring_host": scoring.host,
        "versions": to_json(training.versions) if training.versions else None,
        "training_code": training.code,
        "scoring_code": scoring.code,
        "model_sha256": training.model_sha256,
        "scores_sha256": scoring.scores_sha256,
        "members": to_json(scoring.members) if scoring.members else None,
        "git_revision": training.git_revision,
    }


def _above_imports(record: TrainingRecord | ScoringRecord) -> float | None:
    if record.peak_host_memory_mb is None or record.imports_memory_mb is None:
        return None
    # The kernel counts in batches: a peak that it tells later may be some 100 kB lower.
    return max(0.0, record.peak_host_memory_mb - record.imports_memory_mb)


def _larger(*values: float | None) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _check_finite(clips: ClipScores, column: str, run_path: str) -> None:
    broken = np.flatnonzero(~np.isfinite(clips.scores))
    if len(broken):
        raise UserError(
            f"run {run_path}: {len(broken)} of {len(clips.scores)} clips have a {column} score that is not a number "
            f"(first: {clips.paths[broken[0]]}, {clips.scores[broken[0]]}); the model failed: look at its training "
            "losses, lower its learning rate, then run it again"
        )
