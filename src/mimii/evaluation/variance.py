"""How much of a section's metric is due to the seed, the test clips, the machine ID and the machine type."""

import numpy as np
import pandas as pd

from mimii.evaluation.resampling import RUN
from mimii.evaluation.results import SECTION_COLUMNS, average

COMPONENTS = ("seed", "clip", "machine_id", "machine_type")


def variance_components(frame: pd.DataFrame, resampled: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Standard deviations that each source adds to one run's metric on one section at one SNR, by label.

    frame: runs. resampled: the metric of the same runs on resamples of the clips (columns of RUN and one a resample).
    Columns COMPONENTS; NaN where there is one seed, ID or machine type only. By the method of moments on the nested
    design (Searle, Casella & McCulloch, Variance Components, 1992, chapter 4): what lies below explains a part of the
    variance between means, the rest is the component; 0 where nothing is left. SNRs are compared within themselves, and
    their components averaged. Seeds share the clips, so that the variance over seeds holds none of the clips.
    """
    clips = resampled[RUN].assign(clip=resampled.drop(columns=RUN).to_numpy(dtype=float).var(axis=1, ddof=1))
    table = []
    for label, rows in frame.groupby("label", sort=False):
        clip = average(clips[clips["label"] == label], ["clip"], ["label"])["clip"].iloc[0]
        sections = rows.groupby(SECTION_COLUMNS, sort=False)[metric]
        seed = float(sections.var(ddof=1).mean())
        of_seeds = 0.0 if np.isnan(seed) else float((sections.var(ddof=1) / sections.count()).mean())
        means = sections.mean()
        ids = means.groupby(level=["db_level", "machine_type"])
        between_ids = float(ids.var(ddof=1).mean())
        types = ids.mean().groupby(level="db_level")
        between_types = float(types.var(ddof=1).mean())
        # Of the means of machine types, the IDs explain their own variance by how many there are.
        by_ids = between_ids if np.isfinite(between_ids) else clip + of_seeds
        variances = {
            "seed": seed,
            "clip": clip,
            "machine_id": between_ids - clip - of_seeds,
            "machine_type": between_types - by_ids / float(ids.count().mean()),
        }
        table.append({"label": label, **{name: _deviation(value) for name, value in variances.items()}})
    return pd.DataFrame(table)


def _deviation(variance: float) -> float:
    return float("nan") if np.isnan(variance) else float(np.sqrt(max(variance, 0.0)))
