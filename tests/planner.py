"""Dry runs without Snakemake's import, which takes two thirds of a small one: a process that has it forks for each.

Run as a program, it reads lines of JSON (folder, arguments, output) and answers each with Snakemake's exit code.
"""

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def _server():
    server = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    atexit.register(server.kill)
    return server


def dry_run(folder, arguments, output):
    """`snakemake --dry-run` in `folder` with its own copy of the library; what it prints goes to the file `output`."""
    server = _server()
    server.stdin.write(json.dumps([str(folder), ["--dry-run", *arguments], str(output)]) + "\n")
    answer = server.stdout.readline()
    if not answer:
        raise RuntimeError("the process that plans has ended")
    return int(answer)


def _snakemake(folder, arguments, output):
    os.chdir(folder)
    with Path(output).open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.path.insert(0, str(Path(folder, "src")))
    sys.argv = ["snakemake", *arguments]
    os.environ["PYTHONPATH"] = str(Path(folder, "src"))

    from snakemake.cli import main

    main()


def _serve():
    import jsonschema  # noqa: F401
    import snakemake.cli
    import snakemake.report.html_reporter  # noqa: F401

    sys.dont_write_bytecode = True
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _snakemake(*request)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
