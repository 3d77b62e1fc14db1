"""What a killed run may have left on a Slurm cluster."""

import subprocess
from pathlib import Path

from mimii.common.errors import UserError
from mimii.common.provenance import REPOSITORY
from mimii.launch.messages import quantity
from mimii.launch.request import Request, profile_file, profile_folder
from mimii.planning.config_file import read_yaml


def cancel_left_over_jobs(request: Request) -> None:
    """Cancel what a killed Snakemake left on Slurm, while the folder is held: it would be at work beside its successor.

    Such jobs have the name that the profile gives them, and this folder. Raises UserError where Slurm does not answer.
    """
    if not request.profile:
        return
    profile = read_yaml(profile_file(profile_folder(request.profile)))
    if profile.get("executor") != "slurm" or not (prefix := profile.get("slurm-jobname-prefix")):
        return
    try:
        answer = subprocess.run(
            ["squeue", "--me", "--noheader", "--format=%i|%j|%Z"], capture_output=True, text=True, check=True
        )
        rows = [line.split("|", 2) for line in answer.stdout.splitlines()]
        numbers = [n for n, name, folder in rows if name.startswith(f"{prefix}_") and Path(folder) == REPOSITORY]
        if numbers:
            print(f"An earlier run left {quantity(len(numbers), 'job')} on the cluster: cancelling.", flush=True)
            subprocess.run(["scancel", *numbers], capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is not here; start this where jobs are submitted to Slurm") from None
    except subprocess.CalledProcessError as error:
        raise UserError(f"{error.cmd[0]} failed: {error.stderr.strip()}") from None
