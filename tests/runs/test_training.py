"""No leak: what is learnt depends on the fitted clips alone. Nothing is written of a training that failed."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from mimii.common.declarations import resolve
from mimii.common.errors import UserError
from mimii.data.recordings import Clip
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import model_declaration, model_names
from mimii.features.clips import Clips
from mimii.features.file import FeaturesMetadata, FeatureWriter, read_clips, read_clips_of_files
from mimii.features.record import ExtractionRecord, read_extraction
from mimii.features.settings import feature_declarations
from mimii.runs import scoring, training
from mimii.runs.clip_scores import ABOUT
from mimii.runs.records import ScoringRecord, TrainingRecord

N_MELS, FRAMES, TRAIN, TEST = 16, 40, 14, 3
FITTED, VALIDATION, TESTED = range(11), range(11, TRAIN), range(TRAIN, TRAIN + 2 * TEST)
SECTION = "6dB/fan/id_00"
# By the setting train_per: the sections that a model is trained on, with the path of all.
SCOPES = {
    "section": {SECTION: SECTION},
    "machine_type": dict.fromkeys((SECTION, "6dB/fan/id_02"), "6dB/fan"),
    "snr": dict.fromkeys((SECTION, "6dB/fan/id_02", "6dB/pump/id_00"), "6dB"),
}


def write_features(path, changed=(), section=SECTION):
    """Rows in the benchmark's order: training, normal test, abnormal test. changed: rows with other sound, of the other
    domain and with attributes that no other has.
    """
    kinds = [("normal", "train")] * TRAIN + [("normal", "test")] * TEST + [("abnormal", "test")] * TEST
    settings = resolve(feature_declarations(), {"n_mels": N_MELS})
    with FeatureWriter(path, FeaturesMetadata(section, settings)) as writer:
        for row, (label, split) in enumerate(kinds):
            rng = np.random.default_rng([row, row in changed, *section.encode()])
            log_mel = rng.normal(-40 + 30 * (row in changed), 5, (FRAMES, N_MELS)).astype(np.float32)
            domain, attributes = belongs(row, row in changed)
            writer.add(Clip(f"{section}/{label}/{row:08d}.wav", label, split, domain, attributes), log_mel)
    return path


def belongs(row, changed=False):
    """Domain and attributes of a clip: every third is of the target domain, every other at another speed."""
    domain = "target" if (row % 3 == 2) != changed else "source"
    return domain, "speed_3" if changed else f"speed_{row % 2}"


def each_scope(name):
    """A model with what it is trained on; what is not its default is slow."""
    default = model_declaration(name).settings["train_per"]["default"]
    marks = {scope: [] if scope == default else [pytest.mark.slow] for scope in SCOPES}
    return [pytest.param((name, scope), id=f"{name}-{scope}", marks=marks[scope]) for scope in SCOPES]


@pytest.fixture(params=[param for name in model_names() for param in each_scope(name)])
def run(request, tmp_path):
    """Trains a model on features of each section of its scope with some rows changed in all: a folder of files."""
    name, train_per = request.param if isinstance(request.param, tuple) else (request.param, "section")
    declared = model_declaration(name).settings
    quick = {"epochs": 2, "trees": 10, "latent": 4, "components": 4, "val_split": 0.2, "train_per": train_per}
    settings = resolve(declared, {key: value for key, value in quick.items() if key in declared})
    sections = SCOPES[train_per]

    def train(*changed):
        folder = tmp_path / f"changed_{'_'.join(map(str, changed))}"
        folder.mkdir()
        names = ["features.parquet", "others_1.parquet", "others_2.parquet"]
        features = [
            write_features(folder / file, changed, section) for file, section in zip(names, sections, strict=False)
        ]
        job = {"model": name, "variant": "x", "seed": 1, "scope": sections[SECTION], "settings": settings}
        job |= {"recordings": dict.fromkeys(sections, "")}
        job |= {"features": resolve(feature_declarations(), {"n_mels": N_MELS}), "code": "x"}
        files = {"model_file": folder / "model", "losses_file": folder / "losses", "record_file": folder / "record"}
        training.train_model(features, job, **files, device="cpu", threads=1)
        return folder

    return train


def scores_of(folder):
    """Every score of the same clips, whatever the model was trained on; the name of each, and (clips,)."""
    record = TrainingRecord.read(folder / "record")
    detector = scoring.load_detector(folder / "model", record, device="cpu")
    return detector.clip_scores(read_clips(write_features(folder / "same.parquet"), list(TESTED)), top_k=3)


def score(folder, features):
    """Score the features' test clips with a trained model, into scores.parquet and scoring."""
    files = {"scores_file": folder / "scores.parquet", "record_file": folder / "scoring"}
    job = {"model": "any", "section": SECTION, "scoring": {"top_k": 3}, "code": "x"}
    scoring.score_clips(features, folder / "model", folder / "record", job, **files, device="cpu", threads=1)


