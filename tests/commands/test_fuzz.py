"""Whatever is typed, and whatever the files hold: every command succeeds or ends with one message, exit code 1 or 2."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from small_benchmark import SECTION, Benchmark, make_benchmark

import mimii
from mimii.commands import main as commands
from mimii.commands import research_experiments, snapshots
from mimii.common import provenance
from mimii.common.errors import UserError
from mimii.launch import process, report, request, run

ROOT = Path(__file__).resolve().parents[2]
RUN = f"results/runs/pca/components=4/seed=42/{SECTION}"
CLIP = f"data/{SECTION}/normal/00000005.wav"
# Files of the right kind, and which commands read them.
READERS = {
    "results/results.csv": ["summary", "compare", "page", "share"],
    CLIP: ["score", "check_dataset"],
    f"{RUN}/model.npz": ["score", "share"],
    f"{RUN}/scores.parquet": ["compare", "page", "share", "results-so-far"],
    f"{RUN}/training.json": ["score", "page", "results-so-far"],
}
FILES = list(READERS)
ODD = ["nowhere/at/all", "", ".", "odd/empty", "odd/bytes", "odd/Lüfter 风扇"]
PLACES = [*FILES, "config.yaml", "data", RUN, "results", *ODD]
VALUES = ["", "0", "-1", "1", "1e999", "nan", "010", "all", "auto", "cuda:9", "pca", "vea", "auc", "a/b", "--", "é\n"]
RESEARCH = """--base_dir --model --n_mels --n_fft --power --frames --epochs --learning_rate --seed --seeds --val_split
    --output_csv --pickle_dir --model_dir --result_dir --machines --ids --device --cores --profile --dry-run
    --retrain"""
OPTIONS = {
    "run": ["--configfile", "--cores", "--profile", "--report", "--dry-run"],
    "summary": [],
    "score": ["--device", "--csv", "--figures"],
    "compare": ["--model", "--metric", "--old-runs", "--new-runs", "--configfile"],
    "results-so-far": ["--configfile", "--output"],
    "check_dataset": ["--configfile", "--content"],
    "page": ["--output"],
    "share": ["--output"],
    "paper": ["--results"],
    "export": [],
    "save": ["--configfile"],
    "init": ["--normal", "--output"],
    "research": RESEARCH.split(),
}
# Written into a folder of the test's own alone, so that nothing else of the benchmark changes.
WRITTEN = {"--output", "--csv", "--figures", "--pickle_dir", "--model_dir", "--result_dir"}
OUTPUTS = ["out/new", "out/there", "out/file", "out/file/below", "out/Lüfter"]
# What these commands take, one of each; the others take up to three places.
POSITIONALS = {
    "export": [PLACES, [*OUTPUTS, "out/file.onnx"]],
    "paper": [OUTPUTS],
    "save": [[*VALUES, "before", "now", "../out/file", "a.zip"]],
    "init": [["data", "odd", "out", CLIP, "nowhere/at/all"]],
    "research": [],
}


@st.composite
def command_lines(draw):
    """A command and its arguments."""
    command = draw(st.sampled_from(list(OPTIONS)))
    if command in POSITIONALS:
        arguments = [draw(st.sampled_from(pool)) for pool in POSITIONALS[command]]
    else:
        arguments = draw(st.lists(st.sampled_from(PLACES), max_size=3))
    for option in draw(st.lists(st.sampled_from(OPTIONS[command] or ["--help"]), max_size=4)):
        pool = OUTPUTS if option in WRITTEN else [*PLACES, *VALUES]
        arguments += [option, *draw(st.lists(st.sampled_from(pool), max_size=2))]
    if command == "research" and draw(st.booleans()):
        arguments += ["--base_dir", "data"]
    if command in ("run", "results-so-far", "check_dataset", "save", "compare") and draw(st.booleans()):
        arguments += ["--configfile", "config.yaml"]
    return command, arguments


@st.composite
def damages(draw):
    """A command, a file that it reads, and what becomes of the file's bytes."""
    name = draw(st.sampled_from(FILES))
    command = draw(st.sampled_from(READERS[name]))
    start, length = draw(st.floats(0, 1)), draw(st.sampled_from([0, 1, 7, 10**9]))
    piece = draw(st.sampled_from([b"", b"\x00", b"\xff\xfe", b'"', b",,", b"\r\n", b"NaN", b"{}"]))
    if name.endswith(".json"):
        pieces = [b"", b"{", b"[]", b"{}", b"null", b"\xff", b'{"model": 1}']
        start, length, piece = 0.0, 10**9, draw(st.sampled_from(pieces))
    return command, name, start, length, piece


def damage(content, start, length, piece):
    at = int(start * len(content))
    return content[:at] + piece + content[at + length :]


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    """A finished benchmark, which commands take for their workflow; Snakemake is never started."""
    folder = tmp_path_factory.mktemp("fuzz")
    make_benchmark(folder)
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(Benchmark().config))
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    for name in ("odd", "out/there"):
        (folder / name).mkdir(parents=True)
    for name, content in (("odd/empty", b""), ("odd/bytes", bytes(range(256))), ("out/file", b"own")):
        (folder / name).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for module in (provenance, research_experiments, snapshots, process, report, request, run):
            if hasattr(module, "REPOSITORY"):
                patch.setattr(module, "REPOSITORY", folder)
        patch.setattr(run, "run_snakemake", lambda arguments, read, stop: (0, []))
        yield folder


