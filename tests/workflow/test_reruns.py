"""What runs again after each kind of change: the table of docs/reruns.md, row by row."""

import ast
import itertools
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from checkpoint_files import name_of, write_checkpoint
from workspace import REPOSITORY, SHARED, TINY, Workspace, write_recordings

from mimii.data.sections import Section
from mimii.detectors.declaration import model_declaration

DOCUMENT = REPOSITORY / "docs" / "reruns.md"
RULES = [
    "make_demo_dataset",
    "extract_features",
    "extract_embeddings",
    "train_model",
    "train_classical_model",
    "score_clips",
    "compute_metrics",
    "combine_scores",
    "compute_ensemble_metrics",
    "merge_results",
    "merge_study",
    "make_statistics",
    "make_tables",
    "make_figures",
    "draw_clips",
    "gather_clips",
    "make_page",
]
ENSEMBLE = "ensemble=simple_ae-epochs=2+isolation_forest-trees=10,how=rank"
VARIANTS = {"simple_ae": "epochs=2", "deep_ae": "epochs=2", "isolation_forest": "trees=10"}
SECTIONS = ("6dB/fan/id_00", "6dB/valve/id_00")
MERGE = {("merge_results", "results/results.csv")}


# Planned jobs, as sets of (rule, what it is for).


def recordings(*sections):
    return {("make_demo_dataset", f"dataset/{section}") for section in sections}


def features(*sections, variant="default"):
    return {("extract_features", f"results/features/{variant}/{section}") for section in sections}


def runs(*, first="train", variants=None, seeds=(42,), sections=SECTIONS, train_per="section"):
    """Jobs of runs, from training, scoring ("score") or metrics ("metrics") on; a training is one for each scope."""
    rules = ["train", "score_clips", "compute_metrics"][["train", "score", "metrics"].index(first) :]
    jobs = set()
    for (model, variant), seed, section, rule in itertools.product(
        (variants or VARIANTS).items(), seeds, sections, rules
    ):
        if rule == "train":
            rule = "train_model" if model_declaration(model).base == "network" else "train_classical_model"
            section = Section.parse(section).scope(train_per)
        jobs.add((rule, f"results/runs/{model}/{variant}/seed={seed}/{section}"))
    return jobs


NETWORKS = {"simple_ae": "epochs=2", "deep_ae": "epochs=2"}
EVERYTHING_FROM_FEATURES = features(*SECTIONS) | runs() | MERGE


# Changes.


def library(workspace, name):
    return workspace.folder / "src" / "mimii" / name


def new_code(*names):
    """Another statement in each of these modules."""

    def edit(workspace):
        for name in names:
            with library(workspace, name).open("a") as file:
                file.write("\n\nADDED = 1\n")

    return edit


def reword(name, old, new):
    """Another text in a file of the library."""

    def edit(workspace):
        text = library(workspace, name).read_text()
        assert old in text
        library(workspace, name).write_text(text.replace(old, new))

    return edit


def code_files(workspace):
    return [*workspace.folder.glob("src/**/*.py"), *workspace.folder.glob("scripts/*.py")]


def comments(workspace):
    for path in code_files(workspace):
        path.write_text(f"# A comment.\n{path.read_text()}\n# Another.\n")


def docstrings(workspace):
    """Other docstrings everywhere, and all comments gone, and a form that nobody would write."""
    for path in code_files(workspace):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
                node.body[0] = ast.Expr(ast.Constant("Another docstring."))
        path.write_text(ast.unparse(tree).replace("    ", "\t"))


def touch(*patterns):
    def edit(workspace):
        for pattern in patterns:
            paths = list(workspace.folder.glob(pattern))
            assert paths, pattern
            for path in sorted(paths, reverse=True):
                path.touch()

    return edit


def git(workspace, *arguments):
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=workspace.folder, check=True, capture_output=True)


