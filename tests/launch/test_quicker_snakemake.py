"""What is changed of Snakemake, and that it is still what Snakemake does without."""

import inspect
from types import SimpleNamespace

import pytest
from snakemake.common import get_function_params
from snakemake.resources import Resource
from snakemake.scheduling.job_scheduler import JobScheduler

from mimii.launch import quicker_snakemake
from mimii.launch.quicker_snakemake import look_again, make_snakemake_quicker, remember_parameters


@pytest.fixture
def timers(monkeypatch):
    """Timers that were started, each (delay, what it does), in place of real ones."""
    started = []

    class Timer:
        def __init__(self, delay, function):
            self.start = lambda: started.append((delay, function))

    monkeypatch.setattr(quicker_snakemake.threading, "Timer", Timer)
    return started


def scheduler(free):
    """One with so many jobs of its limit left, which counts how often it is told to look."""
    looks = []
    limiter = SimpleNamespace(timespan=1, get_free_jobs=lambda: free)
    return SimpleNamespace(
        job_rate_limiter=limiter, looks=looks, _open_jobs=SimpleNamespace(release=lambda: looks.append(1))
    )


def test_a_scheduler_looks_again_once_where_its_limit_was_reached(timers):
    own = scheduler(free=0)
    for look in (1, 2):  # and once more after that
        for _ in range(20):
            look_again(own, 1)
        assert len(timers) == look
        timers[-1][1]()
        assert len(own.looks) == look
    assert {delay for delay, _ in timers} == {1}


def test_it_does_not_look_again_where_jobs_may_start(timers):
    look_again(scheduler(free=1), 1)
    assert not timers


def test_it_looks_again_for_other_reasons_and_without_a_limit(timers):
    own = scheduler(free=1)
    look_again(own, 10)
    own.job_rate_limiter = None
    look_again(own, 1)
    assert [delay for delay, _ in timers] == [10, 1]


def test_what_is_changed_is_what_snakemake_uses():
    """Another name in another Snakemake, and the change would be of nothing."""
    assert "self._schedule_reevalutation(self.job_rate_limiter.timespan)" in inspect.getsource(JobScheduler.schedule)
    make_snakemake_quicker()
    assert JobScheduler._schedule_reevalutation is look_again
    assert list(get_function_params(Resource.evaluate)) == ["self", "args", "kwargs"]


def test_parameters_are_those_of_the_original():
    def original(wildcards, input):
        return wildcards, input

    def wrapped(*arguments, **named):
        return original(*arguments, **named)

    remember_parameters(wrapped, original)
    assert list(get_function_params(wrapped)) == ["wildcards", "input"]
