"""Score a section's test clips with a trained model: features, model and record in; clip scores and record out."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.common.fingerprints import scoring_modules, unchanged_code
from mimii.common.process import prepare_process
from mimii.runs.scoring import score_clips

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="of the section")
    parser.add_argument("--model-file", type=Path, required=True, help="model.pth or model.npz")
    parser.add_argument("--training", type=Path, required=True, help="training.json")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: scoring settings and code")
    parser.add_argument("--scores", type=Path, required=True, help="scores.parquet to write")
    parser.add_argument("--record", type=Path, required=True, help="scoring.json to write")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 or auto")
    parser.add_argument("--threads", type=int, default=1, help="that compute")
    arguments = parser.parse_args()
    job = arguments.job
    code = unchanged_code(job["code"], *scoring_modules(job["model"]))
    prepare_process()
    with exit_on_user_error(), code:
        score_clips(
            arguments.features,
            arguments.model_file,
            arguments.training,
            job,
            scores_file=arguments.scores,
            record_file=arguments.record,
            device=arguments.device,
            threads=arguments.threads,
        )
