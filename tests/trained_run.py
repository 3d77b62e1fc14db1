"""A finished run of any model on a few made-up recordings, made as the workflow makes it."""

from pathlib import Path

import in_process
from workspace import write_recordings

from mimii.detectors.declaration import model_declaration
from mimii.planning.plan import Plan

SECTION = "6dB/fan/id_00"
QUICK = {"epochs": 2, "trees": 20}


def write_trained_run(root, model):
    """Write recordings and a finished run of a model below `root`; returns the folders of both."""
    write_recordings(root / "clips" / SECTION, samples=12000)
    declared = model_declaration(model).settings
    plan = Plan(
        {
            "dataset": {"root": str(root / "clips")},
            "models": {model: {key: value for key, value in QUICK.items() if key in declared}},
            "features": {"n_mels": 32},
            "scoring": {"top_k": 3},
            "metrics": {"bootstrap_samples": 100},
            "seeds": [1],
            "paths": {"results": str(root), "features": str(root / "features"), "runs": str(root / "runs")},
        }
    )
    (run,) = plan.runs()
    in_process.finish(plan, [run])
    return root / "clips", Path(plan.runs_root, run.path)
