"""How often a right pipeline fails the golden check, and a wrong one passes it, by simulation.

    python benchmarks/golden_check.py [--trials 20000] [--seeds 3]

A right pipeline's AUCs differ from the truth by the seed alone, and so do those of the reference, a run of one seed. A
wrong one is off by the same everywhere, or by its own amount on each section. Nothing here was measured on MIMII.
"""

import argparse

import numpy as np

from mimii.paper.official_baseline.check import compare
from mimii.paper.official_baseline.reference import reference, reference_auc


def pass_rate(
    *, shift: float = 0, spread: float = 0, factor: float = 1, seeds: int = 3, trials: int, seed: int = 0
) -> float:
    """Share of trials that pass. shift: added everywhere. spread: deviation of what is added to each section.

    factor: by which the seeds' deviation is larger than the criterion takes it to be.
    """
    rng = np.random.default_rng(seed)
    deviation = factor * reference()["criterion"]["seed_deviation"]
    sections = len(reference_auc())
    errors = rng.normal(scale=deviation * np.sqrt(1 + 1 / seeds), size=(trials, sections))
    errors += shift + rng.normal(scale=spread, size=errors.shape) if spread else shift
    return float(np.mean([all(good for good, _ in compare(row, seeds)) for row in errors.tolist()]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    run = {"seeds": arguments.seeds, "trials": arguments.trials}
    for factor in (1, 1.1, 1.25):
        print(f"right, deviation over seeds x {factor}: fails {100 * (1 - pass_rate(factor=factor, **run)):.1f} %")
    for shift in (0.01, 0.015, 0.02, 0.03):
        print(f"wrong, {shift} too high everywhere: passes {100 * pass_rate(shift=shift, **run):.1f} %")
    for spread in (0.02, 0.03, 0.05):
        print(
            f"wrong, off by {spread} (deviation) on each section: passes {100 * pass_rate(spread=spread, **run):.1f} %"
        )
