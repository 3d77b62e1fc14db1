"""Development data of DCASE 2020 task 2: `source: dcase` with that year."""

from typing import Any

from mimii.data.sources import dcase


class Source(dcase.Source):
    """The task's baseline trains one model on all IDs of a machine type: the setting `train_per: machine_type`."""

    @property
    def settings(self) -> dict[str, Any]:
        """`dataset.dcase`, with the year and the part of this source."""
        return {**self.config["dcase"], "year": 2020, "data": "development", "download": False}