def branch_and_back(workspace):
    (workspace.folder / ".gitignore").write_text("results\ndataset\n.snakemake\n")
    git(workspace, "init", "--initial-branch=main")
    git(workspace, "add", "--all")
    git(workspace, "commit", "--message=first")
    git(workspace, "checkout", "-b", "other")
    new_code("detectors/network.py", "evaluation/metrics.py", "features/extraction.py")(workspace)
    git(workspace, "commit", "--all", "--message=second")
    git(workspace, "checkout", "main")


def fresh_clone(workspace):
    """Every file of the code is written anew; what Snakemake made stays."""
    for path in [*workspace.folder.glob("*"), *workspace.folder.glob("*/**/*")]:
        if path.is_file() and path.relative_to(workspace.folder).parts[0] not in ("results", "dataset"):
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)


def move(workspace):
    """The whole folder elsewhere."""
    elsewhere = workspace.folder / "moved"
    elsewhere.mkdir()
    for path in list(workspace.folder.iterdir()):
        if path != elsewhere:
            path.rename(elsewhere / path.name)
    workspace.folder = elsewhere


def without_records(workspace):
    shutil.rmtree(workspace.folder / ".snakemake")


def merged(base, change):
    """`change` over `base`, nested keys too; None removes a key."""
    result = dict(base)
    for key, value in change.items():
        if value is None:
            result.pop(key)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            result[key] = merged(base[key], value)
        else:
            result[key] = value
    return result


def configure(**change):
    return lambda workspace: workspace.configure(merged(TINY, change))


def default_learning_rate(workspace):
    path = library(workspace, "detectors/network.yaml")
    old, new = "default: 0.001,", "default: 0.002,"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def another_shell_line(workspace):
    path = workspace.folder / "workflow" / "rules" / "scoring.smk"
    old = "python scripts/compute_metrics.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, "python -X utf8 scripts/compute_metrics.py"))


def delete(*names):
    def edit(workspace):
        for name in names:
            path = workspace.folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    return edit


def both(*edits):
    def edit(workspace):
        for one in edits:
            one(workspace)

    return edit


EMBEDDED = f"checkpoint={name_of()},extractor=audio_transformer,frame_seconds=0.1"


def embeddings(workspace):
    """Another extractor. Planning looks whether its package is there, and imports it not."""
    (workspace.folder / "src" / "transformers").mkdir()
    (workspace.folder / "src" / "transformers" / "__init__.py").touch()
    write_checkpoint(workspace.folder / "ast")
    configure(features={"extractor": "audio_transformer", "checkpoint": "ast", "frame_seconds": 0.1})(workspace)


def in_order(name):
    """A variant's name: settings sorted, none that is a default."""
    return ",".join(sorted(part for part in name.split(",") if part != "default"))


# Changes of recordings that were there before, in 6dB/fan/id_02.

CLIPS = "recordings/6dB/fan/id_02"


def add_clip(workspace):
    shutil.copy(workspace.folder / CLIPS / "normal/00000003.wav", workspace.folder / CLIPS / "normal/00000099.wav")


def change_clip(workspace):
    path = workspace.folder / CLIPS / "abnormal/00000000.wav"
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes([content[-2] ^ 1, content[-1]]))


def move_recordings(workspace):
    (workspace.folder / "recordings").rename(workspace.folder / "elsewhere")
    path = workspace.folder / "config" / "config.yaml"
    path.write_text(path.read_text().replace("root: recordings", "root: elsewhere"))


TOGETHER = ("6dB/fan/id_00", "6dB/fan/id_02")
IN_FOLDER = {"variants": {"simple_ae": "epochs=1"}, "sections": ("6dB/fan/id_02",)}
SECTION_OF_FOLDER = features("6dB/fan/id_02") | runs(**IN_FOLDER) | MERGE

RUN = "results/runs/simple_ae/epochs=2/seed=42/6dB/fan/id_00"
ONE = {"variants": {"simple_ae": "epochs=2"}, "sections": ("6dB/fan/id_00",)}