def test_a_model_is_learnt_from_the_fitted_clips_alone(run):
    scores, others = scores_of(run()), [scores_of(run(*changed)) for changed in (TESTED, VALIDATION)]
    other_fitted = scores_of(run(FITTED[0]))
    for name, values in scores.items():
        for same in others:
            np.testing.assert_array_equal(same[name], values)
        assert not np.array_equal(other_fitted[name], values)


def test_losses_of_the_test_clips_are_never_looked_at(run):
    losses, other = (pq.read_table(run(*changed) / "losses").to_pylist() for changed in ((), TESTED))
    assert losses == other


def test_clips_are_fitted_held_out_or_tested_and_each_once(run, monkeypatch):
    read = []

    def read_of_files(rows):
        read.extend(map(list, rows.values()))
        return read_clips_of_files(rows)

    monkeypatch.setattr(training, "read_clips_of_files", read_of_files)
    monkeypatch.setattr(scoring, "read_clips", lambda path, rows: read_of_files({path: rows}))
    folder = run()
    sections = len(TrainingRecord.read(folder / "record").recordings)
    score(folder, folder / "features.parquet")
    assert read == [list(FITTED)] * sections + [list(VALIDATION)] * sections + [[*TESTED, *VALIDATION]]
    table = pq.read_table(folder / "scores.parquet").to_pydict()
    held_out = [path for path, split in zip(table["path"], table["split"], strict=True) if split == "validation"]
    assert held_out == [f"{SECTION}/normal/{row:08d}.wav" for row in VALIDATION]


def test_labels_exchanged_between_half_of_the_test_clips_give_an_auc_of_one_half(run):
    """Abnormal clips sound otherwise, and every model hears it; a score that knew the label would not lose it."""
    folder = run()
    labels = np.arange(40) % 2
    exchanged = np.where(np.arange(40) % 4 < 2, labels, 1 - labels)
    aucs = []
    for name, told in (("right", labels), ("exchanged", exchanged)):
        features = write_test_clips(folder / f"{name}.parquet", heard=labels, told=told)
        score(folder, features)
        table = pq.read_table(folder / "scores.parquet", filters=[("split", "==", "test")]).to_pydict()
        abnormal = [label == "abnormal" for label in table["label"]]
        aucs.append([roc_auc_score(abnormal, table[column]) for column in table if column not in ABOUT])
    assert min(aucs[0]) == 1
    assert max(abs(auc - 0.5) for auc in aucs[1]) < 0.15


def write_test_clips(path, heard, told):
    """Test clips that sound abnormal where `heard` is 1 and are called so where `told` is."""
    settings = resolve(feature_declarations(), {"n_mels": N_MELS})
    with FeatureWriter(path, FeaturesMetadata(SECTION, settings)) as writer:
        for called in (0, 1):
            for row in np.flatnonzero(told == called):
                rng = np.random.default_rng([1000, row])
                log_mel = rng.normal(-40 + 30 * heard[row], 5, (FRAMES, N_MELS)).astype(np.float32)
                label = ("normal", "abnormal")[called]
                writer.add(Clip(f"{SECTION}/{label}/{row:08d}.wav", label, "test", *belongs(row)), log_mel)
    return path


@pytest.mark.parametrize("run", ["simple_ae", "vae", "conv_ae"], indirect=True)
def test_a_training_that_diverges_leaves_no_file(run, tmp_path, monkeypatch, request):
    cls = detector_class(request.node.callspec.params["run"])
    loss = cls.loss
    monkeypatch.setattr(cls, "loss", lambda self, windows, epoch: loss(self, windows, epoch) * float("nan"))
    with pytest.raises(UserError, match="diverged"):
        run()
    assert [path.name for path in (tmp_path / "changed_").iterdir()] == ["features.parquet"]


