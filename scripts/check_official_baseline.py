"""Hold the official baseline's preset against the reference run, and write a page that says pass or fail."""

import argparse
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.evaluation.results import read_results
from mimii.paper.official_baseline.check import check
from mimii.paper.official_baseline.table import check_table
from mimii.paper.table_formats import write_tables

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="CSV of the study")
    parser.add_argument("--output", type=Path, required=True, help="folder to write official_baseline.* into")
    arguments = parser.parse_args()
    with exit_on_user_error():
        write_tables([check_table(check(read_results(arguments.results)))], arguments.output)
