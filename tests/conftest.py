"""What holds for every test."""

import gc
import signal
import sys

import hypothesis
import pytest
import torch  # first of all: a job that a test runs in this process leaves out a part of it
from threadpoolctl import threadpool_limits

pytest_plugins = ["made_up_runs"]

# A busy machine is no fault: no test fails by the time it takes.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


def pytest_collection_finish():
    """Every library that tests import is there now."""
    gc.freeze()  # no library is any: tests of scikit-posthocs' and statsmodels' corrections collect it again and again
    threadpool_limits(1)  # tests run side by side, and threads that wait for each other take the others' time
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _interrupts_reach_us():
    """A shell that starts tests in the background lets them ignore Ctrl-C, and their subprocesses too."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _a_job_hides_no_module_from_later_tests():
    """A job that a test runs in this process prepares it for itself."""
    finders = list(sys.meta_path)
    yield
    sys.meta_path[:] = finders
