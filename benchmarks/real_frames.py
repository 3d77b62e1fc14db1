"""How good every model is on real sound, what training adds, and what references reach: for docs/quality.md.

    python benchmarks/real_frames.py FOLDER [--out OUT] [--models vae ...] [--ids toycar_id_01 ...] [--seeds 42 ...]
                                              [--tables] [--page]

FOLDER holds log-mels of real recordings; docs/quality.md says which files, and how to make them. Every model is fitted
with its defaults on each ToyCar ID, one that learns from several machines on all given IDs together: a stochastic one
once a seed, a deterministic one once, and a network once more without any training (`epochs: 0`). Clip scores go to
OUT/scores, a file for each fit and ID, which are kept: the same command goes on where it was stopped, and fits again
what has other settings, code or recordings. `--tables` fits nothing, and takes what is there. From these it makes
OUT/results.csv (each score of each model), OUT/training_adds.csv, OUT/clip_means.csv and OUT/real_sound.md. With
--page they also become those of docs/quality/, where rows of models that this run has none of stay, and the tables of
docs/quality.md.

Intervals: percentile bootstrap; a resample draws clips, within each label, and seeds, both with replacement; the same
clips for all models of an ID. A single MIMII ID's: as in results.csv (logit, a bound where the AUC is 1).
"""

import argparse
import hashlib
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from real_sound_tables import (
    DOCS,
    FIGURES,
    MEAN_OF_IDS,
    TRAINED,
    UNTRAINED,
    Row,
    as_text,
    markdown,
    put_into_page,
    read_csv,
)

from mimii.common.csv_files import write_csv
from mimii.common.declarations import resolve
from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.common.fingerprints import fingerprint
from mimii.data.audio import read_clip
from mimii.data.split import fit_count, split_normal
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import model_declaration, model_names
from mimii.evaluation.intervals import percentile_interval, resample_counts, section_interval
from mimii.evaluation.metrics import METRICS, curves_of, metric_values
from mimii.features.clips import Clips, Group
from mimii.features.log_mel import Extractor
from mimii.features.settings import resolve_features

TESTED_NORMAL, VALIDATION = 100, 25
N_MELS, FRAMES = 128, slice(50, 250)  # of a file that is made here
# What defaults of models were settled on; figures on these are marked, the others are the headline.
SETTLED_ON = ("toycar_id_01", "mimii_fan")
SEEDS = (42, 43, 44, 45, 46)
SAMPLES = 1000  # resamples of an interval
TOP_K = 10
SHOWN = {name: METRICS[name] for name in ("auc", "pauc")}
# Models with other settings than their defaults: name here -> model, settings.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "mahalanobis of windows": ("mahalanobis", {"vector": "stacked", "frames": 5})
}


# --- what is in the folder -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Section:
    """Clips of one machine ID. log_mel: (clips, frames, n_mels) float32, dB."""

    name: str
    clips: list[str]
    abnormal: NDArray[np.bool_]
    log_mel: NDArray[np.float32]
    content: str

    def part(self, names: Sequence[str]) -> Clips:
        """The clips of these names, copied."""
        place = {name: row for row, name in enumerate(self.clips)}
        frames = self.log_mel[[place[name] for name in names]]
        lengths = np.full(len(frames), frames.shape[1])
        return Clips(frames.reshape(-1, frames.shape[-1]), lengths, (Group(self.name),) * len(frames))

    def split(self) -> tuple[list[str], list[str], list[str]]:
        """Names of the clips to fit on, to validate on and to test: by name, as docs/protocol.md has it."""
        normal = sorted(name for name, abnormal in zip(self.clips, self.abnormal, strict=True) if not abnormal)
        training, tested = normal[TESTED_NORMAL:], normal[:TESTED_NORMAL]
        abnormal = sorted(set(self.clips) - set(normal))
        return training[:-VALIDATION], training[-VALIDATION:], tested + abnormal


