"""What a person asks for: which configuration, how many jobs at a time, where they run."""

import os
from argparse import ArgumentTypeError
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from mimii.common.errors import UserError
from mimii.common.provenance import REPOSITORY
from mimii.planning.config_file import read_yaml


@dataclass(frozen=True)
class Request:
    """What to run.

    configfile: a configuration that replaces config/config.yaml, or None. cores: a number or "all"; None: all, or what
    the profile says. profile: a folder of profiles/ or a path. retrain: train every configured run again. log_file:
    where Snakemake's full log is appended, beside its own.
    """

    configfile: Path | None = None
    cores: str | None = None
    profile: str | None = None
    retrain: bool = False
    dry_run: bool = False
    log_file: Path | None = None

    def arguments(self) -> list[str]:
        """Snakemake's options for this request."""
        arguments = ["--forcerun", "train_model", "train_classical_model"] if self.retrain else []
        if self.configfile:
            arguments += ["--configfile", str(self.configfile), "--replace-workflow-config"]
        amount_keys: set[str] = set()
        if self.profile:
            folder = profile_folder(self.profile)
            arguments += ["--profile", str(folder)]
            amount_keys = {"cores", "jobs"} & set(read_yaml(profile_file(folder)))
        if self.cores or not amount_keys:
            arguments += ["--cores", self.cores or "all"]
        return arguments


def profile_file(folder: Path) -> Path:
    """The file of a profile, in a folder that may hold one."""
    named = folder / "profile.yaml"
    return named if named.is_file() else folder / "config.yaml"  # its name before Snakemake 9.19


def profile_folder(name: str) -> Path:
    """`profiles/<name>`, or `name` as a path. Raises UserError where neither holds a profile."""
    for folder in (REPOSITORY / "profiles" / name, Path(name).absolute()):
        if profile_file(folder).is_file():
            return folder
    known = ", ".join(sorted(path.name for path in (REPOSITORY / "profiles").iterdir() if path.is_dir()))
    raise UserError(f"--profile: there is no profile {name!r} in profiles/ (there: {known}), nor a folder of that name")


def check_start(cores: int | None, arguments: Collection[str]) -> None:
    """Raise UserError on what Snakemake was given and would wait for without end, or answer with a traceback."""
    if cores is not None and cores < 1:
        raise UserError(f"--cores: expected a number of at least 1, or all, not {cores}")
    if "" in arguments:
        raise UserError("an empty target: name a file or a rule, or nothing for all that is configured")


def parse_cores(text: str) -> str:
    """What --cores may be. Raises ArgumentTypeError."""
    if text != "all" and not (text.isdecimal() and int(text) > 0):
        raise ArgumentTypeError(f"expected a number of at least 1, or all, not {text!r}")
    return text


def worker_count(cores: str | None) -> int:
    """Jobs at a time on this machine."""
    return len(os.sched_getaffinity(0)) if cores in (None, "all") else int(cores)
