"""Merge the metrics of exactly the runs of a job into one CSV; refuse what contradicts settings, code, recordings."""

import argparse
from pathlib import Path

from mimii.common.canonical import read_json_argument
from mimii.common.errors import exit_on_user_error
from mimii.evaluation.merging import Expectation, merge_results
from mimii.planning.job_parameters import listed_runs, recorded_columns

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--features", type=Path, required=True, help="folder of the features")
    parser.add_argument("--job", type=read_json_argument, required=True, help="JSON, or @file: the runs to merge")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    arguments = parser.parse_args()
    with exit_on_user_error():
        job = arguments.job
        expected = Expectation(recorded_columns(job), job["recordings"], arguments.features, job["features_code"])
        merge_results(listed_runs(arguments.job), arguments.runs, arguments.output, expected)
