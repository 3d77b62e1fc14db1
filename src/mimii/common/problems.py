"""What is wrong with a configuration, as data: collected key by key, worded for a person where it is printed."""

from collections.abc import Iterable
from dataclasses import dataclass

from mimii.common.errors import UserError

LONGEST_LINE = 300


@dataclass(frozen=True)
class Problem:
    """where: the key, such as `models.vae.epochs`, or nothing. text: what is wrong, and what to do."""

    where: str
    text: str

    def within(self, where: str) -> "Problem":
        """The same problem of a part that is held by the key `where`."""
        return Problem(".".join(part for part in (where, self.where) if part), self.text)

    def __str__(self) -> str:
        line = f"{self.where}: {self.text}" if self.where else self.text
        return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..."


class ProblemsError(UserError):
    """A configuration that cannot be used. problems: all that is wrong with it, each once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"the configuration has {len(self.problems)} error(s):\n{lines}")

    @classmethod
    def of(cls, where: str, text: str) -> "ProblemsError":
        """A single one."""
        return cls([Problem(where, text)])


def refuse(problems: Iterable[Problem]) -> None:
    """Raise one ProblemsError that lists the problems, if there are any."""
    if problems := list(problems):
        raise ProblemsError(problems)
