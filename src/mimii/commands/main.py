"""Commands around the workflow: `python -m mimii run`, `summary`, `score`, `compare`, `page` and `share`."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.launch.request import parse_cores
from mimii.launch.stop import quiet_ending

# Each command imports what it needs when it runs.


def main(command_line: Sequence[str] | None = None) -> None:
    """Parse the command line (None: the process's own), do what it says, and exit with its code."""
    arguments = make_parser().parse_args(command_line)
    with quiet_ending(), exit_on_user_error():
        code = COMMANDS[arguments.command](arguments)
        sys.stdout.flush()
    sys.exit(code)


def make_parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = argparse.ArgumentParser(prog="python -m mimii", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run the workflow, with its progress and what it comes to")
    run.add_argument("--configfile", type=Path, help="used instead of config/config.yaml")
    run.add_argument(
        "--cores",
        type=parse_cores,
        help="jobs at a time on this machine, or all (default: all, or what the profile says)",
    )
    run.add_argument("--profile", help="a folder of profiles/, or a path")
    run.add_argument("--report", action="store_true", help="write an HTML report of tables and figures at the end")
    run.add_argument("--dry-run", action="store_true", help="say what would run, and write nothing")

    summarise = commands.add_parser("summary", help="print averages per model and SNR")
    summarise.add_argument("csv", type=Path)

    score = commands.add_parser("score", help="score recordings with a trained model")
    score.add_argument("run", type=Path, help="folder of a run: results/runs/<model>/<variant>/seed=<seed>/<section>")
    score.add_argument("clips", type=Path, nargs="+", metavar="clip", help="wav file, or a folder of them")
    score.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: %(default)s)")

    compare = commands.add_parser(
        "compare", help="say which sections changed beyond noise from one results CSV to another"
    )
    compare.add_argument("old", type=Path, help="results CSV")
    compare.add_argument("new", type=Path, help="results CSV")
    compare.add_argument(
        "--model", nargs="+", action="extend", default=[], help="these alone; exit code 1 where one of them got worse"
    )
    compare.add_argument("--metric", default="auc", help="auc, pr_auc or pauc; of DCASE's data also official_score")
    compare.add_argument("--old-runs", type=Path, help="folder of OLD's runs (default: runs, beside the CSV)")
    compare.add_argument("--new-runs", type=Path, help="folder of NEW's runs (default: runs, beside the CSV)")

    so_far = commands.add_parser("results-so-far", help="CSV and tables of what is finished, while the rest still runs")
    so_far.add_argument("--configfile", type=Path, help="used instead of config/config.yaml")
    so_far.add_argument("--output", type=Path, help="folder to write into (default: so_far in the results' folder)")

    page = commands.add_parser("page", help="one HTML page of several results, to compare them")
    page.add_argument("results", type=Path, nargs="+", help="folder of results, its CSV, or a zip of `share`")
    page.add_argument("--output", type=Path, default=Path("page.html"), help="default: %(default)s")

    share = commands.add_parser("share", help="pack results into a zip that `page` reads")
    share.add_argument("results", type=Path, help="folder of results")
    share.add_argument("--output", type=Path, default=Path("results.zip"), help="default: %(default)s")

    return parser


def _run(arguments: argparse.Namespace) -> int:
    from mimii.commands.seeds import too_few_seeds
    from mimii.common.provenance import REPOSITORY
    from mimii.launch.request import Request
    from mimii.launch.run import launch
    from mimii.planning.config_file import read_yaml
    from mimii.planning.plan import Plan

    configfile = arguments.configfile and arguments.configfile.absolute()
    with chdir(REPOSITORY):
        plan = Plan(read_yaml(configfile or REPOSITORY / "config" / "config.yaml"))
        _ = plan.sections
        plan.check_csv()
    request = Request(configfile, cores=arguments.cores, profile=arguments.profile, dry_run=arguments.dry_run)
    code = launch(request, plan)
    if code == 0 and not arguments.dry_run:
        _print_summary(REPOSITORY / plan.results_csv)
        for kind in ("tables", "figures"):
            if plan.config["report"][kind]:
                folder = os.path.relpath(REPOSITORY / plan.results_root / kind)
                print(f"{kind.capitalize() + ':':<12} {folder}")
        if arguments.report:
            from mimii.launch.report import make_report

            print(f"{'Report:':<12} {os.path.relpath(make_report(request, plan))}")
        if plan.config["report"]["page"]:
            print(f"{'Page:':<12} {os.path.relpath(REPOSITORY / plan.results_root / 'page.html')}")
        if note := too_few_seeds(plan):
            print(note)
    return code


def _print_summary(csv: Path) -> None:
    from mimii.evaluation.results import read_results
    from mimii.evaluation.summary import summary

    print(f"\n{summary(read_results(csv))}\n\nAll results: {os.path.relpath(csv)}")


def _summary(arguments: argparse.Namespace) -> int:
    _print_summary(arguments.csv)
    return 0


def _score(arguments: argparse.Namespace) -> int:
    """One line for each clip: score, whether it is above the run's threshold, path. Exit code 1 where one failed."""
    from mimii.common.errors import UserError
    from mimii.common.process import prepare_process
    from mimii.detectors.contract import detector_class
    from mimii.runs.trained import load_detector, read_training

    prepare_process()
    training = read_training(arguments.run)
    detector_class(training.model)  # imports the model, and with it the libraries that are prepared
    prepare_process(threads=training.threads)
    detector = load_detector(arguments.run, device=arguments.device)
    failed = 0
    for clip in _wav_files(arguments.clips):
        try:
            score = detector.score(clip)
        except UserError as error:
            failed = 1
            print(f"error: {error}", file=sys.stderr)
            continue
        above = "" if detector.threshold is None else "anomalous" if score > detector.threshold else "normal"
        print(f"{score}\t{above}\t{clip}")
    return failed


def _wav_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files as they are named; of folders, the wav files that they hold, sorted. Raises UserError without any."""
    from mimii.common.errors import UserError

    for path in paths:
        if not path.is_dir():
            yield path
            continue
        clips = sorted(clip for clip in path.rglob("*") if clip.suffix.lower() == ".wav")
        if not clips:
            raise UserError(f"{path}: holds no wav file")
        yield from clips


def _results_so_far(arguments: argparse.Namespace) -> int:
    from mimii.commands.seeds import too_few_seeds
    from mimii.commands.so_far import write_results_so_far
    from mimii.common.provenance import REPOSITORY
    from mimii.planning.config_file import read_yaml
    from mimii.planning.plan import Plan

    configfile = arguments.configfile and arguments.configfile.absolute()
    output = arguments.output and arguments.output.absolute()
    with chdir(REPOSITORY):
        plan = Plan(read_yaml(configfile or REPOSITORY / "config" / "config.yaml"))
        output = output or Path(plan.results_root, "so_far").absolute()
        so_far = write_results_so_far(plan, output)
    print(so_far)
    if so_far.compared:
        sections = len({run.section for run in so_far.compared})
        models = len({(run.variant.model, run.variant.name) for run in so_far.compared})
        print(f"Over the {sections} of {len(plan.sections)} sections that each of {models} models has finished:\n")
        print((output / "summary.txt").read_text(encoding="utf-8"))
    if note := too_few_seeds(plan):
        print(note)
    print(f"Results: {os.path.relpath(output / 'results.csv')}\nMissing: {os.path.relpath(output / 'missing.csv')}")
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    """Exit code 1 where a model that was named got worse."""
    from mimii.evaluation.comparison import as_text, compare_results

    comparison = compare_results(
        arguments.old,
        arguments.new,
        models=arguments.model,
        metric=arguments.metric,
        old_runs=arguments.old_runs,
        new_runs=arguments.new_runs,
    )
    print(as_text(comparison, arguments.metric))
    return int(any(comparison.worse(model) for model in arguments.model))


def _page(arguments: argparse.Namespace) -> int:
    from mimii.paper.page.sharing import page_of

    page_of(arguments.results, arguments.output)
    print(arguments.output)
    return 0


def _share(arguments: argparse.Namespace) -> int:
    from mimii.paper.page.sharing import share

    for licence in share(arguments.results, arguments.output):
        print(f"Recordings in it: {licence}")
    print(arguments.output)
    return 0


COMMANDS = {
    "run": _run,
    "summary": _summary,
    "score": _score,
    "compare": _compare,
    "results-so-far": _results_so_far,
    "page": _page,
    "share": _share,
}