FIGURES = {("make_figures", "results/figures/auc_against_cost.png")}
TABLES = {("make_tables", "results/tables/differences.html")}
CLIP_FIGURES = "results/figures/clips"
PAGE = {("make_page", "results/page.html")}
PAPER = {("make_statistics", "results/statistics/averages.csv")} | TABLES | FIGURES | PAGE


def clips_drawn(*models, sections=SECTIONS):
    return {("draw_clips", f"{CLIP_FIGURES}/{model}/{section}.png") for model in models for section in sections}


def clips_gathered(model):
    return {("gather_clips", f"results/page/clips/{model}/{section}.json") for section in SECTIONS} | PAGE


@dataclass(frozen=True)
class Row:
    """A change, the jobs that it plans on the tiny benchmark, and for what they are, in words."""

    change: str
    edit: Callable
    jobs: set
    of: str = ""
    arguments: tuple = ()
    fixture: str = "kept"


TABLE = {
    "Nothing that matters": [
        Row("none", lambda workspace: None, set()),
        Row("comments", comments, set()),
        Row("docstrings, formatting", docstrings, set()),
        Row(
            "`touch` of code, configuration, results and made-up recordings",
            touch("Snakefile", "[cwsp]*/**/*", "results/**/*", "dataset/**/*"),
            set(),
        ),
        Row("to another git branch with other code, and back", branch_and_back, set()),
        Row("a fresh `git clone`, `results/` and `.snakemake/` moved into it", fresh_clone, set()),
        Row("the whole folder moved", move, set()),
        Row("`.snakemake/` lost", without_records, set(), "see the end of this page"),
        Row("`compute.device`, `compute.threads`", configure(compute={"device": "cpu", "threads": 2}), set()),
        Row("`--cores`", lambda workspace: None, set(), "", ("--cores", "1")),
        Row("a key of the configuration added with its default", configure(seeds=[42], scoring={"top_k": 10}), set()),
        Row(
            "the wording of an error, in `data/split.py`",
            reword("data/split.py", "are needed", "are wanted"),
            set(),
        ),
        Row("planning code (`planning/`)", new_code("planning/plan.py", "planning/config.py"), set()),
        Row(
            "a script in `scripts/`",
            lambda workspace: (workspace.folder / "scripts" / "train_model.py").open("a").write("\nADDED = 1\n"),
            set(),
            "scripts only hand arguments on",
        ),
        Row(
            "recordings moved (times kept) and `dataset.root` with them", move_recordings, set(), fixture="kept_folder"
        ),
    ],
    "Code": [
        Row(
            "one model, `models/simple_ae.py`",
            new_code("models/simple_ae.py"),
            runs(variants={"simple_ae": "epochs=2"}) | MERGE,
            "that model",
        ),
        Row(
            "the base of the networks, `detectors/network.py`",
            new_code("detectors/network.py"),
            runs(variants=NETWORKS) | MERGE,
            "networks",
        ),
        Row(
            "the base of the classical models, `detectors/estimator.py`",
            new_code("detectors/estimator.py"),
            runs(variants={"isolation_forest": "trees=10"}) | MERGE,
            "classical models",
        ),
        Row("training, `runs/training.py`", new_code("runs/training.py"), runs() | MERGE, "all runs"),
        Row(
            "what all detectors share, `detectors/contract.py`, `detectors/pooling.py`",
            new_code("detectors/pooling.py"),
            runs() | MERGE,
            "all runs",
        ),
        Row("scoring, `runs/scoring.py`", new_code("runs/scoring.py"), runs(first="score") | MERGE, "all runs"),
        Row(
            "metrics, `evaluation/metrics.py`",
            new_code("evaluation/metrics.py"),
            runs(first="metrics") | MERGE,
            "all runs",
        ),
        Row(
            "the YAML beside a module, such as `evaluation/columns.yaml`",
            reword("evaluation/columns.yaml", "Name of the model", "The model's name"),
            runs(first="metrics") | MERGE,
            "all runs",
        ),
        Row("the merge, `evaluation/merging.py`", new_code("evaluation/merging.py"), MERGE),
        Row(
            "features, `features/extraction.py`, `data/audio.py`",
            new_code("data/audio.py"),
            EVERYTHING_FROM_FEATURES,
            "everything",
        ),
        Row(
            "made-up recordings, `data/made_up/`",
            new_code("data/made_up/machines.py"),
            recordings(*SECTIONS) | EVERYTHING_FROM_FEATURES,
            "everything, where recordings are made up",
        ),
        Row("a rule's shell command", another_shell_line, runs(first="metrics") | MERGE, "that rule and what follows"),
    ],
    "Settings": [
        Row(
            "a hyper-parameter of one model",
            configure(models={"simple_ae": {"latent": 4}}),
            runs(variants={"simple_ae": "epochs=2,latent=4"}) | MERGE,
            "that model, under its new name",
        ),
        Row(
            "`settings.epochs`",
            configure(settings={"epochs": 3}),
            runs(variants={"simple_ae": "epochs=3", "deep_ae": "epochs=3"}) | MERGE,
            "models that have epochs, under new names",
        ),
        Row(
            "`settings.train_per`",
            configure(settings={"train_per": "machine_type"}),
            runs(
                variants={
                    "simple_ae": "epochs=2,train_per=machine_type",
                    "deep_ae": "epochs=2,train_per=machine_type",
                    "isolation_forest": "train_per=machine_type,trees=10",
                },
                train_per="machine_type",
            )
            | MERGE,
            "all runs, under new names",
        ),
        Row(
            "a declared default, such as `learning_rate` in `detectors/network.yaml`",
            default_learning_rate,
            runs(variants=NETWORKS) | MERGE,
            "models that use the default",
        ),
        Row(
            "a feature setting",
            configure(features={"n_mels": 32}),
            features(*SECTIONS, variant="n_mels=32")
            | runs(variants={model: in_order(f"{name},n_mels=32") for model, name in VARIANTS.items()})
            | MERGE,
            "everything, under new names",
        ),
        Row(
            "`features.extractor` and a checkpoint, or another checkpoint",
            embeddings,
            {("extract_embeddings", f"results/features/{EMBEDDED}/{section}") for section in SECTIONS}
            | runs(variants={model: in_order(f"{name},{EMBEDDED}") for model, name in VARIANTS.items()})
            | MERGE,
            "everything, under new names",
        ),
        Row("a seed more", configure(seeds=[42, 7]), runs(seeds=(7,)) | MERGE, "that seed, models that depend on it"),
        Row(
            "a seed more, and the model `pca`, which does not depend on it",
            configure(seeds=[42, 7], models={"pca": {}}),
            runs(seeds=(7,)) | runs(variants={"pca": "default"}) | MERGE,
            "that seed, and `pca` with the first seed alone",
        ),
        *(
            Row(
                f"{what} more",
                configure(dataset={"made_up": {key: [*TINY["dataset"]["made_up"][key], name]}}),
                recordings(*new) | features(*new) | runs(sections=new) | MERGE,
                f"that {what.split()[-1]}",
            )
            for what, key, name, new in (
                ("an SNR", "snrs", "0dB", ("0dB/fan/id_00", "0dB/valve/id_00")),
                ("a machine", "machines", "pump", ("6dB/pump/id_00",)),
                ("a machine ID", "ids", "id_02", ("6dB/fan/id_02", "6dB/valve/id_02")),
            )
        ),
        Row("a model more", configure(models={"pca": {}}), runs(variants={"pca": "default"}) | MERGE, "that model"),
        Row(
            "an ensemble more",
            configure(ensembles={"both": {"members": ["simple_ae", "isolation_forest"], "how": "rank"}}),
            {
                (rule, f"results/runs/both/{ENSEMBLE}/seed=42/{section}")
                for rule in ("combine_scores", "compute_ensemble_metrics")
                for section in SECTIONS
            }
            | MERGE,
            "that ensemble",
        ),
        Row("a model fewer", configure(models={"deep_ae": None}), MERGE),
        Row("an SNR, machine, ID or seed fewer", configure(dataset={"machines": ["fan"]}), MERGE),
        Row("another order of the models", lambda w: w.configure(reordered(TINY)), MERGE),
        Row(
            "a study with variants that are not there yet",
            configure(studies={"latents": {"model": "simple_ae", "vary": {"latent": [8, 4]}}}),
            runs(variants={"simple_ae": "epochs=2,latent=4"})
            | MERGE
            | {("merge_study", "results/studies/latents.csv")},
            "those variants",
        ),
        Row("`scoring.top_k`", configure(scoring={"top_k": 3}), runs(first="score") | MERGE, "all runs"),
        Row("any of `metrics`", configure(metrics={"max_fpr": 0.2}), runs(first="metrics") | MERGE, "all runs"),
        Row(
            "`dataset.on_bad_clip`", configure(dataset={"on_bad_clip": "skip"}), EVERYTHING_FROM_FEATURES, "everything"
        ),
        Row(
            "`dataset.made_up` (clips, seconds, channels, seed)",
            configure(dataset={"made_up": {"seed": 5}}),
            recordings(*SECTIONS) | EVERYTHING_FROM_FEATURES,
            "everything",
        ),
    ],
    "Recordings of one section": [
        Row("a clip more", add_clip, SECTION_OF_FOLDER, "that section", fixture="kept_folder"),
        Row(
            "a clip fewer",
            delete(f"{CLIPS}/abnormal/00000001.wav"),
            SECTION_OF_FOLDER,
            "that section",
            fixture="kept_folder",
        ),
        Row("a clip with other content", change_clip, SECTION_OF_FOLDER, "that section", fixture="kept_folder"),
        Row(
            "a clip more, with `train_per: machine_type`",
            add_clip,
            features("6dB/fan/id_02")
            | runs(
                variants={"simple_ae": "epochs=1,train_per=machine_type"}, sections=TOGETHER, train_per="machine_type"
            )
            | MERGE,
            "features of that section; one training, and all IDs of its machine type at its SNR",
            fixture="kept_together",
        ),
        Row(
            "a clip more, with a model per section, one per machine type and one per SNR",
            add_clip,
            features("6dB/fan/id_02")
            | runs(variants={"gmm": "components=1"}, sections=["6dB/fan/id_02"])
            | runs(variants={"mahalanobis": "train_per=machine_type"}, sections=TOGETHER, train_per="machine_type")
            | runs(variants={"pca": "train_per=snr"}, sections=[*TOGETHER, "6dB/valve/id_00"], train_per="snr")
            | MERGE,
            "features of that section; each model that has seen it, and the runs that it scores",
            fixture="kept_shared",
        ),
        Row(
            "a section more in the dataset that `dataset.machines` leaves out, with a model per SNR",
            lambda workspace: write_recordings(workspace.folder / "recordings/6dB/pump/id_00"),
            features("6dB/pump/id_00")
            | runs(variants={"pca": "train_per=snr"}, sections=[*TOGETHER, "6dB/valve/id_00"], train_per="snr")
            | MERGE,
            "features of that section; that model, and the runs that it scores",
            fixture="kept_shared",
        ),
        Row(
            "`dataset.machines` leaves a machine out, with a model per SNR",
            lambda workspace: workspace.configure(merged(SHARED, {"dataset": {"machines": ["fan"]}})),
            MERGE,
            "it is trained on that machine all the same",
            fixture="kept_shared",
        ),
        Row(
            "a clip touched",
            touch(f"{CLIPS}/normal/00000003.wav"),
            SECTION_OF_FOLDER,
            "that section",
            fixture="kept_folder",
        ),
    ],
    "Statistics, tables and figures": [
        Row("`evaluation/inference.py`", new_code("evaluation/inference.py"), PAPER, fixture="kept_report"),
        Row("`paper/tables/overview.py`", new_code("paper/tables/overview.py"), TABLES, fixture="kept_report"),
        Row("`paper/figures/roc.py`", new_code("paper/figures/roc.py"), FIGURES, fixture="kept_report"),
        Row(
            "whatever plans `merge_results`, such as `evaluation/merging.py`",
            new_code("evaluation/merging.py"),
            MERGE | PAPER,
            fixture="kept_report",
        ),
        Row(
            "how the page looks, `paper/page/page.css`",
            lambda workspace: library(workspace, "paper/page/page.css").write_text("body {}"),
            PAGE,
            "",
            fixture="kept_report",
        ),
        Row(
            "clips of the page, `paper/page/listening.py`",
            new_code("paper/page/listening.py"),
            clips_gathered("simple_ae"),
            "models and sections of `report.clips`",
            fixture="kept_report",
        ),
        Row("a figure deleted", delete("results/figures/auc_heatmap.png"), FIGURES, "", fixture="kept_report"),
        Row(
            "figures of clips, `paper/clip_figures.py`",
            new_code("paper/clip_figures.py"),
            clips_drawn("simple_ae"),
            "models and sections of `report.clips`",
            fixture="kept_report",
        ),
        Row(
            "another model in `report.clips`",
            lambda workspace: workspace.configure({**TINY, "report": {"clips": {"models": ["simple_ae", "deep_ae"]}}}),
            clips_drawn("deep_ae") | clips_gathered("deep_ae"),
            "that model",
            fixture="kept_report",
        ),
        Row(
            "a figure of clips deleted",
            delete(f"{CLIP_FIGURES}/simple_ae/6dB/fan/id_00.png"),
            clips_drawn("simple_ae", sections=SECTIONS[:1]),
            "that section",
            fixture="kept_report",
        ),
        Row(
            "a model of which clips are drawn, `models/simple_ae.py`",
            new_code("models/simple_ae.py"),
            runs(variants={"simple_ae": "epochs=2"})
            | MERGE
            | PAPER
            | clips_drawn("simple_ae")
            | clips_gathered("simple_ae"),
            "that model",
            fixture="kept_report",
        ),
        Row(
            "clip scores of a run deleted",
            delete(f"{RUN}/scores.parquet"),
            set(),
            "what follows is there",
            fixture="kept_report",
        ),
    ],
    "Files deleted, jobs forced": [
        Row("made-up recordings of a section", delete("dataset/6dB/fan/id_00"), set(), "what follows is there"),
        Row("features of a section", delete("results/features/default/6dB/fan/id_00.parquet"), set(), "the same"),
        Row("a run's model", delete(f"{RUN}/model.pth"), set(), "the same"),
        Row("a run's losses or records", delete(f"{RUN}/losses.parquet", f"{RUN}/scoring.json"), set(), "the same"),
        Row("a run's clip scores", delete(f"{RUN}/scores.parquet"), set(), "the same"),
        Row("a run's metrics", delete(f"{RUN}/metrics.json"), set(), "the same"),
        Row("a run's folder", delete(RUN), set(), "the same"),
        Row("a run's folder and `results.csv`", delete(RUN, "results/results.csv"), runs(**ONE) | MERGE, "that run"),
        Row("`results.csv`", delete("results/results.csv"), MERGE),
        Row(
            "`metrics.csv`, `results.record.json`", delete("results/metrics.csv", "results/results.record.json"), set()
        ),
        Row("all logs", delete("results/logs", f"{RUN}/train_model.log"), set()),
        Row(
            "features of a section, and a hyper-parameter of one model",
            both(
                delete("results/features/default/6dB/fan/id_00.parquet"),
                configure(models={"simple_ae": {"latent": 4}}),
            ),
            features("6dB/fan/id_00")
            | runs(variants={"deep_ae": "epochs=2", "isolation_forest": "trees=10"}, sections=["6dB/fan/id_00"])
            | runs(variants={"simple_ae": "epochs=2,latent=4"})
            | MERGE,
            "that model; and the section, as all that reads features follows when they are made again",
        ),
        Row(
            "`--forcerun train_model`",
            lambda workspace: None,
            runs(variants=NETWORKS) | MERGE,
            "networks",
            ("--forcerun", "train_model"),
        ),
        Row(
            "`--forcerun train_model train_classical_model`",
            lambda workspace: None,
            runs() | MERGE,
            "all runs",
            ("--forcerun", "train_model", "train_classical_model"),
        ),
        Row(
            "`--forcerun` with a run's `training.json`",
            lambda workspace: None,
            runs(**ONE) | MERGE,
            "that run",
            ("--forcerun", f"{RUN}/training.json"),
        ),
    ],
}
# Of these another row makes nearly the same point.
SLOW = {
    "`--cores`",
    "a key of the configuration added with its default",
    "planning code (`planning/`)",
    "the base of the classical models, `detectors/estimator.py`",
    "training, `runs/training.py`",
    "what all detectors share, `detectors/contract.py`, `detectors/pooling.py`",
    "a rule's shell command",
    "a machine more",
    "a machine ID more",
    "another order of the models",
    "`dataset.on_bad_clip`",
    "`dataset.made_up` (clips, seconds, channels, seed)",
    "a clip fewer",
    "a clip with other content",
    "made-up recordings of a section",
    "a run's losses or records",
    "a run's clip scores",
    "a run's metrics",
    "all logs",
    "`--forcerun train_model`",
}
SLOW_FIXTURES = ("kept_report", "kept_together", "kept_shared")
ROWS = [row for rows in TABLE.values() for row in rows]


