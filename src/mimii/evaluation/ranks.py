"""Ranks of models over machines, and tests of whether they would hold for other IDs of these machine types.

Friedman's test, with Iman and Davenport's correction, and post-hoc tests (Demšar, JMLR 7, 2006; Benavoli et al., JMLR
17, 2016). Blocks are machines (type and ID): the SNRs of a machine are one recording under other noise, so they are
averaged first. A handful of machine types is no sample of all machines, so nothing is said about other ones.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mimii.evaluation.results import average


def machine_table(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """(machines, models): one block per machine (type and ID), seeds and SNRs averaged."""
    values = average(frame, [metric], ["label", "machine_type", "machine_id"])[metric]
    return values.unstack("label", sort=False).sort_index()


def critical_difference(models: int, blocks: int, alpha: float = 0.05) -> float:
    """Nemenyi's: two models whose average ranks lie further apart differ (Demšar 2006, section 3.2.2)."""
    q = stats.studentized_range.ppf(1 - alpha, models, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(models * (models + 1) / (6 * blocks)))


def iman_davenport(statistic: float, blocks: int, models: int) -> dict[str, float | None]:
    """Friedman's statistic on the F scale, where it is less conservative (Iman & Davenport, Comm Stat A 9, 1980).

    f_statistic is None where all blocks agree: it has no bound there, and f_p_value is 0.
    """
    room = blocks * (models - 1) - statistic
    if room <= 1e-9:
        return {"f_statistic": None, "f_p_value": 0.0}
    value = (blocks - 1) * statistic / room
    return {"f_statistic": value, "f_p_value": float(stats.f.sf(value, models - 1, (models - 1) * (blocks - 1)))}


def rank_tests(table: pd.DataFrame, *, alpha: float = 0.05) -> dict[str, Any]:
    """Friedman's test and both post-hoc tests on a (machines, models) table where more is better.

    Returns machines, models, alpha, average_ranks (1 is best), friedman (statistic, p_value, and Iman and Davenport's
    f_statistic and f_p_value; None for fewer than 3 models or 2 machines), critical_difference (Nemenyi's) and
    p_values: nemenyi and wilcoxon_holm, nested by label.
    Wilcoxon's test does not depend on which other models take part (Benavoli et al. 2016), but with fewer than 6
    machines it cannot reach .05 at all.
    """
    blocks, models = table.shape
    ranks = table.rank(axis=1, ascending=False).mean()
    tests: dict[str, Any] = {
        "machines": blocks,
        "models": models,
        "alpha": alpha,
        "average_ranks": {label: float(rank) for label, rank in ranks.sort_values().items()},
        "friedman": None,
        "critical_difference": None,
        "p_values": {},
    }
    if blocks < 2 or models < 2:
        return tests
    if models > 2:
        statistic, p_value = stats.friedmanchisquare(*table.to_numpy().T)
        # All models alike on all machines: nothing to divide by.
        if p_value == p_value:
            tests["friedman"] = {
                "statistic": float(statistic),
                "p_value": float(p_value),
                **iman_davenport(float(statistic), blocks, models),
            }
    import scikit_posthocs  # imports matplotlib, half a second that who only compares or prints a table does without

    tests["critical_difference"] = critical_difference(models, blocks, alpha)
    tests["p_values"]["nemenyi"] = _nested(scikit_posthocs.posthoc_nemenyi_friedman(table.reset_index(drop=True)))
    melted = table.reset_index(drop=True).melt(var_name="label", value_name="value")
    tests["p_values"]["wilcoxon_holm"] = _nested(
        # Equal values count as half a difference each way: a model that ties everywhere has p = 1.
        scikit_posthocs.posthoc_wilcoxon(
            melted, val_col="value", group_col="label", zero_method="zsplit", p_adjust="holm"
        )
    )
    return tests


def _nested(matrix: pd.DataFrame) -> dict[str, dict[str, float]]:
    return {str(first): {str(second): float(p) for second, p in row.items()} for first, row in matrix.iterrows()}
