"""The one exception that is meant for a person, and how a script ends with it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Something that the user can put right: says what is wrong, in which file or key, and what to do."""


class BadClipError(UserError):
    """A recording that cannot be used; others of its section may be."""


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """End the program with `error: ...` and exit code 1, without a traceback, where the user can put it right."""
    try:
        yield
    except UserError as error:
        try:
            print(f"error: {error}", file=sys.stderr, flush=True)
        except OSError:
            # Standard error is a job's log, which may lie on the disk that is full.
            print(f"error: {error}", flush=True)
        sys.exit(1)
