"""A `python` whose libraries are imported already: it hands its command to a process that has them, which forks for it.

Imports take most of the time of a small workflow's jobs, and two thirds of a start of Snakemake. What is forked is as
new as a process can be that has not imported by itself: its own copy of the package, seeds, environment and folder.
Tests of processes themselves (kills, interrupts) and of the README's commands run the real one.

Run as a program, with a folder, it serves commands there until its standard input ends.
"""

import json
import os
import select
import socket
import sys
from functools import cache
from pathlib import Path

# What each kind of command imports, without the package: a workflow has its own copy.
LIBRARIES = {
    "snakemake": ["jsonschema", "snakemake.cli", "snakemake.report.html_reporter"],
    "networks": ["jsonschema", "pyarrow.parquet", "soundfile", "threadpoolctl", "torch", "yaml"],
    "paper": ["jsonschema", "matplotlib.pyplot", "pyarrow.parquet", "scikit_posthocs", "seaborn", "sklearn.metrics"],
    "others": [
        *("jsonschema", "librosa", "pyarrow.compute", "pyarrow.parquet", "scipy.signal", "scipy.stats"),
        *("sklearn.decomposition", "sklearn.ensemble", "sklearn.mixture", "sklearn.svm"),
        *("soundfile", "threadpoolctl", "yaml"),
    ],
}
JOBS = ("networks", "others")
PAPER = ("make_statistics.py", "make_tables.py", "make_figures.py", "make_page.py", "make_study_table.py")


@cache
def executable():
    """Path of a `python`, for this process and those that it starts."""
    import atexit
    import shutil
    import subprocess
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="python"))  # the name of a socket is short
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    code = f"from warm_python import main\nmain({str(folder)!r}, {sys.executable!r})\n"
    path = folder / "python"
    path.write_text(f"#!{sys.executable} -IS\nimport sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n{code}")
    path.chmod(0o755)
    server = subprocess.Popen([sys.executable, __file__, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    server.stdout.readline()
    atexit.register(server.stdin.close)
    return str(path)


def main(folder, real_python):
    """What the `python` in `folder` does: have its command run by whom it is for, or else by the real one."""
    command = sys.argv[1:]
    if (kind := _kind(command)) is None:
        os.execv(real_python, [real_python, *command])
    sys.exit(run(command, Path.cwd(), dict(os.environ), kind=kind, served_in=folder))


def run(command, folder, environment, *, output=None, kind="snakemake", served_in=None):
    """Run arguments of Python in `folder`, and return the exit code. output: a file for all that is printed."""
    descriptors = (0, 1, 2) if output is None else (0, output.fileno(), output.fileno())
    served_in = served_in or Path(executable()).parent
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"{served_in}/{kind}")
        text = json.dumps([command, str(folder), environment]).encode()
        socket.send_fds(connection, [text[:1]], descriptors)
        connection.sendall(text[1:])
        connection.shutdown(socket.SHUT_WR)
        code = int(connection.makefile().read())
    return code if code >= 0 else 128 - code


def _kind(command):
    if command[:2] == ["-m", "snakemake"]:
        return "snakemake"
    if command[:2] != ["-m", "mimii"] and not command[:1][0].endswith(".py"):
        return None
    if any(argument.endswith(".pth") for argument in command):
        return "networks"
    return "paper" if command[0].endswith(PAPER) else "others"


def _serve(folder):
    """Listen for commands of each kind; the first of a kind starts the process that serves it."""
    listeners = {}
    for kind in LIBRARIES:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{folder}/{kind}")
        listener.listen(64)
        listeners[listener] = kind
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([sys.stdin, *listeners], [], [])
        if sys.stdin in readable:
            os._exit(0)
        for listener in readable:
            kind = listeners.pop(listener)
            if os.fork() == 0:
                for other in listeners:
                    other.close()
                return _serve_kind(listener, kind, f"{folder}/python")
            listener.close()


def _serve_kind(listener, kind, python):
    _import(kind)
    while True:
        readable, _, _ = select.select([sys.stdin, listener], [], [])
        if sys.stdin in readable:
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            break
        connection.close()
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    listener.close()
    first, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
    command, folder, environment = json.loads(first + connection.makefile("rb").read())
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    connection.close()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.executable = python
    return _become(command, folder, environment)


def _import(kind):
    import gc
    import importlib

    import numpy  # noqa: F401

    sys.dont_write_bytecode = True
    sys.path.pop(0)  # this file's folder
    if kind in JOBS:
        sys.modules["pandas"] = None  # a job, too, hides it from the libraries, which import it where they can
    for library in LIBRARIES[kind]:
        importlib.import_module(library)
    if kind in JOBS:
        del sys.modules["pandas"]
    gc.freeze()


def _become(command, folder, environment):
    """Run a command as the process that it would have had."""
    import atexit
    import random
    import runpy
    import threading
    import traceback

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    sys.modules["numpy"].random.seed()
    if torch := sys.modules.get("torch"):
        torch.seed()
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  to the end, as these three are
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
    module = command[0] == "-m"
    name, sys.argv = (command[1], command[1:]) if module else (command[0], command)
    packages = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:0] = [folder if module else str(Path(name).resolve().parent), *map(os.path.abspath, packages)]
    code = 0
    try:
        if module:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(name, run_name="__main__")
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    # As the interpreter does, but for taking apart all modules, which copies the server's memory.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
