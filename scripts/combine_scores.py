"""Take the mean of several runs' clip scores: an ensemble's scores and records."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.common.fingerprints import ENSEMBLE_MODULE, unchanged_code
from mimii.common.process import prepare_process
from mimii.runs.ensemble import combine_scores

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: the ensemble, its members, its code")
    parser.add_argument("--scores", type=Path, required=True, help="scores.parquet to write")
    parser.add_argument("--training", type=Path, required=True, help="training.json to write")
    parser.add_argument("--scoring", type=Path, required=True, help="scoring.json to write")
    arguments = parser.parse_args()
    prepare_process()
    with exit_on_user_error(), unchanged_code(arguments.job["code"], ENSEMBLE_MODULE):
        combine_scores(
            arguments.runs,
            arguments.job,
            scores_file=arguments.scores,
            training_file=arguments.training,
            scoring_file=arguments.scoring,
        )
