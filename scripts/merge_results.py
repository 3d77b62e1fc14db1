"""Merge the metrics of exactly the listed runs into one CSV, and refuse what contradicts settings or code."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.evaluation.results import merge_results
from mimii.planning.job_parameters import listed_runs, recorded_columns

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: variants, seeds and sections")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    with exit_on_user_error():
        merge_results(listed_runs(arguments.job), arguments.runs, arguments.output, recorded_columns(arguments.job))
