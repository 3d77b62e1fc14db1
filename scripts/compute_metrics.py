"""Compute one run's metrics from its clip scores: AUC, PR-AUC, pAUC, intervals, threshold, and the run's record."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.common.fingerprints import unchanged_code
from mimii.common.process import prepare_process
from mimii.evaluation.row import compute_metrics

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, required=True, help="scores.parquet")
    parser.add_argument("--training", type=Path, required=True, help="training.json")
    parser.add_argument("--scoring", type=Path, required=True, help="scoring.json")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: metrics settings and code")
    parser.add_argument("--output", type=Path, required=True, help="metrics.json")
    arguments = parser.parse_args()
    code = unchanged_code(arguments.job["code"], "mimii.evaluation.row")
    prepare_process()
    with exit_on_user_error(), code:
        record = compute_metrics(
            arguments.scores,
            arguments.training,
            arguments.scoring,
            arguments.job["metrics"],
            code=arguments.job["code"],
        )
        record.write(arguments.output)
