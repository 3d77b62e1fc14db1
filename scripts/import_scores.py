"""Take the clip scores of other code: held against the split, then written as a run's scores and records."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.common.process import prepare_process
from mimii.runs.external import import_scores

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, nargs="+", required=True, help="CSV or parquet: columns path and score")
    parser.add_argument("--features", type=Path, required=True, help="features of the section: they name its clips")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: name and section")
    parser.add_argument("--scores", type=Path, required=True, help="scores.parquet to write")
    parser.add_argument("--training", type=Path, required=True, help="training.json to write")
    parser.add_argument("--scoring", type=Path, required=True, help="scoring.json to write")
    arguments = parser.parse_args()
    prepare_process()
    with exit_on_user_error():
        import_scores(
            arguments.source,
            arguments.features,
            arguments.job,
            scores_file=arguments.scores,
            training_file=arguments.training,
            scoring_file=arguments.scoring,
        )
