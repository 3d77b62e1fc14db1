"""The original framework's command line. It writes a configuration and runs the workflow with it: no second way."""

import argparse
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from mimii.common.declarations import canonical, problems, types_of
from mimii.common.errors import UserError, exit_on_user_error
from mimii.common.files import why_not_a_folder, written_whole
from mimii.common.problems import Problem, ProblemsError
from mimii.common.provenance import REPOSITORY
from mimii.common.suggestions import unknown
from mimii.detectors.declaration import model_declaration, model_names
from mimii.evaluation.results import read_results
from mimii.evaluation.summary import summary
from mimii.features.settings import feature_declarations
from mimii.launch.request import Request, parse_cores
from mimii.launch.run import launch
from mimii.launch.seeds import too_few_seeds
from mimii.launch.speed import measured_speed
from mimii.launch.stop import quiet_ending
from mimii.planning.config import schema, seed_schema
from mimii.planning.plan import Plan

# What `--model all` means; other models are named.
ORIGINAL_MODELS = (
    "simple_ae",
    "deep_ae",
    "vae",
    "conv_ae",
    "lstm_ae",
    "attention_ae",
    "residual_ae",
    "denoising_ae",
    "isolation_forest",
    "one_class_svm",
)
FEATURE_OPTIONS = ("n_mels", "n_fft", "hop_length", "power")
TRAINING_OPTIONS = ("frames", "epochs", "batch_size", "learning_rate", "val_split")
# The option that a key of the configuration comes from.
OPTIONS = {
    "dataset.root": "--base_dir",
    **{f"dataset.{key}": f"--{key}" for key in ("snrs", "machines", "ids")},
    **{f"features.{key}": f"--{key}" for key in FEATURE_OPTIONS},
    **{f"settings.{key}": f"--{key}" for key in TRAINING_OPTIONS},
    "compute.device": "--device",
    "paths.csv": "--output_csv",
    "paths.features": "--pickle_dir",
    "paths.results": "--result_dir",
}
LOG = Path("research_experiments.log")
SEEDS_SET = "`--seeds {}`", " "  # how seeds are set, and what separates them


def main(command_line: Sequence[str] | None = None) -> None:
    """Run what the command line (None: the process's own) asks for, and exit with its code."""
    parser = make_parser()
    options = parser.parse_args(command_line)
    with quiet_ending(), exit_on_user_error():
        try:
            configuration = make_configuration(options)
            with chdir(REPOSITORY):
                plan = Plan(configuration)
                _ = plan.sections  # a wrong --base_dir is said before anything is written
                plan.check_csv()
                plan.check_folders(writable=not options.dry_run)
            if reason := why_not_a_folder(options.model_dir, writable=not options.dry_run):
                raise UserError(f"--model_dir: {reason}")
        except ProblemsError as error:
            parser.error("\n".join(map(str, in_options(error.problems))))
        except UserError as error:
            parser.error(str(error))
        code = run(options, configuration, plan)
        sys.stdout.flush()
    sys.exit(code)


def make_parser() -> argparse.ArgumentParser:
    """Every option of the original, with its default, and those of the workflow."""
    parser = argparse.ArgumentParser(
        prog="research_experiments.py",
        usage="%(prog)s --base_dir BASE_DIR [--model MODEL ...] [options]",
        description="Train and test anomaly detectors on recordings laid out as MIMII. Only what is missing runs; "
        "settings that differ never share a result.",
    )
    parser.add_argument(
        "--base_dir", required=True, help="folder of <SNR>/<machine type>/<machine ID>/{normal,abnormal}/*.wav"
    )
    parser.add_argument_group("models").add_argument(
        "--model",
        nargs="+",
        action="extend",
        type=_model,
        metavar="MODEL",
        help=f"one, several or all (default: all, the ten of the original): {', '.join(model_names())}",
    )
    _add_settings(parser)
    _add_output(parser.add_argument_group("output"))
    _add_control(parser.add_argument_group("control"))
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    features = parser.add_argument_group("features")
    for name in FEATURE_OPTIONS:
        _add_setting(features, name, feature_declarations()[name])
    training = parser.add_argument_group("training")
    of_models = {model: model_declaration(model).settings for model in ORIGINAL_MODELS}
    for name in TRAINING_OPTIONS:
        declared = of_models["simple_ae"][name]
        common = all(settings.get(name, declared)["default"] == declared["default"] for settings in of_models.values())
        own = None if common else f"each model's own, such as {declared['default']} of simple_ae"
        _add_setting(training, name, declared, default=own)


