"""What holds for every test."""

import signal

import pytest


@pytest.fixture(autouse=True, scope="session")
def _interrupts_reach_us():
    """A shell that starts tests in the background lets them ignore Ctrl-C, and their subprocesses too."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
