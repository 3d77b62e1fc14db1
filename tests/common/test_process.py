"""Effects on the whole process: a job's own, and of nothing else in the library."""

import json
import os
import subprocess
import sys

from mimii.detectors.declaration import model_declaration, model_names

LIBRARY = r"""
import gc, json, os, pickle, random, sys
import numpy as np, pyarrow, sklearn.svm, torch  # what these do when they are imported is theirs

def state():
    return {
        "torch": torch.get_rng_state().tolist(), "numpy": pickle.dumps(np.random.get_state()).hex(),
        "random": str(random.getstate()), "deterministic": torch.get_deterministic_debug_mode(),
        "fill": torch.utils.deterministic.fill_uninitialized_memory, "type": str(torch.get_default_dtype()),
        "gradients": torch.is_grad_enabled(), "environment": dict(os.environ), "finders": str(sys.meta_path),
        "threads": [torch.get_num_threads(), pyarrow.cpu_count(), pyarrow.io_thread_count()],
        "numpy_errors": np.geterr(), "garbage": gc.get_threshold(),
    }

def allocator():
    # Whether freed memory stays with the process instead of going back to the system. In blocks larger than any that a
    # detector here frees: the C library's own threshold grows with what was freed.
    size = 22e6 if "before" not in globals() else 28e6
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    blocks = [np.ones(int(size / 8)) for _ in range(8)]
    held = resident()
    del blocks
    return "kept" if held - resident() < 100e6 else "returned"

import mimii
from mimii.common.declarations import resolve
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import model_declaration
from mimii.features.clips import Clips

file, *names = sys.argv[1:]
before = {**state(), "allocator": allocator()}
changed = []
frames = np.random.default_rng(1).normal(size=(40 * 48, 16)).astype(np.float32)
for name in names:
    make = detector_class(name)
    declared = model_declaration(name).settings
    quick = {"epochs": 2, "max_vectors": 200, "trees": 5, "best_epoch": True}
    settings = resolve(declared, {key: value for key, value in quick.items() if key in declared})
    training, validation = (Clips(frames.copy(), np.full(40, 48)) for _ in range(2))
    detector = make(settings, 16, seed=3)
    detector.fit(training, validation)
    detector.window_scores(training)
    if detector.reconstructs:
        detector.reconstruct(training)
    detector.save(file)
    make.load(file).window_scores(training)
    assert (training.frames == frames).all() and (validation.frames == frames).all()
    changed += [[name, key] for key, value in state().items() if value != before[key]]
if allocator() != before["allocator"]:
    changed.append([names, "allocator"])
print(json.dumps(changed))
"""


# Threads that wait for each other without using the cores that other tests need; how many there are is what is tested.
ENVIRONMENT = {**os.environ, "OMP_WAIT_POLICY": "passive"}


def test_detectors_change_nothing_in_somebodys_process(tmp_path):
    command = [sys.executable, "-c", LIBRARY, str(tmp_path / "model"), *model_names()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
    assert json.loads(done.stdout) == []


def test_a_job_is_prepared():
    code = """
import os, sys, torch
from mimii.common.process import prepare_process
finders = len(sys.meta_path)
prepare_process()
assert torch.get_deterministic_debug_mode() == 0
prepare_process(threads=1)
prepare_process(threads=1)
assert len(sys.meta_path) == finders + 1
assert torch.get_deterministic_debug_mode() == 2
assert torch.get_num_threads() == 1
assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
try:
    import pandas
except ModuleNotFoundError as error:
    assert error.name == "pandas"
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_test_would_see_what_a_job_changes(tmp_path):
    prepare = "import mimii.common.process\nmimii.common.process.prepare_process(threads=3)\n"
    code = LIBRARY.replace("for name in names:", f"{prepare}for name in names:")
    command = [sys.executable, "-c", code, str(tmp_path / "model"), "simple_ae"]
    # Tests of jobs have prepared this process, too.
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "CUBLAS_WORKSPACE_CONFIG"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    changed = {"deterministic", "fill", "environment", "finders", "threads", "garbage", "allocator"}
    assert {key for _, key in json.loads(done.stdout)} == changed


def test_networks_train_and_score_in_a_prepared_job(tmp_path):
    """Nothing that they need is among what stays unimported."""
    code = f"""
from mimii.common.process import prepare_process
prepare_process()
import numpy as np
from mimii.common.declarations import resolve
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import model_declaration
from mimii.features.clips import Clips
frames = np.random.default_rng(1).normal(size=(20 * 48, 16)).astype(np.float32)
clips = Clips(frames, np.full(20, 48))
for name in {[name for name in model_names() if model_declaration(name).base == "network"]}:
    make = detector_class(name)
    prepare_process(threads=1)
    detector = make(resolve(model_declaration(name).settings, {{"epochs": 1}}), 16, seed=3)
    detector.fit(clips, clips)
    detector.save("{tmp_path / "model"}")
    make.load("{tmp_path / "model"}").window_scores(clips)
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)


def test_a_job_imports_little_of_torch():
    """And what it leaves out fails aloud where somebody needs it."""
    code = """
import sys
from mimii.common.process import prepare_process
prepare_process()
import torch
assert "torch._decomp.decompositions" not in sys.modules
made = torch.empty(3, device="meta")
try:
    torch.linalg.eig(torch.empty(3, 3, device="meta"))
except NotImplementedError:
    pass
else:
    raise AssertionError
prepare_process(hide=False)
sys.modules.pop("torch._meta_registrations")
import torch._meta_registrations
torch.linalg.eig(torch.empty(3, 3, device="meta"))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_job_without_torch_stays_without_it():
    code = """
import sys
from mimii.common.process import prepare_process
from mimii.detectors.contract import detector_class
prepare_process()
detector_class("pca")
prepare_process(threads=1)
import sklearn.svm
assert not {"torch", "pandas"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