def _add_output(output: Any) -> None:
    output.add_argument("--output_csv", default="research_results.csv", help="name of the CSV (default: %(default)s)")
    output.add_argument(
        "--pickle_dir",
        help="folder of the features, as parquet; nothing is pickled (default: results/features, the workflow's own)",
    )
    output.add_argument(
        "--model_dir", default="./research_models", help="folder of links to the models (default: %(default)s)"
    )
    output.add_argument(
        "--result_dir", default="./research_results", help="folder of CSV and tables (default: %(default)s)"
    )


def _add_control(control: Any) -> None:
    control.add_argument("--retrain", action="store_true", help="train again what is trained already")
    seeds = control.add_mutually_exclusive_group()
    seed = _reader("seed", seed_schema())
    seeds.add_argument("--seed", type=seed, default=42, help="random seed (default: %(default)s)")
    seeds.add_argument(
        "--seeds", type=seed, nargs="+", action="extend", help="several seeds, for every model that depends on them"
    )
    for name, example in (("machines", "fan pump"), ("snrs", "6dB 0dB"), ("ids", "id_00 id_02")):
        control.add_argument(
            f"--{name}", nargs="+", action="extend", help=f"only these, such as {example} (default: all there are)"
        )
    control.add_argument(
        "--device", type=_device, default="auto", help="auto, cpu, cuda or cuda:1 (default: %(default)s)"
    )
    control.add_argument("--cores", type=parse_cores, help="jobs at a time on this machine, or all (default: all)")
    control.add_argument("--profile", help="a folder of profiles/, such as slurm, or a path")
    control.add_argument("--dry-run", action="store_true", help="say what would run, and write nothing")


def _add_setting(group: Any, name: str, schema: Mapping[str, Any], default: str | None = None) -> None:
    """An option that is left out of the configuration where it is not given: the declared default holds."""
    meaning = schema["description"][0].lower() + schema["description"][1:]
    group.add_argument(
        f"--{name}",
        type=_reader(name, schema),
        metavar=types_of(schema)[0].upper().replace("NUMBER", "FLOAT").replace("INTEGER", "INT"),
        help=f"{meaning} (default: {default or schema['default']})".replace("%", "%%"),
    )


def _reader(name: str, schema: Mapping[str, Any]) -> Callable[[str], Any]:
    """Reads an option's text as what is declared."""

    def read(text: str) -> Any:
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        if faults := problems({name: value}, {name: schema}):
            raise argparse.ArgumentTypeError(faults[0].text)
        return canonical(value, schema)

    return read


def _device(text: str) -> str:
    if not re.fullmatch(schema()["properties"]["compute"]["properties"]["device"]["pattern"], text):
        raise argparse.ArgumentTypeError(f"expected auto, cpu, cuda or cuda:1, not {text!r}")
    return text


def _model(text: str) -> str:
    if text != "all" and text not in model_names():
        raise argparse.ArgumentTypeError(unknown("model", text, [*model_names(), "all"]))
    return text


def make_configuration(options: argparse.Namespace) -> dict[str, Any]:
    """The workflow's configuration. Raises UserError where options contradict each other."""
    name = options.output_csv
    if Path(name).name != name or not name.endswith(".csv") or name == ".csv":
        raise UserError(
            f"--output_csv: expected a file name that ends in .csv, found {name!r}; --result_dir is its folder"
        )
    named = options.model or ["all"]
    models = list(dict.fromkeys([*(ORIGINAL_MODELS if "all" in named else ()), *named]))
    filters = {key: getattr(options, key) for key in ("snrs", "machines", "ids") if getattr(options, key)}
    given = {key: getattr(options, key) for key in (*FEATURE_OPTIONS, *TRAINING_OPTIONS)}
    results = Path(options.result_dir, Path(name).stem)
    paths = {"results": from_repository(results), "csv": from_repository(Path(options.result_dir, name))}
    if options.pickle_dir:
        paths["features"] = from_repository(options.pickle_dir)
    return {
        "dataset": {"root": from_repository(options.base_dir), **filters},
        "features": {key: given[key] for key in FEATURE_OPTIONS if given[key] is not None},
        "settings": {key: given[key] for key in TRAINING_OPTIONS if given[key] is not None},
        "models": {model: {} for model in models if model != "all"},
        "seeds": list(dict.fromkeys(options.seeds or [options.seed])),
        "compute": {"device": options.device},
        "report": {"tables": True, "figures": []},
        "paths": paths,
    }