def read_section(folder: Path, name: str) -> Section:
    """The recordings of one ID. Raises UserError where the file is missing or has too few clips."""
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise UserError(f"{path}: is missing; docs/quality.md says what such a folder holds and how to make one")
    table = pq.read_table(path)
    values = table["log_mel"].combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    abnormal = np.array(table["label"].to_pylist()) == "abnormal"
    if np.sum(~abnormal) < TESTED_NORMAL + VALIDATION + 2 or not abnormal.any():
        raise UserError(f"{path}: {np.sum(~abnormal)} normal and {np.sum(abnormal)} abnormal clips are too few")
    content = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return Section(name, table["clip"].to_pylist(), abnormal, values.reshape(len(abnormal), -1, N_MELS), content)


def make_section(dcase: Path, path: Path) -> None:
    """Write one ID's file from the development data of DCASE 2020 task 2.

    dcase: the folder that holds `ToyCar/test`. path: such as toycar_id_01.parquet.
    Raises UserError where there are no recordings.
    """
    id = path.stem.removeprefix("toycar_")
    recordings = sorted((dcase / "ToyCar" / "test").glob(f"*_{id}_*.wav"))
    if not recordings:
        raise UserError(f"{dcase}: holds no ToyCar/test/*_{id}_*.wav of DCASE 2020's development data")
    extractor = Extractor(resolve_features({"n_mels": N_MELS}))
    frames = []
    for recording in recordings:
        samples, _ = read_clip(str(recording), 0, name=recording.name)
        frames.append(extractor.log_mel(samples)[FRAMES].astype(np.float16).ravel())
    columns = {
        "clip": [recording.stem for recording in recordings],
        "label": ["normal" if recording.name.startswith("normal") else "abnormal" for recording in recordings],
        "log_mel": pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(frames)), len(frames[0])),
    }
    with written_whole(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


# --- fits and their clip scores --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fit:
    """One model with one seed, trained or with its first weights, on one section or on several together."""

    sections: tuple[str, ...]
    model: str
    weights: str
    seed: int

    def path(self, out: Path, section: str) -> Path:
        """Where its clip scores of a section lie."""
        return out / "scores" / section / self.model / self.weights / f"seed={self.seed}.parquet"

    def settings(self) -> dict[str, Any]:
        """The model's defaults; without training, no epoch."""
        model, own = of_library(self.model)
        settings = resolve(model_declaration(model).settings, own)
        return settings | ({"epochs": 0} if self.weights == UNTRAINED else {})


def of_library(name: str) -> tuple[str, dict[str, Any]]:
    """The model behind a name of the tables, and settings that are not its defaults."""
    return VARIANTS.get(name, (name, {}))


def train_per(model: str) -> str:
    """What a model learns from by default: `section`, or several of them."""
    return str(model_declaration(of_library(model)[0]).settings["train_per"]["default"])


def fits_of(sections: Sequence[str], models: Sequence[str], seeds: Sequence[int]) -> Iterator[Fit]:
    """Every fit that the page shows, seed by seed, so that what is there early is whole."""
    for seed, model in itertools.product(seeds, models):
        declared = model_declaration(of_library(model)[0])
        if seed != seeds[0] and not declared.stochastic:
            continue
        together = [(name,) for name in sections] if train_per(model) == "section" else [tuple(sections)]
        states = (UNTRAINED, TRAINED) if "epochs" in declared.settings else (TRAINED,)
        for fitted_on, weights in itertools.product(together, states):
            yield Fit(fitted_on, model, weights, seed)


def fit_and_score(fit: Fit, sections: Sequence[Section], out: Path) -> float | None:
    """Write the clip scores of a fit, a file for each of its sections and a column for each score.

    sections: those of the fit. Returns the CPU seconds of the training, None where the scores are already there.
    """
    model, _ = of_library(fit.model)
    key = json.dumps(
        {
            "settings": fit.settings(),
            "code": fingerprint("mimii.detectors.contract", f"mimii.models.{model}"),
            "recordings": " ".join(section.content for section in sections),
        },
        sort_keys=True,
    )
    if all(key_of(fit.path(out, section.name)) == key for section in sections):
        return None
    fitted, validated = (Clips.joined([section.part(section.split()[part]) for section in sections]) for part in (0, 1))
    detector = detector_class(model)(fit.settings(), fitted.n_mels, seed=fit.seed)
    started = time.process_time()
    detector.fit(fitted, validated)
    seconds = time.process_time() - started
    for section in sections:
        tested = section.split()[2]
        table = pa.table({"clip": tested, **detector.clip_scores(section.part(tested), top_k=TOP_K)})
        with written_whole(fit.path(out, section.name)) as temporary:
            pq.write_table(table.replace_schema_metadata({"key": key, "training_s": str(seconds)}), temporary)
    return seconds


def key_of(path: Path) -> str | None:
    """What the clip scores in a file were computed from; None where there are none."""
    return pq.read_schema(path).metadata.get(b"key", b"").decode() if path.is_file() else None


# --- figures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """One metric of one clip score. by_seed: (seeds,); resampled: (SAMPLES,), over clips and seeds together."""

    by_seed: NDArray[np.float64]
    resampled: NDArray[np.float64]

    def __sub__(self, other: "Estimate") -> "Estimate":
        """Paired by clip, and by seed where both have several: the same seed draws the same first weights."""
        return Estimate(self.by_seed - other.by_seed, self.resampled - other.resampled)

    def row(self) -> dict[str, float | None]:
        """Mean over seeds, interval, deviation between seeds (None from one seed)."""
        low, high = percentile_interval(self.resampled)
        deviation = float(self.by_seed.std(ddof=1)) if len(self.by_seed) > 1 else None
        return {"value": float(self.by_seed.mean()), "low": low, "high": high, "seed_deviation": deviation}


def estimates(
    scores: Sequence[NDArray[np.float64]], abnormal: NDArray[np.bool_], *, draw: int = 0
) -> dict[str, Estimate]:
    """AUC and pAUC of a model. scores: one array (clips,) a seed; abnormal: (clips,).

    draw: with another one other clips are drawn.
    """
    # From fixed seeds: all models of a section meet the same clips, and those with as many seeds the same seeds.
    counts = np.vstack(
        [np.ones((1, len(abnormal)), np.int64), resample_counts(abnormal, SAMPLES, np.random.default_rng(draw))]
    )
    metrics = [metric_values(curves_of(abnormal, values, counts), SHOWN) for values in scores]
    drawn = np.random.default_rng(1).integers(len(scores), size=(SAMPLES, len(scores)))
    of_metrics = {}
    for name in SHOWN:
        values = np.array([metric[name] for metric in metrics])
        resampled = np.take_along_axis(values[:, 1:].T, drawn, axis=1).mean(1)
        of_metrics[name] = Estimate(values[:, 0], resampled)
    return of_metrics


Key = tuple[str, str, str]  # model, weights, score


def section_estimates(
    section: Section, out: Path, fits: Sequence[Fit]
) -> tuple[dict[tuple[str, str], dict[int, float]], dict[Key, dict[str, Estimate]]]:
    """CPU seconds of the training of each seed by (model, weights), and the estimates of each score, of what is there
    so far."""
    abnormal_names = {name for name, abnormal in zip(section.clips, section.abnormal, strict=True) if abnormal}
    tested = section.split()[2]
    abnormal = np.array([name in abnormal_names for name in tested])
    columns: dict[Key, list[NDArray[np.float64]]] = {}
    seconds: dict[tuple[str, str], dict[int, float]] = {}
    for fit in fits:
        path = fit.path(out, section.name)
        if section.name not in fit.sections or not path.is_file():
            continue
        table = pq.read_table(path)
        seconds.setdefault((fit.model, fit.weights), {})[fit.seed] = float(table.schema.metadata[b"training_s"])
        for score in table.column_names[1:]:
            columns.setdefault((fit.model, fit.weights, score), []).append(table[score].to_numpy())
    return seconds, {key: estimates(values, abnormal) for key, values in columns.items()}


def training_adds(of_scores: dict[Key, dict[str, Estimate]]) -> Iterator[tuple[str, str, str, dict[str, Estimate]]]:
    """(model, score, what it is compared with, difference of each metric) of every trained network."""
    reference = of_scores.get(("mahalanobis", TRAINED, "mean"))
    for (model, weights, score), estimate in of_scores.items():
        if weights != TRAINED or model == "mahalanobis":
            continue
        untrained = of_scores.get((model, UNTRAINED, score))
        if untrained and all(len(untrained[name].by_seed) == len(estimate[name].by_seed) for name in SHOWN):
            yield model, score, UNTRAINED, {n: estimate[n] - untrained[n] for n in SHOWN}
        if reference:
            yield model, score, "mahalanobis", {n: estimate[n] - reference[n] for n in SHOWN}


# --- MIMII's own clip means ------------------------------------------------------------------------------------------


def clip_mean_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Models that take a clip as one vector, on the mean log-mel of every MIMII clip of two machine types."""
    for machine in ("fan", "slider"):
        path = folder / f"mimii_{machine}_clip_means.parquet"
        if not path.is_file():
            continue
        table = pq.read_table(path)
        vectors = table["log_mel"].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1)
        labels, snrs, ids = (np.array(table[name].to_pylist()) for name in ("label", "snr", "id"))
        start = {"machine": machine, "settled_on": f"mimii_{machine}" in SETTLED_ON}
        for snr, model in itertools.product(sorted(set(snrs)), models_of_vectors()):
            of_ids = {}
            for number, id in enumerate(sorted(set(ids))):
                rows = (snrs == snr) & (ids == id)
                normal, abnormal = (vectors[rows & (labels == label)] for label in ("normal", "abnormal"))
                of_ids[id] = score_means(model, normal, abnormal, draw=number)
                of_one = _with_section_intervals(of_ids[id], len(abnormal))
                yield start | {"snr": snr, "id": id, "model": model} | of_one
            yield start | {"snr": snr, "id": MEAN_OF_IDS, "model": model} | _flat(mean_of([*of_ids.values()]))


def models_of_vectors() -> list[str]:
    """Models that see a clip as one vector, its mean log-mel."""
    return [name for name in model_names() if "vector" in model_declaration(name).settings]


def mean_of(parts: Sequence[dict[str, Estimate]]) -> dict[str, Estimate]:
    """The mean over machine IDs, whose clips are resampled each for themselves."""
    return {
        name: Estimate(
            np.mean([part[name].by_seed for part in parts], axis=0),
            np.mean([part[name].resampled for part in parts], axis=0),
        )
        for name in SHOWN
    }


def score_means(
    model: str, normal: NDArray[np.float32], abnormal: NDArray[np.float32], *, draw: int
) -> dict[str, Estimate]:
    """AUC and pAUC of a model with the protocol's split. normal, abnormal: (clips, n_mels)."""
    names = [f"{number:08d}" for number in range(len(normal))]
    training, _ = split_normal(names, len(abnormal))
    training_rows = normal[[int(name) for name in training]]
    tested = np.concatenate([normal[: len(abnormal)], abnormal])
    settings = resolve(model_declaration(model).settings) | {"vector": "mean"}
    fitted = fit_count(len(training_rows), settings["val_split"])
    detector = detector_class(model)(settings, normal.shape[1], seed=SEEDS[0])
    detector.fit(_one_frame_clips(training_rows[:fitted]), _one_frame_clips(training_rows[fitted:]))
    scores = detector.clip_scores(_one_frame_clips(tested), top_k=1)["mean"]
    return estimates([scores], np.arange(len(tested)) >= len(abnormal), draw=draw)


def _one_frame_clips(vectors: NDArray[np.float32]) -> Clips:
    return Clips(vectors.copy(), np.ones(len(vectors), np.int64))


# --- tables ----------------------------------------------------------------------------------------------------------


def result_rows(section: Section, out: Path, fits: Sequence[Fit]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of results.csv and of training_adds.csv."""
    seconds, of_scores = section_estimates(section, out, fits)
    start = {"section": section.name, "settled_on": section.name in SETTLED_ON}
    results, adds = [], []
    for (model, weights, score), estimate in of_scores.items():
        of_seeds = seconds[model, weights]
        row = start | {"model": model, "train_per": train_per(model), "weights": weights, "score": score}
        row |= {"seeds": " ".join(map(str, of_seeds))}
        results.append(row | _flat(estimate) | {"training_s": float(np.mean([*of_seeds.values()]))})
    for model, score, against, difference in training_adds(of_scores):
        adds.append(start | {"model": model, "score": score, "against": against} | _flat(difference))
    return results, adds


def _flat(estimate: dict[str, Estimate]) -> dict[str, float | None]:
    return {
        name if key == "value" else f"{name}_{key}": value
        for name in SHOWN
        for key, value in estimate[name].row().items()
    }


def _with_section_intervals(estimate: dict[str, Estimate], clips: int) -> dict[str, float | None]:
    """clips: how many normal ones were tested, and as many abnormal ones."""
    row = _flat(estimate)
    for name, metric in SHOWN.items():
        resampled = estimate[name].resampled
        low, high = section_interval(metric, float(row[name] or 0), resampled, normal=clips, abnormal=clips)
        row |= {f"{name}_low": low, f"{name}_high": high}
    return row


def main() -> None:
    """Fit what is missing, then make every table of what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/real_frames"), help="where results go")
    models = (*model_names(), *VARIANTS)
    parser.add_argument("--models", nargs="+", choices=models, default=models)
    parser.add_argument("--ids", nargs="+", default=["toycar_id_01", "toycar_id_02"], help="files of ToyCar IDs")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--make", type=Path, metavar="DCASE", help="make FOLDER's missing files of ToyCar from this")
    parser.add_argument("--tables", action="store_true", help="fit nothing: tables of what is there")
    parser.add_argument("--page", action="store_true", help="the tables become those of docs/quality.md")
    arguments = parser.parse_args()
    for name in arguments.ids if arguments.make else ():
        if not (arguments.folder / f"{name}.parquet").exists():
            make_section(arguments.make, arguments.folder / f"{name}.parquet")
    sections = [read_section(arguments.folder, name) for name in arguments.ids]
    fits = list(fits_of(arguments.ids, arguments.models, arguments.seeds))
    for fit in () if arguments.tables else fits:
        seconds = fit_and_score(fit, [section for section in sections if section.name in fit.sections], arguments.out)
        if seconds is not None:
            places = ", ".join(str(fit.path(arguments.out, name)) for name in fit.sections)
            print(f"{places}: {seconds:.1f} s of training", flush=True)
    results, adds = [], []
    for section in sections:
        rows = result_rows(section, arguments.out, fits)
        results += rows[0]
        adds += rows[1]
    means = list(clip_mean_rows(arguments.folder))
    write_figures(
        dict(zip(FIGURES, map(as_text, (results, adds, means)), strict=True)), arguments.out, page=arguments.page
    )


def write_figures(figures: dict[str, list[Row]], out: Path, *, page: bool) -> None:
    """Write the CSV of each of `FIGURES` and the tables; page: those of docs/, too."""
    write_csvs(figures, out)
    with written_whole(out / "real_sound.md") as path:
        path.write_text(markdown(*figures.values()))
    print(f"{out}/real_sound.md")
    if page:
        kept = {name: with_other_models(rows, DOCS / "quality" / f"{name}.csv") for name, rows in figures.items()}
        write_csvs(kept, DOCS / "quality")
        put_into_page(DOCS / "quality.md", markdown(*kept.values()))
        print(DOCS / "quality.md")


def write_csvs(figures: dict[str, list[Row]], folder: Path) -> None:
    """A file for each that has rows."""
    for name, rows in figures.items():
        if rows:
            write_csv(folder / f"{name}.csv", list(rows[0]), rows)


def with_other_models(rows: list[Row], path: Path) -> list[Row]:
    """The rows, and before them those of a file whose models they have none of."""
    models = {row["model"] for row in rows}
    return [row for row in read_csv(path) if row["model"] not in models] + rows


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
