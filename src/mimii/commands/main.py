"""Commands around the workflow: `python -m mimii init`, `run`, `score`, `compare`, `check_dataset` and others."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mimii.common.errors import exit_on_user_error
from mimii.launch.request import parse_cores
from mimii.launch.stop import quiet_ending

# Each command imports what it needs when it runs.
if TYPE_CHECKING:
    import pandas as pd

    from mimii.planning.plan import Plan


# Of `compare`: neither 1, which says worse (or a mistake of the user's), nor 2, which says wrong usage.
PERHAPS_WORSE = 3


def main(command_line: Sequence[str] | None = None) -> None:
    """Parse the command line (None: the process's own), do what it says, and exit with its code."""
    arguments = make_parser().parse_args(command_line)
    with quiet_ending(), exit_on_user_error():
        code = COMMANDS[arguments.command].run(arguments)
        sys.stdout.flush()
    sys.exit(code)


def make_parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = argparse.ArgumentParser(prog="python -m mimii", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        description = f"{command.help[0].upper()}{command.help[1:]}."
        command.add_options(commands.add_parser(name, help=command.help, description=description))
    return parser


@dataclass(frozen=True)
class Command:
    """help: what it does. run: does it, and returns the exit code."""

    help: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def _add_configfile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--configfile", type=Path, help="used instead of config/config.yaml")


def _read_configuration(configfile: Path | None) -> dict[str, Any]:
    from mimii.common.provenance import REPOSITORY
    from mimii.planning.config_file import read_yaml

    return read_yaml(configfile or REPOSITORY / "config" / "config.yaml")


def _add_init_options(init: argparse.ArgumentParser) -> None:
    init.add_argument("folder", type=Path, help="recordings in any layout; nothing in it is changed")
    init.add_argument("--normal", nargs="+", action="extend", default=[], help="folders or words of normal recordings")
    init.add_argument("--output", type=Path, help="file to write (default: <folder>.yaml); never one that is there")


def _init(arguments: argparse.Namespace) -> int:
    from mimii.commands.first_config import default_name, propose, write_config

    proposed = propose(arguments.folder, tuple(arguments.normal))
    output = arguments.output or Path(f"{default_name(arguments.folder)}.yaml")
    print(proposed)
    write_config(proposed, output)
    print(f"\nWritten: {output}\nRun it:  python -m mimii run --configfile {shlex.quote(str(output))}")
    return 0


def _add_run_options(run: argparse.ArgumentParser) -> None:
    _add_configfile(run)
    run.add_argument(
        "--cores",
        type=parse_cores,
        help="jobs at a time on this machine, or all (default: all, or what the profile says)",
    )
    run.add_argument("--profile", help="a folder of profiles/, or a path")
    run.add_argument("--report", action="store_true", help="write an HTML report of tables and figures at the end")
    run.add_argument("--dry-run", action="store_true", help="say what would run, and write nothing")


def _run(arguments: argparse.Namespace) -> int:
    from mimii.common.provenance import REPOSITORY
    from mimii.launch.request import Request
    from mimii.launch.run import launch
    from mimii.launch.seeds import too_few_seeds
    from mimii.launch.speed import measured_speed
    from mimii.planning.plan import Plan

    configfile = arguments.configfile and arguments.configfile.absolute()
    with chdir(REPOSITORY):
        plan = Plan(_read_configuration(configfile))
        _ = plan.sections
        plan.check_csv()
        plan.check_folders(writable=not arguments.dry_run)
    request = Request(configfile, cores=arguments.cores, profile=arguments.profile, dry_run=arguments.dry_run)
    code = launch(request, plan)
    if code == 0 and arguments.dry_run and (note := too_few_seeds(plan, measure_speed=measured_speed)):
        print(note)
    if code == 0 and not arguments.dry_run:
        from mimii.evaluation.results import read_results

        csv = REPOSITORY / plan.results_csv
        _print_summary(read_results(csv), csv)
        if note := too_few_seeds(plan):
            print(note)
        for kind in ("tables", "figures"):
            if plan.config["report"][kind]:
                folder = os.path.relpath(REPOSITORY / plan.results_root / kind)
                print(f"{kind.capitalize() + ':':<12} {folder}")
        if plan.config["studies"]:
            print(f"{'Studies:':<12} {os.path.relpath(REPOSITORY / plan.results_root / 'studies')}")
        if arguments.report:
            from mimii.launch.report import make_report

            print(f"{'Report:':<12} {os.path.relpath(make_report(request, plan))}")
        if plan.config["report"]["page"]:
            print(f"{'Page:':<12} {os.path.relpath(REPOSITORY / plan.results_root / 'page.html')}")
    return code


def _print_summary(frame: "pd.DataFrame", csv: Path) -> None:
    from mimii.evaluation.summary import summary

    print(f"\n{summary(frame)}\n\nAll results: {os.path.relpath(csv)}")


def _add_summary_options(summary: argparse.ArgumentParser) -> None:
    summary.add_argument("csv", type=Path)


def _summary(arguments: argparse.Namespace) -> int:
    from mimii.evaluation.results import read_results, run_labels
    from mimii.evaluation.seeds import NO_CLAIM, may_be_claimed

    frame = read_results(arguments.csv)
    _print_summary(frame, arguments.csv)
    labels, runs = run_labels(frame), frame.groupby(["model", "variant"], sort=False)
    few = [labels[str(model), str(variant)] for (model, variant), rows in runs if not may_be_claimed(rows)]
    if few:
        print(NO_CLAIM.format(", ".join(few)))
    return 0


def _add_score_options(score: argparse.ArgumentParser) -> None:
    score.add_argument(
        "run",
        type=Path,
        help="folder of a run, results/runs/<model>/<variant>/seed=<seed>/<section>, or a file of `export`",
    )
    score.add_argument("clips", type=Path, nargs="+", metavar="clip", help="recording, or a folder of them")
    score.add_argument("--csv", type=Path, help="file to write: path, score, above_threshold")
    score.add_argument("--figures", type=Path, help="folder to write a figure of each recording into")
    score.add_argument("--checkpoint", type=Path, help="folder of the pretrained network, of a run on its embeddings")
    score.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: %(default)s)")


def _score(arguments: argparse.Namespace) -> int:
    """Exit code 1 where a recording could not be used."""
    from mimii.commands.score import score_recordings

    return score_recordings(
        arguments.run,
        arguments.clips,
        device=arguments.device,
        table=arguments.csv,
        figures=arguments.figures,
        checkpoint=arguments.checkpoint,
    )


def _add_export_options(export: argparse.ArgumentParser) -> None:
    export.add_argument("run", type=Path, help="folder of a run: results/runs/<model>/<variant>/seed=<seed>/<section>")
    export.add_argument("file", type=Path, help="file to write, never one that is there; .onnx for a network in ONNX")


def _export(arguments: argparse.Namespace) -> int:
    from mimii.commands.export import export_run

    print(export_run(arguments.run, arguments.file))
    return 0


def _add_so_far_options(so_far: argparse.ArgumentParser) -> None:
    _add_configfile(so_far)
    so_far.add_argument("--output", type=Path, help="folder to write into (default: so_far in the results' folder)")


def _results_so_far(arguments: argparse.Namespace) -> int:
    from mimii.commands.so_far import write_results_so_far
    from mimii.common.provenance import REPOSITORY
    from mimii.launch.seeds import too_few_seeds
    from mimii.planning.plan import Plan

    configfile = arguments.configfile and arguments.configfile.absolute()
    output = arguments.output and arguments.output.absolute()
    with chdir(REPOSITORY):
        plan = Plan(_read_configuration(configfile))
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


def _plan_now(configfile: Path | None) -> "Plan":
    """The plan of a configuration, of whose results something is asked."""
    from mimii.common.provenance import REPOSITORY
    from mimii.planning.plan import Plan

    configfile = configfile and configfile.absolute()
    with chdir(REPOSITORY):
        return Plan(_read_configuration(configfile), any_sections=True)


def _add_save_options(save: argparse.ArgumentParser) -> None:
    save.add_argument("name", help="of the snapshot, such as before; never one that is there")
    _add_configfile(save)


def _save(arguments: argparse.Namespace) -> int:
    from mimii.commands.snapshots import save_snapshot

    print(os.path.relpath(save_snapshot(_plan_now(arguments.configfile), arguments.name)))
    again = f" --configfile {shlex.quote(str(arguments.configfile))}" if arguments.configfile else ""
    print(f"Later:  python -m mimii compare {arguments.name} now{again}")
    return 0


def _add_compare_options(compare: argparse.ArgumentParser) -> None:
    named = "name of `save`, now (the configuration's results), a results CSV, its folder or a zip"
    compare.add_argument("old", help=named)
    compare.add_argument("new", help="the same")
    _add_configfile(compare)
    compare.add_argument(
        "--model",
        nargs="+",
        action="extend",
        default=[],
        help="these alone; exit code 1 where one of them got worse, 3 where one may have but seeds are too few to say",
    )
    compare.add_argument("--metric", default="auc", help="auc, pr_auc or pauc; of DCASE's data also official_score")
    compare.add_argument("--old-runs", type=Path, help="folder of OLD's runs (default: runs, beside the CSV)")
    compare.add_argument("--new-runs", type=Path, help="folder of NEW's runs (default: runs, beside the CSV)")


def _compare(arguments: argparse.Namespace) -> int:
    """Exit code 1 where a model that was named got worse; PERHAPS_WORSE where no seeds tell whether it did.

    A check that waits for 0 is to fail then, too: a fall that it exists to find was not ruled out.
    """
    from functools import partial

    from mimii.commands.snapshots import results_named
    from mimii.evaluation.comparison import as_text, compare_results

    plan_now = partial(_plan_now, arguments.configfile)
    with results_named(arguments.old, plan_now) as old, results_named(arguments.new, plan_now) as new:
        comparison = compare_results(
            old[0],
            new[0],
            models=arguments.model,
            metric=arguments.metric,
            old_runs=arguments.old_runs or old[1],
            new_runs=arguments.new_runs or new[1],
        )
    print(as_text(comparison, arguments.metric))
    if any(comparison.worse(model) for model in arguments.model):
        return 1
    return PERHAPS_WORSE if any(comparison.perhaps_worse(model) for model in arguments.model) else 0


def _add_page_options(page: argparse.ArgumentParser) -> None:
    page.add_argument("results", nargs="+", help="name of `save`, folder of results, its CSV, or a zip of `share`")
    page.add_argument("--output", type=Path, default=Path("page.html"), help="default: %(default)s")


def _page(arguments: argparse.Namespace) -> int:
    from mimii.commands.snapshots import snapshot_or_path
    from mimii.paper.page.sharing import page_of

    page_of([snapshot_or_path(name) for name in arguments.results], arguments.output)
    print(arguments.output)
    return 0


def _add_paper_options(paper: argparse.ArgumentParser) -> None:
    paper.add_argument("output", type=Path, help="folder to write, which holds nothing yet")
    paper.add_argument("--results", type=Path, default=Path("results"), help="folder of results (default: %(default)s)")


def _paper(arguments: argparse.Namespace) -> int:
    from mimii.paper.manuscript import write_manuscript

    write_manuscript(arguments.results, arguments.output)
    print(arguments.output / "main.tex")
    return 0


def _add_share_options(share: argparse.ArgumentParser) -> None:
    share.add_argument("results", type=Path, help="folder of results")
    share.add_argument("--output", type=Path, default=Path("results.zip"), help="default: %(default)s")


def _share(arguments: argparse.Namespace) -> int:
    from mimii.paper.page.sharing import share

    for licence in share(arguments.results, arguments.output):
        print(f"Recordings in it: {licence}")
    print(arguments.output)
    return 0


def _add_check_options(check: argparse.ArgumentParser) -> None:
    _add_configfile(check)
    check.add_argument(
        "--content",
        action="store_true",
        help="read every recording instead, and say which are others than those that the features were made of; "
        "recordings with other times and the same content are noted, and nothing runs again for them",
    )


def _check_dataset(arguments: argparse.Namespace) -> int:
    """Raises UserError where a section cannot be run, or holds other recordings, once all of it was said."""
    from functools import partial

    from mimii.commands.contents import check_contents
    from mimii.common.errors import UserError
    from mimii.common.provenance import REPOSITORY
    from mimii.data.completeness import check_dataset
    from mimii.planning.checking import format_problems
    from mimii.planning.plan import Plan

    configfile = arguments.configfile and arguments.configfile.absolute()
    with chdir(REPOSITORY):
        plan = Plan(_read_configuration(configfile), any_sections=True)
        say = partial(print, flush=True)
        if arguments.content:
            against, what = check_contents(plan, say), "with other recordings, or none that can be read"
        else:
            against = check_dataset(plan.source, say, partial(format_problems, plan.variants))
            what = "that cannot be run"
    if against:
        raise UserError(f"{against} section(s) {what}, named above")
    return 0


COMMANDS = {
    "init": Command("write a configuration for a folder of your own recordings", _add_init_options, _init),
    "run": Command("run the workflow: show its progress, then a summary", _add_run_options, _run),
    "summary": Command("print averages per model and SNR", _add_summary_options, _summary),
    "score": Command("score recordings with a trained model", _add_score_options, _score),
    "export": Command(
        "write a trained model to one file, which scores on another machine", _add_export_options, _export
    ),
    "save": Command("keep the results as they are now, for `compare` and `page`", _add_save_options, _save),
    "compare": Command(
        "say which sections changed beyond noise from one result to another", _add_compare_options, _compare
    ),
    "results-so-far": Command(
        "write CSV and tables of what is finished, while the rest still runs", _add_so_far_options, _results_so_far
    ),
    "check_dataset": Command(
        "say what a dataset holds, what is missing or broken, and whether it can be run",
        _add_check_options,
        _check_dataset,
    ),
    "page": Command("write one HTML page of several results, to compare them", _add_page_options, _page),
    "paper": Command("write a folder that LaTeX compiles: tables, figures, setup", _add_paper_options, _paper),
    "share": Command("pack results into a zip that `page` reads", _add_share_options, _share),
}