def from_repository(path: str | Path) -> str:
    """A path as the workflow spells it: from its own folder where it lies inside, else absolute."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  links stay as they are: results may be one
    for folder in (REPOSITORY, REPOSITORY.resolve()):
        if absolute.is_relative_to(folder):
            return str(absolute.relative_to(folder))
    return str(absolute)


def in_options(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Problems of the configuration, of the options that it was made from."""
    for problem in problems:
        parts = problem.where.split(".")
        keys = [".".join(parts[:size]) for size in range(len(parts), 0, -1)]
        where = next((OPTIONS[key] for key in keys if key in OPTIONS), problem.where)
        yield Problem(where, problem.text)


def run(options: argparse.Namespace, configuration: Mapping[str, Any], plan: Plan) -> int:
    """Write the configuration, run the workflow, place what the original placed. Returns the exit code."""
    results = REPOSITORY / plan.results_root
    with TemporaryDirectory() as folder:
        configfile = (Path(folder) if options.dry_run else results) / "config.yaml"
        request = Request(
            configfile,
            cores=options.cores,
            profile=options.profile,
            retrain=options.retrain,
            dry_run=options.dry_run,
            log_file=LOG.absolute(),
        )
        code = launch(request, plan, prepare=lambda: write_configuration(configuration, configfile))
    if options.dry_run:
        if code == 0 and (note := too_few_seeds(plan, *SEEDS_SET, measure_speed=measured_speed)):
            print(note)
        return code
    link_models(plan, Path(options.model_dir))
    if code == 0:
        csv = REPOSITORY / plan.results_csv
        print(f"\n{summary(read_results(csv))}\n")
        print(f"All results: {os.path.relpath(csv)}\nTables:      {os.path.relpath(results / 'tables')}")
        if plan.config["report"]["page"]:
            print(f"Page:        {os.path.relpath(results / 'page.html')}")
        print(f"Models:      {options.model_dir}")
        if note := too_few_seeds(plan, *SEEDS_SET):
            print(note)
    return code


def write_configuration(configuration: Mapping[str, Any], path: Path) -> None:
    """Write the configuration as YAML, with the command that runs the same without this one."""
    text = yaml.safe_dump(dict(configuration), sort_keys=False, allow_unicode=True)
    comment = (
        "# Written by research_experiments.py; from the workflow's folder, plain Snakemake does the same:\n"
        f"# snakemake --cores all --configfile {shlex.quote(from_repository(path))} --replace-workflow-config\n"
    )
    with written_whole(path) as temporary:
        temporary.write_text(comment + text, encoding="utf-8")


def link_models(plan: Plan, folder: Path) -> None:
    """Link the trained models of the configuration: `vae_fan_id_00_6dB_seed42.pth` is the model.pth of the run.

    Raises UserError where something that is no link has such a name.
    """
    for run in plan.runs():
        file = REPOSITORY / plan.runs_root / run.training_path / plan.model_file(run.variant.model)
        if not file.exists():
            continue
        variant = "" if run.variant.name == "default" else f"_{run.variant.name}"
        section = f"{run.section.machine}_{run.section.id}_{run.section.snr}"
        link = folder / f"{run.variant.model}{variant}_{section}_seed{run.seed}{file.suffix}"
        target = Path(os.path.relpath(file, folder))
        if link.is_symlink():
            if link.readlink() == target:
                continue
        elif link.exists():
            raise UserError(f"{link}: not a link to a model; move it away")
        with written_whole(link) as temporary:
            temporary.symlink_to(target)
