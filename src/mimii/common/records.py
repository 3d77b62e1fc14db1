"""Records: what a job writes down of its work, as JSON that is checked field by field when it is read.

A record is a frozen dataclass. Its file also holds a checksum of its content, so that a record that was edited by hand
or put together from two is refused by whoever reads it.
"""

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self

from mimii.common.canonical import to_json
from mimii.common.errors import UserError
from mimii.common.files import written_whole

CHECKSUM = "checksum"


class DamagedError(UserError):
    """A file of a run that cannot be used. what: the file, and what is wrong with it."""

    def __init__(self, path: str | Path, reason: object) -> None:
        self.what = f"{path}: damaged ({reason})"
        super().__init__(f"{self.what}; to make it again, add this to your snakemake command: --forcerun {path}")


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes. Raises UserError where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); ask snakemake for this file") from None


@dataclasses.dataclass(frozen=True)
class Record:
    """Base of the records; a field's annotation says what its value must be."""

    @classmethod
    def parse(cls, values: object) -> Self:
        """A record of plain values. Raises ValueError, which names the field, where they do not fit."""
        if not isinstance(values, Mapping):
            raise ValueError("holds no record")
        hints = _hints(typing.cast(Any, cls))
        if missing := sorted(set(hints) - set(values)):
            raise ValueError(f"lacks {', '.join(missing)}")
        if extra := sorted(map(str, set(values) - set(hints))):
            raise ValueError(f"holds {', '.join(extra)}, which no such record has")
        return cls(**{name: _parsed(values[name], hint, name) for name, hint in hints.items()})

    def plain(self) -> dict[str, Any]:
        """The record as plain values, which `parse` reads back."""
        return dataclasses.asdict(self)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """The record that `write` wrote. Raises UserError where it is missing, damaged or was edited."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UserError(
                f"{path}: missing; give the folder of a finished run, or ask snakemake for this file"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise DamagedError(path, error) from error
        try:
            values = json.loads(text, parse_constant=_refuse_constant)
            if not isinstance(values, dict):
                raise ValueError("holds no record")
            if values.pop(CHECKSUM, None) != _checksum(values):
                raise ValueError("its content and its checksum differ: it was edited, or is of another version")
            return cls.parse(values)
        except (ValueError, RecursionError) as error:
            raise DamagedError(path, error) from error

    def write(self, path: str | Path) -> None:
        """Write the record whole. Raises UserError where it cannot be written."""
        values = self.plain()
        with written_whole(path) as temporary:
            text = json.dumps({**values, CHECKSUM: _checksum(values)}, indent=1, sort_keys=True, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    """The type of each field: found once, since a merge reads thousands of records."""
    return typing.get_type_hints(kind)


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(values).encode()).hexdigest()


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"holds {constant}, so the run failed")


def _parsed(value: Any, hint: Any, name: str) -> Any:
    """`value` as the annotation `hint` has it. Raises ValueError where it is something else."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        (kind,) = (part for part in inner if part is not type(None))
        return _parsed(value, kind, name)
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, dict):
        return {str(key): _parsed(part, inner[1], f"{name}.{key}") for key, part in value.items()}
    if origin is not None and issubclass(origin, Sequence) and isinstance(value, list | tuple):
        return [_parsed(part, inner[0], name) for part in value]
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.parse(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    exact = isinstance(hint, type) and hint is not float and isinstance(value, hint)
    if exact and (hint is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"{name} is {value!r:.60}")
