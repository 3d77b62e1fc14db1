"""How often a section's interval misses the metric of all clips that there could be, below and above.

Scores are normal, abnormal ones shifted, so that the true metric is known from a very large sample. Prints percent of
trials; 2.5 and 2.5 are wanted of a 95 % interval. `python benchmarks/interval_coverage.py --trials 1000`
"""

import argparse
from collections import Counter

import numpy as np

from mimii.evaluation.intervals import bootstrap, percentile_interval, section_interval
from mimii.evaluation.metrics import metrics_in, point_values

CASES = ((50, 1.5), (200, 1.0), (100, 2.5), (200, 3.0), (40, 4.0))
LARGE = 400_000


def draw(rng: np.random.Generator, clips: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of `clips` of each class."""
    abnormal = np.arange(2 * clips) >= clips
    return abnormal, rng.normal(size=2 * clips) + shift * abnormal


def misses(clips: int, shift: float, *, trials: int, samples: int = 300, seed: int = 0) -> dict[tuple[str, str], tuple]:
    """(share of trials whose interval lies above the truth, share below it) by (metric, kind of interval)."""
    truth = point_values(*draw(np.random.default_rng(seed + 1), LARGE, shift))
    rng = np.random.default_rng(seed)
    above: Counter[tuple[str, str]] = Counter()
    below: Counter[tuple[str, str]] = Counter()
    for trial in range(trials):
        abnormal, scores = draw(rng, clips, shift)
        values, resampled = point_values(abnormal, scores), bootstrap(abnormal, scores, samples=samples, seed=trial)
        for name, metric in metrics_in("csv").items():
            ends = {
                "percentile": percentile_interval(resampled[name]),
                "section": section_interval(metric, values[name], resampled[name], normal=clips, abnormal=clips),
            }
            for kind, (low, high) in ends.items():
                above[name, kind] += truth[name] < low
                below[name, kind] += truth[name] > high
    kinds = [(name, kind) for name in metrics_in("csv") for kind in ("percentile", "section")]
    return {key: (above[key] / trials, below[key] / trials) for key in kinds}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    arguments = parser.parse_args()
    for clips, shift in CASES:
        for (name, kind), (above, below) in misses(clips, shift, trials=arguments.trials).items():
            print(f"{clips} clips of each class, shift {shift}: {name} {kind}: {100 * above:.1f} + {100 * below:.1f} %")
