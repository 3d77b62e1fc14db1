"""A section: one machine at one SNR, the unit that a model is trained and tested on."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mimii.common.errors import UserError

NAME = r"[A-Za-z0-9._-]+"
# Neither can be a folder's name, so that neither is ever taken for a machine's.
NO_LEVEL = "+"  # stands in a section's name where a dataset has no such level: no SNR, no machine type, no IDs
SCOPES = {"snr": 1, "machine_type": 2, "section": 3}  # what a model is trained on: how many names its path has
AVERAGE = "(all)"  # stands in the place of an SNR or a machine type in a mean over all of them


@dataclass(frozen=True, order=True)
class Section:
    """SNR, machine type and machine ID, named as in MIMII: `6dB`, `fan`, `id_00`; NO_LEVEL where there is none."""

    snr: str
    machine: str
    id: str

    def __post_init__(self) -> None:
        for part in (self.snr, self.machine, self.id):
            if part != NO_LEVEL and (not re.fullmatch(NAME, part) or part in (".", "..")):
                raise UserError(
                    f"section name {part!r}: only letters, digits, '.', '_' and '-' are allowed; rename the folder"
                )

    @property
    def path(self) -> str:
        """`6dB/fan/id_00`."""
        return f"{self.snr}/{self.machine}/{self.id}"

    def scope(self, train_per: str) -> str:
        """Path of what a model is trained on that scores this section, by the setting `train_per`: its own path, that
        of its machine type, `6dB/fan`, or of its SNR, `6dB`.
        """
        return "/".join(self.path.split("/")[: SCOPES[train_per]])

    @classmethod
    def parse(cls, path: str) -> "Section":
        """The inverse of `path`."""
        parts = path.split("/")
        if len(parts) != 3:
            raise UserError(f"section {path!r}: expected SNR/machine/ID, such as 6dB/fan/id_00")
        return cls(*parts)

    def __str__(self) -> str:
        return self.path


def section_name(text: str) -> str:
    """A text as it can stand in a section's name, and so in the path of a result: `unit 7` becomes `unit_7`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)


def snr_order(name: str) -> tuple[float, str]:
    """Sorts SNRs from the easiest to the hardest: 6dB, 0dB, min6dB; names of another kind come last."""
    number = re.fullmatch(r"(min|-)?(\d+(?:\.\d+)?)_?dB", name)
    if not number:
        return float("inf"), name
    return (1 if number[1] else -1) * float(number[2]), name


def snr_title(snr: str) -> str:
    """`min6dB` as a text has it: −6 dB; nothing where there is no SNR."""
    if snr == NO_LEVEL:
        return ""
    order, _ = snr_order(snr)
    return snr if order == float("inf") else f"{0 - order:g} dB".replace("-", "−")


def dcase_year(snr: str) -> int | None:
    """The year of `dcase2024`, which stands in the place of the SNR; None of anything else."""
    match = re.fullmatch(r"dcase(20\d\d)", snr)
    return int(match[1]) if match else None


def scored_year(snr: str, *, domains: bool) -> int | None:
    """The year whose official score DCASE data have; of other data, where clips have `domains`, the one since 2022."""
    return dcase_year(snr) or (2022 if domains else None)


def has_snrs(names: Iterable[str]) -> bool:
    """Whether any of these names, which stand in the place of an SNR, is one."""
    return any(snr_order(name)[0] < float("inf") for name in names)
