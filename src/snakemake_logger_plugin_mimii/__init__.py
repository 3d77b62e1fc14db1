"""Snakemake's log as one JSON object per line: `snakemake --logger mimii`. `mimii.launch.process` reads it.

Snakemake finds logger plugins by the name of their package.
"""

import json
import os
import signal
import sys
from logging import LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

FIELDS: dict[str | None, tuple[str, ...]] = {
    LogEvent.JOB_INFO: ("jobid", "rule_name", "wildcards", "log", "benchmark", "output", "reason"),
    LogEvent.JOB_FINISHED: ("job_id",),
    LogEvent.JOB_ERROR: ("jobid", "rule_name", "log"),
    LogEvent.GROUP_ERROR: ("groupid", "aux_logs", "jobs"),
}


class LogHandler(LogHandlerBase):
    """Writes level, text as Snakemake itself words it, and for jobs what `FIELDS` names."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def emit(self, record: LogRecord) -> None:
        """Write one line; where nobody reads any more, end Snakemake after the jobs that are running."""
        event = getattr(record, "event", None)
        line = {"event": event, "level": record.levelname, "text": self.format(record)}
        if event == LogEvent.GROUP_ERROR:
            record.jobs = [job["jobid"] for job in getattr(record, "job_error_info", [])]
        line |= {name: getattr(record, name) for name in FIELDS.get(event, ())}
        try:
            sys.stdout.write(json.dumps(line, default=str) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            os.kill(os.getpid(), signal.SIGTERM)
