"""Small commands around results: `python -m mimii summary results/results.csv`."""

import argparse
from pathlib import Path

from mimii.errors import exit_on_user_error
from mimii.results import read_results, summary


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mimii", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    summarise = commands.add_parser("summary", help="print averages per model and SNR")
    summarise.add_argument("csv", type=Path)
    arguments = parser.parse_args()
    with exit_on_user_error():
        print(f"\n{summary(read_results(arguments.csv))}\n\nAll results: {arguments.csv}")


if __name__ == "__main__":
    main()
