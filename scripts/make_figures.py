"""Draw the figures of a paper as SVG, PDF and PNG."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import UserError, exit_on_user_error
from mimii.evaluation.compared import Statistics
from mimii.evaluation.resampling import select_runs
from mimii.evaluation.results import read_results
from mimii.paper.drawing import save
from mimii.paper.results import Results, all_figures

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
    parser.add_argument("--figures", nargs="+", help="names such as roc/6dB; all by default")
    parser.add_argument("--endings", nargs="+", default=["svg", "pdf", "png"], choices=["svg", "pdf", "png"])
    arguments = parser.parse_args()
    with exit_on_user_error():
        frame = select_runs(read_results(arguments.results), arguments.job["variants"])
        statistics = Statistics.read(arguments.statistics)
        drawn = all_figures(Results(frame, statistics, arguments.runs, arguments.job["domains"]))
        for name in arguments.figures or drawn:
            if name not in drawn:
                raise UserError(f"figure {name!r} is unknown; there are {', '.join(drawn)}")
            save(drawn[name](), arguments.output / name, endings=arguments.endings)
