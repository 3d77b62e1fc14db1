"""A finished run of any model on a few made-up recordings, made as the workflow makes it."""

from workspace import write_recordings

from mimii.data.lookup import open_source
from mimii.data.sections import Section
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import model_declaration
from mimii.evaluation.row import compute_metrics
from mimii.features.extraction import extract_features
from mimii.planning.config import read_config
from mimii.planning.variants import base_variants
from mimii.runs.scoring import score_clips
from mimii.runs.training import train_model

SECTION = "6dB/fan/id_00"
QUICK = {"epochs": 2, "trees": 20}


def write_trained_run(root, model):
    """Write recordings and a finished run of a model below `root`; returns the folders of both."""
    write_recordings(root / "clips" / SECTION, samples=12000)
    declared = model_declaration(model).settings
    config = read_config(
        {
            "dataset": {"root": str(root / "clips")},
            "models": {model: {key: value for key, value in QUICK.items() if key in declared}},
            "features": {"n_mels": 32},
            "scoring": {"top_k": 3},
            "metrics": {"bootstrap_samples": 100},
        }
    )
    (variant,) = base_variants(config)
    features, run = root / "features.parquet", root / "run"
    run.mkdir()
    extract_features(open_source(config["dataset"]), Section.parse(SECTION), variant.features, features)
    job = {
        "model": variant.model,
        "variant": variant.name,
        "seed": 1,
        "scope": SECTION,
        "settings": variant.settings,
        "features": variant.features,
        "code": "",
        "recordings": {SECTION: ""},
    }
    model_file = run / f"model{detector_class(model).suffix}"
    compute = {"device": "cpu", "threads": 1}
    train_model(
        [features],
        job,
        model_file=model_file,
        losses_file=run / "losses.parquet",
        record_file=run / "training.json",
        **compute,
    )
    score_clips(
        features,
        model_file,
        run / "training.json",
        {"model": variant.model, "section": SECTION, "scoring": config["scoring"], "code": ""},
        scores_file=run / "scores.parquet",
        record_file=run / "scoring.json",
        **compute,
    )
    files = [run / name for name in ("scores.parquet", "training.json", "scoring.json")]
    compute_metrics(*files, config["metrics"]).write(run / "metrics.json")
    return root / "clips", run
