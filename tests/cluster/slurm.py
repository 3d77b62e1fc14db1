"""A real Slurm on this machine alone, from Debian's packages: `python tests/cluster/slurm.py start FOLDER`, or `stop`.

Needs root. Refuses where there is a Slurm already. One node of `CPUS` cores, however many there are, with one GPU that
is none: /dev/null stands for it. Runs without systemd. A job that outgrows its memory is killed within a second or two.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

PACKAGES = ["slurm-wlm", "munge"]
SETTINGS = Path("/etc/slurm")  # the executor plugin takes SLURM_CONF away from jobs, so it must be this folder
MUNGE = Path("/run/munge")
CPUS = 4
MEMORY_MB = 8000
PARTITION = "ci"
CLUSTER = "mimii_tests"  # how a Slurm of these tests is told from a machine's own

SLURM_CONF = """
ClusterName={cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
SlurmdParameters=config_overrides
EnforcePartLimits=ALL
ReturnToService=2
MinJobAge=3600
KillWait=2
GresTypes=gpu
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName={partition} Nodes=ALL Default=YES MaxTime=1440 State=UP
"""
GRES_CONF = "NodeName={host} Name=gpu File=/dev/null\n"


def missing():
    """Why no Slurm can be brought up here, or None. Installs the packages where it can."""
    if os.geteuid() != 0:
        return "only root can bring up Slurm"
    stop_left_over()
    if (SETTINGS / "slurm.conf").exists():
        return f"{SETTINGS}/slurm.conf is there: this machine has its own Slurm"
    if not all(shutil.which(command) for command in ("slurmctld", "slurmd", "munged", "sbatch")):
        if not shutil.which("apt-get"):
            return f"Slurm is not installed ({' '.join(PACKAGES)}), and there is no apt-get"
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
        for command in (["apt-get", "update"], install):
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            return f"{' '.join(install)} failed: {done.stderr.strip()[-300:]}"
    return None


@contextmanager
def running(folder):
    """Slurm with its state in `folder`, down again afterwards, whatever happened."""
    folder = Path(folder)
    try:
        start(folder)
        yield
    finally:
        stop(folder)


def start(folder):
    """Bring munged, slurmctld and slurmd up, and wait until the node is idle."""
    folder = Path(folder).absolute()
    for part in ("state", "spool"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    values = {"host": socket.gethostname().split(".")[0], "folder": folder}
    values |= {"cpus": CPUS, "memory": MEMORY_MB, "partition": PARTITION, "cluster": CLUSTER}
    SETTINGS.mkdir(exist_ok=True)
    (SETTINGS / "slurm.conf").write_text(SLURM_CONF.format(**values))
    (SETTINGS / "gres.conf").write_text(GRES_CONF.format(**values))

    if not _munge_answers():
        munge = pwd.getpwnam("munge")
        for path in (MUNGE, Path("/var/log/munge"), Path("/var/lib/munge")):
            path.mkdir(parents=True, exist_ok=True)
            os.chown(path, munge.pw_uid, munge.pw_gid)
        MUNGE.chmod(0o755)
        _run("runuser", "-u", "munge", "--", "/usr/sbin/munged")
        shutil.copy(MUNGE / "munged.pid", folder / "munged.pid")
    _run("slurmctld")
    _run("slurmd")
    deadline = time.monotonic() + 60
    while "idle" not in (state := _output("sinfo", "--noheader", "--format=%T")):
        if time.monotonic() > deadline:
            logs = "".join((folder / f"{name}.log").read_text()[-2000:] for name in ("slurmctld", "slurmd"))
            raise RuntimeError(f"Slurm's node is {state.strip()!r}, not idle:\n{logs}")
        time.sleep(0.2)


def stop(folder):
    """End every job, the daemons, and take the files in /etc/slurm away: left over, they slow each Snakemake down."""
    folder = Path(folder).absolute()
    if (folder / "slurmctld.pid").exists():
        subprocess.run(["scancel", "--signal=KILL", "--full", "--user=root"], capture_output=True, timeout=30)
        subprocess.run(["scancel", "--user=root"], capture_output=True, timeout=30)
    for name in ("slurmd", "slurmctld", "munged"):
        _end(folder / f"{name}.pid")
    for name in ("slurm.conf", "gres.conf"):
        file = SETTINGS / name
        if file.exists() and (name == "gres.conf" or str(folder) in file.read_text()):
            file.unlink()


def stop_left_over():
    """Take down what tests that were killed have left."""
    file = SETTINGS / "slurm.conf"
    if file.exists() and f"ClusterName={CLUSTER}\n" in (text := file.read_text()):
        stop(re.search(r"^SlurmctldPidFile=(.+)/slurmctld\.pid$", text, re.MULTILINE)[1])


def _end(pid_file):
    """End a daemon and what it started: first politely."""
    if not pid_file.exists():
        return
    number = int(pid_file.read_text())

    def alive():
        name = Path(f"/proc/{number}/comm")
        return name.exists() and name.read_text().strip() == pid_file.stem

    for which, wait in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        if alive():
            os.kill(number, which)
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline and alive():
            time.sleep(0.1)
    pid_file.unlink(missing_ok=True)


def _munge_answers():
    return subprocess.run("munge -n | unmunge", shell=True, capture_output=True).returncode == 0


def _run(*command):
    # Daemons go on when the test that started them ends by a signal to its group; `stop` ends them.
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} exited {done.returncode}: {done.stderr}")


def _output(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout


if __name__ == "__main__":
    _, wanted, place = sys.argv
    if wanted == "start" and (reason := missing()):
        sys.exit(reason)
    {"start": start, "stop": stop}[wanted](place)
