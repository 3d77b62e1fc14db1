"""Commands around the workflow: `python -m mimii run`, `summary` and `score`."""

import argparse
import os
import sys
from pathlib import Path

from mimii.errors import exit_on_user_error

# Each command imports what it needs when it runs.


def main() -> None:
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m mimii", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run the workflow, with its progress and what it comes to")
    run.add_argument("--configfile", type=Path, help="used instead of config/config.yaml")
    run.add_argument("--cores", help="jobs at a time on this machine, or all (default: all, or what the profile says)")
    run.add_argument("--profile", help="a folder of profiles/, or a path")
    run.add_argument("--dry-run", action="store_true", help="say what would run, and write nothing")

    summarise = commands.add_parser("summary", help="print averages per model and SNR")
    summarise.add_argument("csv", type=Path)

    arguments = parser.parse_args()
    with exit_on_user_error():
        sys.exit(_run(arguments) if arguments.command == "run" else _summary(arguments.csv))


def _run(arguments: argparse.Namespace) -> int:
    from mimii.launch import Request, launch, quiet_ending, read_yaml
    from mimii.plan import Plan
    from mimii.provenance import REPOSITORY

    configfile = arguments.configfile and arguments.configfile.absolute()
    plan = Plan(read_yaml(configfile or REPOSITORY / "config" / "config.yaml"))
    request = Request(configfile, cores=arguments.cores, profile=arguments.profile, dry_run=arguments.dry_run)
    with quiet_ending():
        code = launch(request, plan)
        if code == 0 and not arguments.dry_run:
            _summary(REPOSITORY / plan.results_csv)
    return code


def _summary(csv: Path) -> int:
    from mimii.results import read_results, summary

    print(f"\n{summary(read_results(csv))}\n\nAll results: {os.path.relpath(csv)}")
    return 0


if __name__ == "__main__":
    main()
