"""Write the tables of a paper as CSV, Markdown, LaTeX and HTML."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.evaluation.compared import Statistics
from mimii.evaluation.resampling import select_runs
from mimii.evaluation.results import read_results
from mimii.paper.results import Results, make_tables
from mimii.paper.table_formats import write_tables

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="results.csv")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--statistics", type=Path, required=True, help="folder that make_statistics wrote")
    parser.add_argument(
        "--job",
        type=json.loads,
        required=True,
        help="JSON: variants, [model, variant] each; domains, SNRs that have any",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    arguments = parser.parse_args()
    with exit_on_user_error():
        frame = select_runs(read_results(arguments.results), arguments.job["variants"])
        statistics = Statistics.read(arguments.statistics)
        write_tables(
            make_tables(Results(frame, statistics, arguments.runs, arguments.job["domains"])), arguments.output
        )
