"""Jobs side by side on a machine with several GPUs."""

import subprocess
import sys
from collections import Counter

from mimii.common import device

TAKE = "import sys, pathlib, mimii.common.device as d; print(d.least_used(2, pathlib.Path(sys.argv[1])), flush=True)"


def test_each_job_takes_the_gpu_that_the_fewest_others_use(tmp_path):
    taken = [device.least_used(3, tmp_path) for _ in range(7)]
    assert taken == [0, 1, 2, 0, 1, 2, 0]


def test_a_job_that_was_killed_gives_its_gpu_back(tmp_path):
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", f"{TAKE}; sys.stdin.read()", tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        taken = [int(job.stdout.readline()) for job in jobs]
        assert Counter(taken) == {0: 2, 1: 2}
        for job, gpu in zip(jobs, taken, strict=True):
            if gpu == 1:
                job.kill()
                job.wait()
        assert [device.least_used(2, tmp_path) for _ in range(2)] == [1, 1]
    finally:
        for job in jobs:
            job.kill()
            job.wait()
            job.stdin.close()
            job.stdout.close()


def test_auto_names_a_gpu_only_where_there_are_several(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device.pick_device("auto") == "cuda"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(device, "least_used", lambda gpus: gpus - 1)
    assert device.pick_device("auto") == "cuda:1"
