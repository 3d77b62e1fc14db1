"""A section: one machine at one SNR, the unit that a model is trained and tested on."""

import re
from dataclasses import dataclass

from mimii.common.errors import UserError

NAME = r"[A-Za-z0-9._-]+"


@dataclass(frozen=True, order=True)
class Section:
    """SNR, machine type and machine ID, named as in MIMII: `6dB`, `fan`, `id_00`."""

    snr: str
    machine: str
    id: str

    def __post_init__(self) -> None:
        for part in (self.snr, self.machine, self.id):
            if not re.fullmatch(NAME, part) or part in (".", ".."):
                raise UserError(
                    f"section name {part!r}: only letters, digits, '.', '_' and '-' are allowed; rename the folder"
                )

    @property
    def path(self) -> str:
        """`6dB/fan/id_00`."""
        return f"{self.snr}/{self.machine}/{self.id}"

    @classmethod
    def parse(cls, path: str) -> "Section":
        """The inverse of `path`."""
        parts = path.split("/")
        if len(parts) != 3:
            raise UserError(f"section {path!r}: expected SNR/machine/ID, such as 6dB/fan/id_00")
        return cls(*parts)

    def __str__(self) -> str:
        return self.path


def snr_order(name: str) -> tuple[float, str]:
    """Sorts SNRs from the easiest to the hardest: 6dB, 0dB, min6dB; names of another kind come last."""
    number = re.fullmatch(r"(min|-)?(\d+(?:\.\d+)?)_?dB", name)
    if not number:
        return float("inf"), name
    return (1 if number[1] else -1) * float(number[2]), name


def snr_title(snr: str) -> str:
    """`min6dB` as a text has it: −6 dB."""
    order, _ = snr_order(snr)
    return snr if order == float("inf") else f"{0 - order:g} dB".replace("-", "−")
