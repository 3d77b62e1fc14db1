"""Made-up recordings: the sections of the configuration, made by a rule under the root in the layout of `folder`."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

from mimii.data.folders import labelled_folders
from mimii.data.made_up.folder import RECORD, SAMPLE_RATE, refuse_changes, refuse_recordings
from mimii.data.recorded import RecordedSource
from mimii.data.recordings import Format, Recording, digest
from mimii.data.sections import Section
from mimii.data.selection import FILTERS, select_sections
from mimii.data.split import check_counts, count_tested


class Source(RecordedSource):
    """Everything that planning asks is answered from the configuration: the folders need not exist yet."""

    def sections(self) -> list[Section]:
        """Every combination of `made_up`'s SNRs, machines and IDs that passes the filters. Raises UserError."""
        combinations = itertools.product(*(self.settings[key] for key in FILTERS))
        return select_sections((Section(*names) for names in combinations), self.config, "dataset.made_up")

    def inputs(self, section: Section) -> list[str]:
        """What the rule writes last into the section's folder."""
        return [str(Path(self.root, section.path, RECORD))]

    def fingerprint(self, section: Section) -> str:
        """Hash of what the section's recordings are made from; other sections do not enter."""
        kept = {key: value for key, value in self.settings.items() if key not in FILTERS}
        return digest([section.path, sorted(kept.items()), *self.choices()])

    def check(self, section: Section) -> None:
        """Raise UserError where the configuration asks for too few clips."""
        refuse_recordings(Path(self.root, section.path))
        normal, abnormal = self.settings["normal_clips"], self.settings["abnormal_clips"]
        tested = min(count_tested(normal, abnormal, self.tested), normal)
        check_counts(
            section,
            normal - tested,
            tested,
            abnormal,
            "Change dataset.made_up.normal_clips or dataset.made_up.abnormal_clips",
            settable=True,
        )

    def list_section(self, section: Section) -> list[Recording]:
        """The recordings that were made, attributes: kind of fault.

        Raises UserError where they are missing, or were changed by hand.
        """
        folder = Path(self.root, section.path)
        record = folder / RECORD
        made = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
        faults = made.get("faults", {})
        recordings = labelled_folders(folder, section.path)
        if "files" in made:
            refuse_changes(folder, made["files"], (r.path.removeprefix(f"{section.path}/") for r in recordings))
        return [
            replace(recording, attributes=faults.get(Path(recording.file).name, ""))
            if recording.label == "abnormal"
            else recording
            for recording in recordings
        ]

    def format(self) -> Format:
        return Format(SAMPLE_RATE, self.settings["channels"], round(self.settings["seconds"] * SAMPLE_RATE))

    def published_counts(self, section: Section) -> dict[str, int]:
        return {label: self.settings[f"{label}_clips"] for label in ("normal", "abnormal")}
