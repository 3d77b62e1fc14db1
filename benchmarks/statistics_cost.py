"""Time and memory of the statistics: averages, comparisons, variances and ranks, over clips and seeds.

    python benchmarks/statistics_cost.py [--models 12] [--seeds 5] [--sections 48] [--clips 700] [--samples 1000]

Makes up clip scores (normal, abnormal ones shifted) of models that differ in nothing that costs time, and prints how
long reading and resampling them takes, in CPU seconds, and the peak memory of the process (in brackets: before).
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from mimii.common.records import sha256_of
from mimii.data.published import sections
from mimii.evaluation.compared import compute_statistics
from mimii.evaluation.metrics import metrics_in, point_values
from mimii.evaluation.resampling import select_runs
from mimii.runs.clip_scores import write_scores


def make_runs(folder: Path, *, models: int, seeds: int, sections_used: int, clips: int, samples: int) -> pd.DataFrame:
    """Rows as results.csv has them, of runs whose scores.parquet are written below `folder`."""
    rng = np.random.default_rng(0)
    abnormal = np.arange(clips) >= clips // 2
    about = {
        "path": [f"{label}/{number:08d}.wav" for number, label in enumerate(np.where(abnormal, "abnormal", "normal"))],
        "label": np.where(abnormal, "abnormal", "normal"),
        "split": ["test"] * clips,
        "domain": [None] * clips,
        "attributes": [""] * clips,
    }
    rows = []
    for model in range(models):
        for section in list(sections())[:sections_used]:
            for seed in range(seeds):
                path = f"model_{model}/default/seed={seed}/{section.path}"
                scores = rng.gamma(20, size=clips) + 5 * abnormal
                (folder / path).mkdir(parents=True)
                write_scores(folder / path / "scores.parquet", about, {"mean": scores})
                values = point_values(abnormal, scores)
                rows.append(
                    {
                        "model": f"model_{model}",
                        "variant": "default",
                        "db_level": section.snr,
                        "machine_type": section.machine,
                        "machine_id": section.id,
                        "seed": seed,
                        "run_path": path,
                        "scores_sha256": sha256_of(folder / path / "scores.parquet"),
                        "threshold": 25.0,
                        "conformal_threshold": 26.0,
                        "max_fpr": 0.1,
                        "bootstrap_samples": samples,
                        "confidence": 0.95,
                        **{name: values[name] for name in metrics_in("csv")},
                    }
                )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("models", 12), ("seeds", 5), ("sections", 48), ("clips", 700), ("samples", 1000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = make_runs(
            Path(folder),
            models=arguments.models,
            seeds=arguments.seeds,
            sections_used=arguments.sections,
            clips=arguments.clips,
            samples=arguments.samples,
        )
        frame = select_runs(rows, [[model, "default"] for model in rows["model"].unique()])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started, wall = time.process_time(), time.perf_counter()
        compute_statistics(frame, folder)
        spent, wall = time.process_time() - started, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{len(frame)} runs, {arguments.clips} clips, {arguments.samples} resamples: {spent:.1f} s of CPU "
        f"({1000 * spent / len(frame):.1f} ms each), {wall:.0f} s, peak {peak / 1024:.0f} MB ({before / 1024:.0f})"
    )


if __name__ == "__main__":
    main()
