"""Development data of DCASE 2020 task 2 (Koizumi et al., arXiv 2006.05822), with the split that it comes with.

`<root>/fan/train/normal_id_00_00000000.wav`, `<root>/fan/test/{normal,anomaly}_id_00_00000000.wav`. There is no SNR:
dcase2020 stands in its place. The task's baseline trains one model on all IDs of a machine type: the setting
`train_per: machine_type`.
"""

import re
from pathlib import Path
from typing import Literal

from mimii.common.errors import UserError
from mimii.common.problems import ProblemsError
from mimii.data.folders import subfolders, wav_files
from mimii.data.recorded import RecordedSource
from mimii.data.recordings import Recording
from mimii.data.sections import Section
from mimii.data.selection import select_sections

NAME = "dcase2020"
FILE = re.compile(r"(?P<label>normal|anomaly)_(?P<id>id_\d+)_\d+\.wav")
LAYOUT = "<machine type>/{train,test}/{normal,anomaly}_id_<number>_<number>.wav"
SPLITS: tuple[Literal["train"], Literal["test"]] = ("train", "test")


class Source(RecordedSource):
    """One section for each machine ID that occurs in the names of a machine type's recordings."""

    def sections(self) -> list[Section]:
        """Raises UserError where there are none, or where a name says neither label nor ID."""
        if not Path(self.root).is_dir():
            raise ProblemsError.of(
                "dataset.root", f"there is no folder {self.root!r}; set it to the folder that holds {LAYOUT}"
            )
        found = [
            Section(NAME, machine, id)
            for machine in subfolders(Path(self.root))
            if set(SPLITS) & set(subfolders(Path(self.root, machine)))
            for id in {id for id, _ in self._recordings(machine)}
        ]
        if not found:
            raise ProblemsError.of("dataset.root", f"no recordings in {self.root!r}; expected {LAYOUT} in it")
        return select_sections(found, self.config, repr(self.root))

    def list_section(self, section: Section) -> list[Recording]:
        return [recording for id, recording in self._recordings(section.machine) if id == section.id]

    def _recordings(self, machine: str) -> list[tuple[str, Recording]]:
        """(ID, recording) of all of a machine type's recordings."""
        folder = Path(self.root, machine)
        found = []
        for split in [split for split in SPLITS if split in subfolders(folder)]:
            for file, size, mtime in wav_files(folder / split):
                match = FILE.fullmatch(file.name)
                if match is None:
                    raise UserError(
                        f"{file.path!r}: the name says neither label nor machine ID; expected {LAYOUT} "
                        "(the evaluation data have no labels)"
                    )
                if split == "train" and match["label"] == "anomaly":
                    raise UserError(f"{file.path!r}: an anomaly among the training recordings; move it to test")
                label: Literal["normal", "abnormal"] = "normal" if match["label"] == "normal" else "abnormal"
                path = f"{machine}/{split}/{file.name}"
                found.append((match["id"], Recording(path, label, file.path, size, mtime, split)))
        return found