def reordered(config):
    return {**config, "models": dict(reversed(config["models"].items()))}


def as_markdown():
    """The tables of docs/reruns.md."""
    lines = []
    for title, rows in TABLE.items():
        lines += [f"## {title}", "", "| change | jobs | of |", "|---|---|---|"]
        for row in rows:
            rules = {rule for rule, _ in row.jobs}
            planned = ", ".join(f"`{rule}`" for rule in RULES if rule in rules) or "none"
            lines.append(f"| {row.change} | {planned} | {row.of} |")
        lines.append("")
    return "\n".join(lines)


def test_rows_that_are_slow_are_rows():
    assert {row.change for row in ROWS} >= SLOW


def test_the_document_has_this_table():
    """To write it anew: PYTHONPATH=tests python tests/workflow/test_reruns.py"""
    assert as_markdown() in DOCUMENT.read_text()


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(
            row,
            marks=[pytest.mark.slow] if row.change in SLOW or row.fixture in SLOW_FIXTURES else [],
            id=row.change,
        )
        for row in ROWS
    ],
)
def test_what_a_change_plans(row, request):
    workspace = request.getfixturevalue(row.fixture)
    row.edit(workspace)
    planned = workspace.planned(*row.arguments)
    assert sorted(planned - row.jobs) == [], "planned, but not in the table"
    assert sorted(row.jobs - planned) == [], "in the table, but not planned"