def run_command(command, arguments):
    """Exit code, and what was printed as an error."""
    main = research_experiments.main if command == "research" else commands.main
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors), pytest.raises(SystemExit) as end:
        main(arguments if command == "research" else [command, *arguments])
    return end.value.code or 0, errors.getvalue()


def is_success_or_a_message(code, errors):
    assert code in (0, 1, 2), errors
    assert "Traceback" not in errors
    # compare ends with 1, and says so among its results, where a model that was named got worse.
    assert code == 0 or "error: " in errors


# Not shrunk: a command takes too long to be tried hundreds of times.
RELAXED = settings(suppress_health_check=list(HealthCheck), database=None, deadline=None, phases=[Phase.generate])


def check_command_line(benchmark, drawn):
    is_success_or_a_message(*run_command(*drawn))
    assert (benchmark / "out/file").read_bytes() == b"own"


def check_damage(benchmark, drawn):
    command, name, *how = drawn
    path = benchmark / name
    whole = path.read_bytes()
    path.write_bytes(damage(whole, *how))
    arguments = {
        "summary": ["results/results.csv"],
        "compare": ["results/results.csv", "results/results.csv"],
        "score": [RUN, CLIP],
        "results-so-far": ["--output", "out/there", "--configfile", "config.yaml"],
        "check_dataset": ["--content", "--configfile", "config.yaml"],
        "page": ["results", "--output", "out/there/page.html"],
        "share": ["results", "--output", "out/there/results.zip"],
    }[command]
    try:
        is_success_or_a_message(*run_command(command, arguments))
        with contextlib.suppress(UserError):
            assert isinstance(mimii.load_detector(RUN).score(CLIP), float)
    finally:
        path.write_bytes(whole)


@settings(RELAXED, max_examples=100)
@given(drawn=command_lines())
def test_a_command_line_works_or_is_refused(benchmark, drawn):
    check_command_line(benchmark, drawn)


@pytest.mark.parametrize(
    "arguments",
    [
        ["page", "results", "--output", "out/file"],
        ["share", "results", "--output", "out/file"],
        ["score", RUN, CLIP, "--csv", "out/file"],
        ["results-so-far", "--output", "out"],
        ["export", RUN, "out/file"],
    ],
)
def test_nothing_of_somebody_s_own_is_replaced(benchmark, arguments):
    code, errors = run_command(arguments[0], arguments[1:])
    assert code == 1
    assert errors.startswith("error: ")
    assert "/out" in errors or " out" in errors
    assert (benchmark / "out/file").read_bytes() == b"own"


@pytest.mark.parametrize(
    "arguments",
    [
        ["summary", "odd/pipe"],
        ["compare", "odd/pipe", "results/results.csv"],
        ["run", "--configfile", "odd/pipe", "--dry-run"],
        ["score", RUN, "odd/pipe"],
        ["score", "odd/pipe", CLIP],
        ["export", "odd/pipe", "out/new.zip"],
        ["page", "odd/pipe"],
        ["init", "odd/pipe"],
    ],
)
def test_a_pipe_is_refused_and_not_waited_for(benchmark, arguments):
    os.mkfifo(benchmark / "odd/pipe")
    try:
        code, errors = run_command(arguments[0], arguments[1:])
    finally:
        (benchmark / "odd/pipe").unlink()
    assert code == 1
    assert "odd/pipe" in errors


@settings(RELAXED, max_examples=30)
@given(drawn=damages())
def test_a_damaged_file_is_read_or_refused(benchmark, drawn):
    check_damage(benchmark, drawn)


@pytest.mark.slow
@settings(RELAXED, max_examples=600)
@given(drawn=command_lines())
def test_many_command_lines_work_or_are_refused(benchmark, drawn):
    check_command_line(benchmark, drawn)


@pytest.mark.slow
@settings(RELAXED, max_examples=200)
@given(drawn=damages())
def test_many_damaged_files_are_read_or_refused(benchmark, drawn):
    check_damage(benchmark, drawn)


@pytest.mark.slow
@settings(RELAXED, max_examples=15)
@given(drawn=command_lines().filter(lambda drawn: drawn[0] not in ("run", "research", "results-so-far", "save")))
def test_processes_end_well_or_with_a_message(benchmark, drawn):
    command, arguments = drawn
    done = subprocess.run(
        [sys.executable, "-m", "mimii", command, *arguments],
        cwd=benchmark,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        text=True,
        errors="replace",
    )
    is_success_or_a_message(done.returncode, done.stderr)


def test_a_reader_that_has_gone_is_no_traceback(benchmark):
    """As of `python -m mimii summary results/results.csv | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "mimii", "summary", "results/results.csv"],
        cwd=benchmark,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert done.stderr == ""


def test_the_benchmark_that_is_damaged_is_whole(benchmark):
    assert json.loads((benchmark / RUN / "metrics.json").read_text())["row"]["model"] == "pca"
    assert run_command("score", [RUN, "data"])[0] == 0
