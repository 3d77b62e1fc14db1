"""AUC per machine ID at one SNR."""

import pandas as pd

from mimii.data.sections import has_snrs, snr_title
from mimii.evaluation.results import average
from mimii.paper.results import Results
from mimii.paper.table import MISSING, Cell, Table, best_first, model_title


def make(results: Results, snr: str) -> Table:
    """Model by machine type and ID at one SNR, seeds averaged, as MIMII's papers print them."""
    frame = results.frame[results.frame["db_level"] == snr]
    machines = sorted(set(zip(frame["machine_type"], frame["machine_id"], strict=True)))
    values = average(frame, ["auc"], ["label", "machine_type", "machine_id"])["auc"].to_dict()
    labels = best_first(results.statistics.averages, "auc", snr)
    rows = [
        [Cell(model_title(label)), *(Cell(_written(values.get((label, *machine)))) for machine in machines)]
        for label in labels
    ]
    header = [
        Cell("Model"),
        *(Cell(machine_type.capitalize(), id.removeprefix("id_")) for machine_type, id in machines),
    ]
    data = pd.DataFrame(
        [
            {"model": label, "machine_type": machine[0], "machine_id": machine[1], "auc": values.get((label, *machine))}
            for label in labels
            for machine in machines
        ]
    )
    at = f" at {snr_title(snr)}" if has_snrs([snr]) else ""
    notes = "Means over seeds. Nothing is marked: single machines are not tested; their intervals are in results.csv."
    return Table(f"machine_ids_{snr}", f"AUC{at} per machine ID.", header, rows, data, notes)


def _written(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3f}"
