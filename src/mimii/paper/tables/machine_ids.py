"""AUC per machine ID at one SNR."""

from collections.abc import Iterable

import pandas as pd

from mimii.data.sections import has_snrs, snr_title
from mimii.evaluation.results import average
from mimii.paper.results import Results
from mimii.paper.table import MISSING, Cell, Table, best_first, model_title


def make(results: Results, snr: str) -> Table:
    """Model by machine type and ID at one SNR, seeds averaged, as MIMII's papers print them."""
    frame = results.frame[results.frame["db_level"] == snr]
    machines = sorted(set(zip(frame["machine_type"], frame["machine_id"], strict=True)))
    keys = ["label", "machine_type", "machine_id"]
    values = average(frame, ["auc"], keys)["auc"].to_dict()
    deviations = frame.groupby(keys)["auc"].std().to_dict()  # NaN of one seed
    labels = best_first(results.statistics.averages, "auc", snr)
    rows = [
        [Cell(model_title(label)), *(_cell(values.get(key), deviations.get(key)) for key in _keys(label, machines))]
        for label in labels
    ]
    header = [
        Cell("Model"),
        *(Cell(machine_type.capitalize(), id.removeprefix("id_")) for machine_type, id in machines),
    ]
    data = pd.DataFrame(
        [
            dict(zip(keys, key, strict=True)) | {"auc": values.get(key), "seed_deviation": deviations.get(key)}
            for label in labels
            for key in _keys(label, machines)
        ]
    ).rename(columns={"label": "model"})
    at = f" at {snr_title(snr)}" if has_snrs([snr]) else ""
    spread = (
        ", ± their standard deviation below" if any(deviation == deviation for deviation in deviations.values()) else ""
    )
    notes = (
        f"Means over seeds{spread}. Nothing is marked: single machines are not tested; their intervals are in "
        "results.csv."
    )
    return Table(f"machine_ids_{snr}", f"AUC{at} per machine ID.", header, rows, data, notes)


def _keys(label: str, machines: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
    return [(label, *machine) for machine in machines]


def _cell(value: float | None, deviation: float | None) -> Cell:
    if value is None:
        return Cell(MISSING)
    return Cell(f"{value:.3f}", "" if deviation is None or deviation != deviation else f"± {deviation:.3f}")
