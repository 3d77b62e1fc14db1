"""Fit one model on one or several sections: features in; model, losses per epoch and training record out."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.common.fingerprints import training_modules, unchanged_code
from mimii.common.process import prepare_process
from mimii.runs.training import train_model

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, nargs="+", required=True, help="of each section of the scope, sorted")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: what is trained, its settings, its code")
    parser.add_argument("--model-file", type=Path, required=True, help="model.pth or model.npz to write")
    parser.add_argument("--losses", type=Path, required=True, help="losses.parquet to write")
    parser.add_argument("--record", type=Path, required=True, help="training.json to write")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 or auto")
    parser.add_argument("--threads", type=int, default=1, help="that compute")
    arguments = parser.parse_args()
    job = arguments.job
    code = unchanged_code(job["code"], *training_modules(job["model"]))
    prepare_process()
    with exit_on_user_error(), code:
        train_model(
            arguments.features,
            job,
            model_file=arguments.model_file,
            losses_file=arguments.losses,
            record_file=arguments.record,
            device=arguments.device,
            threads=arguments.threads,
        )
