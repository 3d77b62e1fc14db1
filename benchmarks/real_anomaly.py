"""Where a detector ranks the one real anomaly among real normal clips.

    python benchmarks/real_anomaly.py RECORDINGS [--section SNR/MACHINE/ID] [--models vae ...] [--json FILE]

RECORDINGS is a folder in the benchmark's layout. The section's normal clips are split at random, five times: 20 are
held out, every model fits on the rest with its defaults, and the abnormal clips are ranked among the held-out ones by
the mean of their windows' scores. Rank 1 of 21: more anomalous than all 20; chance is 11.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np

from mimii.common.declarations import resolve
from mimii.data.lookup import open_source
from mimii.data.sections import Section
from mimii.data.split import fit_count
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import model_declaration, model_names
from mimii.detectors.pooling import pool
from mimii.features.extraction import extract_features
from mimii.features.file import read_clips, read_table
from mimii.features.settings import resolve_features

HELD_OUT = 20


def ranks_of(features: Path, name: str, split: int) -> list[float]:
    """Rank of each abnormal clip among the normal ones held out in this split; ties count half."""
    table = read_table(features)
    normal = [row for row, label in enumerate(table.labels) if label == "normal"]
    abnormal = [row for row, label in enumerate(table.labels) if label == "abnormal"]
    shuffled = [normal[place] for place in np.random.default_rng(split).permutation(len(normal))]
    held_out, training = sorted(shuffled[:HELD_OUT]), sorted(shuffled[HELD_OUT:])

    settings = resolve(model_declaration(name).settings)
    cut = fit_count(len(training), settings["val_split"])
    detector = detector_class(name)(settings, table.metadata.settings["n_mels"], seed=split)
    detector.fit(read_clips(features, training[:cut]), read_clips(features, training[cut:]))
    clips = read_clips(features, held_out + abnormal)
    scores = pool(detector.window_scores(clips), detector.windows(clips)[1], len(clips), top_k=1)["mean"]
    others = scores[:HELD_OUT]
    return [1 + float((others > score).sum() + 0.5 * (others == score).sum()) for score in scores[HELD_OUT:]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--section", type=Section.parse, default=Section.parse("dcase2020/pump/id_00"))
    parser.add_argument("--models", nargs="+", choices=model_names(), default=model_names())
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    source = open_source(
        {"source": "folder", "root": str(arguments.recordings), "snrs": "all", "machines": "all", "ids": "all"}
    )
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        features = Path(folder, "features.parquet")
        extract_features(source, arguments.section, resolve_features(), features)
        print(f"| model | mean rank of {HELD_OUT + 1} | rank in each split | CPU s |\n|---|---|---|---|")
        for name in arguments.models:
            started = time.process_time()
            ranks = [statistics.mean(ranks_of(features, name, split)) for split in range(arguments.splits)]
            seconds = time.process_time() - started
            figures[name] = {"mean_rank": statistics.mean(ranks), "ranks": ranks, "cpu_s": seconds}
            ranks_in_words = ", ".join(f"{rank:g}" for rank in ranks)
            print(f"| {name} | {statistics.mean(ranks):.1f} | {ranks_in_words} | {seconds:.0f} |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"section": arguments.section.path, "models": figures}, indent=1) + "\n")
