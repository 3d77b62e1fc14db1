"""What is known of DCASE task 2 before any of it is on disk: each year's archives, sections and names of recordings."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

from mimii.common.declarations import read_declarations
from mimii.common.errors import UserError
from mimii.data.recordings import Domain, Label, Split

Part = Literal["development", "evaluation"]
PARTS: tuple[Part, Part] = ("development", "evaluation")
RECORD = "https://zenodo.org/records/{record}"

# normal_id_00_00000000.wav; test clips of the evaluation data: id_01_00000000.wav
NAMES_2020 = re.compile(r"(?:(?P<label>normal|anomaly)_)?(?P<id>id_\d+)_\d+\.wav")
# section_00_source_train_normal_0000_vel_21.wav; test clips of the evaluation data: section_03_source_test_0000.wav
# (2021), section_00_0001.wav or section_03_test_0000.wav (2022 on)
NAMES = re.compile(
    r"(?P<id>section_\d+)(?:_(?P<domain>source|target))?(?:_(?P<split>train|test))?(?:_(?P<label>normal|anomaly))?"
    r"_\d+(?:_(?P<attributes>.*))?\.wav"
)
NO_ATTRIBUTE = "noAttribute"
# As the evaluators write them.
CODES: Mapping[str, Label] = {"0": "normal", "1": "abnormal"}
DOMAINS: Mapping[str, Domain] = {"0": "source", "1": "target", "source": "source", "target": "target"}


@dataclass(frozen=True)
class ClipName:
    """What the name of a recording says.

    name: itself; of test clips of the evaluation data the one with the label, where that was published.
    split: None where names of this year do not say it. label: None for test clips of the evaluation data. domain,
    attributes: as in `Clip`.
    """

    name: str
    id: str
    split: Split | None
    label: Label | None
    domain: Domain | None
    attributes: str


@dataclass(frozen=True)
class RecordArchive:
    """An archive of a Zenodo record. split: what part of its sections it holds; None for both."""

    name: str
    record: int
    split: Split | None

    @property
    def place(self) -> str:
        """Name and address, for messages."""
        return f"{self.name} of {RECORD.format(record=self.record)}"


@cache
def _years() -> Mapping[int, Mapping[str, Any]]:
    facts: Mapping[int, Mapping[str, Any]] = read_declarations(Path(__file__).with_suffix(".yaml"))
    return facts


def years() -> list[int]:
    """The years that are known."""
    return sorted(_years())


class Year:
    """One year's task."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._facts = _years()[number]
        self.channels: int = self._facts["channels"]

    def types(self, part: Part) -> list[str]:
        """Machine types of the development or of the evaluation data."""
        types: list[str] = self._facts[part]["types"]
        return types

    def ids(self, part: Part, machine: str) -> list[str]:
        """Sections of a machine type as recordings name them: `section_00`, in 2020 `id_00`; none of other types."""
        facts = self._facts[part]
        if machine not in facts["types"]:
            return []
        numbers = facts.get("other_sections", {}).get(machine, facts["sections"])
        return [f"{'id' if self.number == 2020 else 'section'}_{number}" for number in numbers]

    def part_of(self, machine: str, id: str) -> Part | None:
        """Whether a section belongs to the development or to the evaluation data; None for one that is neither's."""
        return next((part for part in PARTS if id in self.ids(part, machine)), None)

    def archives(self, part: Part, machine: str) -> list[RecordArchive]:
        """The archives that hold a machine type's recordings, in the version that replaced another."""
        kinds: dict[str, Split | None] = {"development": None}
        if part == "evaluation":
            kinds = {"training": "train", "test": "test"}
        archives = []
        for kind, split in kinds.items():
            name = self._facts["archives"][kind].format(type=machine)
            archives.append(RecordArchive(self.replaced.get(name, name), self._facts["records"][kind], split))
        return archives

    @property
    def replaced(self) -> dict[str, str]:
        """Archives that must not be used any more: name of the first version -> name of the present one."""
        names: dict[str, str] = self._facts.get("replaced", {})
        return names

    def parse(self, name: str) -> ClipName | None:
        """What the name of a recording says; None where it is no name of this year."""
        match = (NAMES_2020 if self.number == 2020 else NAMES).fullmatch(name)
        if match is None:
            return None
        parts = {"domain": None, "split": None, "attributes": None, **match.groupdict()}
        attributes = (parts["attributes"] or "").strip("_")
        return ClipName(
            name,
            str(parts["id"]),
            cast("Split | None", parts["split"]),
            {"normal": "normal", "anomaly": "abnormal", None: None}[parts["label"]],
            cast("Domain | None", parts["domain"]),
            "" if attributes == NO_ATTRIBUTE else attributes,
        )

    @property
    def layout(self) -> str:
        """How recordings are named, for messages."""
        if self.number == 2020:
            return "<machine type>/{train,test}/{normal,anomaly}_id_<number>_<number>.wav"
        tests = "source_test,target_test" if self.number == 2021 else "test"
        return f"<machine type>/{{train,{tests}}}/section_<number>_<domain>_<split>_<label>_<number>_<attributes>.wav"

    @property
    def labels_file(self) -> str:
        """Name of the list with the labels of the evaluation data."""
        return str(self._facts["labels"]["list"]).format(year=self.number)

    def labels(self, root: Path, machine: str, id: str) -> dict[str, ClipName]:
        """Labels of the evaluation data's test clips of a section, by the name under which they were published.

        Read from what the organisers published, in `root`: the year's list (a line with the machine type, then a line
        `published name,labelled name` for each clip), or the folders of their evaluator, `ground_truth_data` and
        `ground_truth_domain`, which made the official results: where both are there and differ, the evaluator's count.
        Raises UserError where neither is there, or it cannot be read.
        """
        path = root / self.labels_file
        published = self._facts["labels"]
        listed = self._listed(path, machine, id) if path.is_file() else {}
        truth = self._ground_truth(root, machine, id)
        if machine in published.get("contradicted", ()) and not truth:
            raise UserError(
                f"{self.labels_file} and the organisers' evaluator of {self.number} disagree on {machine}; "
                f"copy ground_truth_data and ground_truth_domain of {published['evaluator']} into {str(root)!r}"
            )
        if not listed and not truth:
            what = f"{str(path)!r} has no labels of {machine} {id}"
            if not path.is_file():
                what = (
                    f"labels of the evaluation data: neither {self.labels_file} nor "
                    f"ground_truth_data/ground_truth_{machine}_{id}_test.csv is in {str(root)!r}"
                )
            raise UserError(f"{what}; they are published at {published['source']}: copy them there")
        differ = any(
            name in listed and (listed[name].label, listed[name].domain) != (own.label, own.domain)
            for name, own in truth.items()
        )
        return truth if differ or not listed else listed

    def _listed(self, path: Path, machine: str, id: str) -> dict[str, ClipName]:
        """What the labelled names of a section say, by published name, of a list of labels."""
        names, listed = "", {}
        for number, row in enumerate(read_rows(path), 1):
            if len(row) == 1:
                names = row[0]
                continue
            name = self.parse(row[1])
            if name is None or name.label is None:
                raise UserError(f"{str(path)!r}, line {number}: {row[1]!r} is no name with a label")
            if (names, name.id) == (machine, id):
                listed[row[0]] = name
        return listed

    def _ground_truth(self, root: Path, machine: str, id: str) -> dict[str, ClipName]:
        """Labels (1: anomaly) and domains (1: target) as the evaluators have them; {} where there are none.

        A name and a number in each line of a file for each section; in 2021 for each domain of a section.
        """
        labels = {}
        for ending in ("test", "source_test", "target_test"):
            data = root / "ground_truth_data" / f"ground_truth_{machine}_{id}_{ending}.csv"
            domains = root / "ground_truth_domain" / data.name
            target = dict(row[:2] for row in read_rows(domains) if len(row) > 1) if domains.is_file() else {}
            for number, row in enumerate(read_rows(data) if data.is_file() else (), 1):
                name, code = self.parse(row[0]), row[1] if len(row) > 1 else ""
                if name is None or code not in ("0", "1"):
                    raise UserError(f"{str(data)!r}, line {number}: expected the name of a recording and 0 or 1")
                domain = name.domain or DOMAINS.get(target.get(row[0], ""))
                if domain is None and self.number > 2020:
                    raise UserError(
                        f"{str(domains)!r} does not say the domain of {row[0]}, which the official score of "
                        f"{self.number} needs; it is published at {self._facts['labels']['source']}"
                    )
                labels[row[0]] = replace(name, split="test", label=CODES[code], domain=domain)
        return labels

    def later_attributes(self, root: Path, part: Part, machine: str, id: str) -> dict[str, str]:
        """Attributes that were published after the task, by the labelled name of a recording; {} where none are there.

        Read from `attributes_<nn>_<split>_correspondence.csv` in the folders of the organisers' baseline, in `root`
        `ground_truth_attributes/dcase<year>t2/{dev,eval}_data/<type>`: the name with its attributes, then the published
        one.
        """
        data = "dev_data" if part == "development" else "eval_data"
        folder = root / "ground_truth_attributes" / f"dcase{self.number}t2" / data
        number = id.rpartition("_")[2]
        attributes = {}
        for split in ("train", "test"):
            path = folder / machine / f"attributes_{number}_{split}_correspondence.csv"
            for row in read_rows(path)[1:] if path.is_file() else ():
                name = self.parse(row[0])
                if name is None or len(row) < 2:
                    raise UserError(f"{str(path)!r}: {row[0]!r} is no name of a recording of {self.number}")
                attributes[row[1]] = name.attributes
        return attributes


def read_rows(path: Path) -> list[list[str]]:
    """The rows of a CSV without a header; empty lines are left out. Raises UserError where it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{str(path)!r} cannot be read as a table ({error})") from None