@pytest.mark.slow
def test_going_back_to_earlier_settings_plans_the_merge_alone(kept):
    configure(models={"isolation_forest": {"trees": 5}})(kept)
    kept.snakemake()
    configure()(kept)
    assert kept.planned() == MERGE


@pytest.mark.slow
def test_without_snakemakes_records_the_merge_refuses_old_code_and_says_how_to_repair_it(kept):
    results = (kept.folder / "results" / "results.csv").read_bytes()
    without_records(kept)
    new_code("models/simple_ae.py")(kept)
    assert kept.planned() == set()
    refused = kept.snakemake("--forcerun", "merge_results", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "2 of 6 runs do not belong to the present configuration, code and recordings" in said
    assert f"{RUN}: training was done by other code than the present one" in said
    assert "Traceback" not in said
    # Snakemake has removed results.csv, to make it anew; nothing that was there is lost, however often it is refused.
    assert "The last results/results.csv is kept: results/previous/results.csv" in said
    kept.snakemake("--forcerun", "merge_results", check=False)
    assert (kept.folder / "results" / "previous" / "results.csv").read_bytes() == results
    assert not (kept.folder / "results" / "results.csv").exists()
    repair = re.search(r"add this to your snakemake command: (--forcerun .+)", said)
    kept.snakemake(*shlex.split(repair[1]))
    assert kept.planned() == set()
    assert (kept.folder / "results" / "results.csv").read_bytes() != results


# What results were made of, where Snakemake's own records cannot know it: each row of "Recordings and features that
# are not what results were made of" in docs/reruns.md.

FEATURES = "results/features/default/6dB/fan/id_02.parquet"


def refusal(workspace, *arguments):
    """What a start that must fail says."""
    refused = workspace.snakemake(*arguments, check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0, said
    assert "Traceback" not in said
    return said


@pytest.mark.slow
def test_a_second_clone_with_the_same_features_folder_is_refused_not_given_the_firsts_auc(kept_folder, tmp_path):
    (tmp_path / "second").mkdir()
    second = Workspace(tmp_path / "second")
    for section in TOGETHER:
        write_recordings(second.folder / "recordings" / section, samples=5000)
    shutil.copy(kept_folder.folder / "config/config.yaml", second.folder / "config/config.yaml")
    with (second.folder / "config/config.yaml").open("a") as file:
        file.write(f"paths: {{features: {kept_folder.folder / 'results/features'}}}\n")
    features = (kept_folder.folder / FEATURES).read_bytes()
    said = refusal(second, "--keep-going")
    assert "features of other recordings" in said
    assert not (second.folder / "results/results.csv").exists()
    assert not list(second.folder.glob("results/runs/**/metrics.json"))
    assert (kept_folder.folder / FEATURES).read_bytes() == features


@pytest.mark.slow
def test_without_snakemakes_records_the_merge_refuses_replaced_recordings(kept_folder):
    without_records(kept_folder)
    change_clip(kept_folder)
    assert kept_folder.planned() == set()
    said = refusal(kept_folder, "--forcerun", "merge_results")
    assert "made of other recordings of 6dB/fan/id_02 than the present ones" in said
    assert "6dB/fan/id_00:" not in said


@pytest.mark.slow
def test_the_merge_refuses_runs_beside_features_restored_from_a_backup(kept_folder):
    backup = shutil.copy2(kept_folder.folder / FEATURES, kept_folder.folder / "backup.parquet")
    change_clip(kept_folder)
    kept_folder.snakemake()
    shutil.copy2(backup, kept_folder.folder / FEATURES)
    said = refusal(kept_folder, "--forcerun", "merge_results")
    assert f"trained on other features than {FEATURES} holds now" in said


@pytest.mark.slow
def test_recordings_that_were_copied_run_nothing_again_once_their_contents_were_compared(kept_folder):
    for clip in (kept_folder.folder / "recordings").rglob("*.wav"):
        clip.touch()
    assert ("extract_features", "results/features/default/6dB/fan/id_02") in kept_folder.planned()
    command = [sys.executable, "-m", "mimii", "check_dataset", "--content"]
    done = subprocess.run(command, cwd=kept_folder.folder, env=kept_folder.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert kept_folder.planned() == set()
    kept_folder.snakemake("--forcerun", "merge_results")


if __name__ == "__main__":
    print(as_markdown())
