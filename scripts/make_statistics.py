"""Compare the models: averages with intervals, paired differences, ranks over machines, from clip scores."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.evaluation.compared import compute_statistics
from mimii.evaluation.resampling import select_runs
from mimii.evaluation.results import read_results

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="results.csv")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: variants, [model, variant] each")
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    arguments = parser.parse_args()
    with exit_on_user_error():
        frame = select_runs(read_results(arguments.results), arguments.job["variants"])
        statistics = compute_statistics(frame, arguments.runs)
        statistics.write(arguments.output)
