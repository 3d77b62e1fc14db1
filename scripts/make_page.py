"""Make the result page: one HTML file to look at, compare and listen."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.common.files import written_whole
from mimii.evaluation.compared import Statistics
from mimii.paper.page.assemble import write_page
from mimii.paper.page.board import make_board
from mimii.paper.page.readers import read_folder

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="results.csv")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--statistics", type=Path, required=True, help="folder that make_statistics.py wrote")
    parser.add_argument("--clips", type=Path, nargs="*", default=[], help="files of gather_clips")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: variants, [model, variant] each")
    parser.add_argument("--config", required=True, help="JSON: the configuration")
    parser.add_argument("--output", type=Path, required=True, help="HTML to write")
    parser.add_argument("--config-file", type=Path, required=True, help="JSON to write: the configuration")
    arguments = parser.parse_args()
    with exit_on_user_error():
        with written_whole(arguments.config_file) as temporary:
            temporary.write_text(arguments.config, encoding="utf-8")
        results = read_folder(arguments.results, arguments.runs, arguments.config_file, arguments.clips)
        board = make_board([(results, arguments.job["variants"])], Statistics.read(arguments.statistics))
        write_page([board], arguments.output)