@pytest.mark.parametrize("run", ["pca"], indirect=True)
@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_scores_that_are_not_finite_leave_no_file(run, value, monkeypatch):
    folder = run()
    cls = detector_class("pca")
    vector_scores = cls.vector_scores

    def broken(self, vectors):
        scores = vector_scores(self, vectors)
        scores[-1] = value
        return scores

    monkeypatch.setattr(cls, "vector_scores", broken)
    with pytest.raises(UserError, match="not a finite number"):
        score(folder, folder / "features.parquet")
    assert not any((folder / name).exists() for name in ("scores.parquet", "scoring"))


@pytest.mark.parametrize("run", ["simple_ae"], indirect=True)
@pytest.mark.parametrize("kept", [1, 2])
def test_the_recorded_losses_are_those_of_the_kept_epoch(run, kept, monkeypatch):
    cls = detector_class("simple_ae")
    fit = cls.fit

    def fit_and_keep(self, *clips):
        return replace(fit(self, *clips), kept_epoch=kept)

    monkeypatch.setattr(cls, "fit", fit_and_keep)
    folder = run()
    losses, record = pq.read_table(folder / "losses").to_pylist(), json.loads((folder / "record").read_text())
    assert {name: record[name] for name in ("training_loss", "validation_loss")} == {
        name: losses[kept - 1][name] for name in ("training_loss", "validation_loss")
    }
    assert losses[0] != losses[1]


def write_extraction(features, seconds):
    """What 18 clips cost, beside their features."""
    cost = {"extraction_time_sec": 9.0, "extraction_cpu_sec": seconds, "load": 0.5}
    where = {"device": "cpu", "threads": 1, "host": "node1"}
    ExtractionRecord(SECTION, clips=18, **cost, **where).write(features.with_suffix(".extraction.json"))


def test_features_are_costs_of_every_section_that_is_trained_on_and_of_the_clip_that_is_scored(tmp_path):
    features = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    write_extraction(features[0], 1.8)
    assert training.features_cpu_sec(features[:1]) == 1.8
    assert training.features_cpu_sec(features) is None  # of the second nothing is known
    write_extraction(features[1], 3.0)
    assert training.features_cpu_sec(features) == 4.8
    assert read_extraction(features[0]).cpu_per_clip_ms == 100


def test_costs_are_recorded_and_do_not_count_the_libraries(run):
    folder = run()
    write_extraction(folder / "features.parquet", 0.9)
    score(folder, folder / "features.parquet")
    records = TrainingRecord.read(folder / "record"), ScoringRecord.read(folder / "scoring")
    assert all(record.load >= 0 for record in records)
    assert all(0 < record.imports_memory_mb < record.peak_host_memory_mb + 5 for record in records)
    assert records[0].training_cpu_sec >= 0  # of a moment the clock tells nothing
    assert records[1].scoring_cpu_sec >= 0
    assert (records[0].features_cpu_sec, records[1].features_cpu_per_clip_ms) == (None, 50)


def test_the_time_of_inference_is_the_quickest_of_repeated_passes(monkeypatch):
    """Whatever else the machine does adds to a time, and takes nothing off."""
    durations = [0.5, 0.2, 0.9]
    ticks = iter(np.cumsum([step for duration in durations for step in (0, duration)]))
    monkeypatch.setattr(scoring.time, "perf_counter", lambda: next(ticks))
    clips = Clips(np.zeros((80, N_MELS), np.float32), np.array([40, 40]))
    detector = detector_class("mahalanobis")(resolve(model_declaration("mahalanobis").settings), N_MELS, seed=1)
    monkeypatch.setattr(detector, "window_scores", lambda clips: np.zeros(2))
    costs = scoring.measure_inference(detector, clips)
    assert costs["inference_time_ms"] == pytest.approx(100)
    assert costs["inference_time_per_clip_ms"] == pytest.approx(100)
    assert costs["throughput_samples_per_sec"] == pytest.approx(10)
