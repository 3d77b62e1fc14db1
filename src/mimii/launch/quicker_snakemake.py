"""What Snakemake does over and over without need. Nothing but its speed differs."""

import inspect
import threading
from collections.abc import Callable
from typing import Any

from snakemake.common import overwrite_function_params
from snakemake.resources import Resource
from snakemake.scheduling.job_scheduler import JobScheduler


def make_snakemake_quicker() -> None:
    """Change this process's Snakemake. May be called again."""
    remember_parameters(Resource.evaluate, Resource.evaluate)  # asked for eight times a job
    JobScheduler._schedule_reevalutation = look_again


def remember_parameters(function: Callable[..., Any], original: Callable[..., Any]) -> None:
    """Snakemake looks up a function's parameters at every call, which takes longer than the call: they are those of
    `original`."""
    overwrite_function_params(function, inspect.signature(original).parameters)


def look_again(scheduler: Any, delay: float) -> None:
    """Let a scheduler look at all ready jobs again in `delay` seconds.

    Snakemake asks for that at every look, since its limit of jobs per timespan may have been reached, so that each job
    that ends starts looks of its own, which never end: after 300 jobs it looked 300 times a second, and kept a core
    busy. Here it looks where the limit was reached, and once however often it was asked.
    """
    limiter = scheduler.job_rate_limiter
    if limiter is not None and delay == limiter.timespan and limiter.get_free_jobs():
        return
    pending = scheduler.__dict__.setdefault("pending_looks", set())
    if delay in pending:
        return
    pending.add(delay)

    def look() -> None:
        pending.discard(delay)
        scheduler._open_jobs.release()

    timer = threading.Timer(delay, look)
    timer.daemon = True  # nothing waits for it at the end
    timer.start()
