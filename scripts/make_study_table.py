"""Write the table of a study as Markdown, LaTeX and HTML."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.evaluation.results import read_results
from mimii.paper.study_tables import study_table, write_study_table

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="CSV of the study")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: study, variants in order, varied settings")
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    arguments = parser.parse_args()
    job = arguments.job
    with exit_on_user_error():
        results = read_results(arguments.results)
        table = study_table(results, arguments.runs, job["study"], job["variants"], job["varied"])
        write_study_table(table, arguments.output)
