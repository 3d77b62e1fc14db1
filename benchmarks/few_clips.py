"""What `mahalanobis` loses on real sound with few clips to fit on: a table of docs/quality.md.

    python benchmarks/few_clips.py FOLDER [--page]

FOLDER is that of benchmarks/real_frames.py. Of the clips that each ToyCar ID is fitted on there, some are drawn at
random, DRAWS times; what is tested stays the same. --page: the table becomes that of docs/quality.md.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from real_frames import SEEDS, Section, read_section
from real_sound_tables import DOCS, decimals, put_into_page, table

from mimii.common.declarations import resolve
from mimii.common.errors import UserError
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import model_declaration
from mimii.evaluation.metrics import point_values

MODEL = "mahalanobis"
COUNTS = (10, 20, 54, 110)  # 54: of a section of benchmarks/quality.yaml
DRAWS = 20
IDS = ("toycar_id_01", "toycar_id_02")
START = "<!-- from here on written by benchmarks/few_clips.py --page -->"
END = "<!-- up to here, few clips -->"


def auc_of(section: Section, fitted: Sequence[str]) -> float:
    """AUC on the section's test clips, fitted on the clips of these names."""
    _, validation, tested = section.split()
    settings = resolve(model_declaration(MODEL).settings)
    detector = detector_class(MODEL)(settings, section.log_mel.shape[2], seed=SEEDS[0])
    detector.fit(section.part(fitted), section.part(validation))
    scores = detector.clip_scores(section.part(tested), top_k=1)["mean"]
    abnormal = dict(zip(section.clips, section.abnormal, strict=True))
    return float(point_values(np.array([abnormal[name] for name in tested]), scores)["auc"])


def row_of(section: Section) -> list[str]:
    """Mean and deviation over draws for each number of clips, and the AUC of all."""
    generator = np.random.default_rng(SEEDS[0])
    training = section.split()[0]
    cells = [section.name]
    for count in COUNTS:
        drawn = [sorted(generator.choice(training, count, replace=False)) for _ in range(DRAWS)]
        values = np.array([auc_of(section, names) for names in drawn])
        cells.append(f"{decimals(str(values.mean()))} ± {decimals(str(values.std(ddof=1)))}")
    return [*cells, decimals(str(auc_of(section, training)))]


def main() -> None:
    """Print the table, and put it into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--page", action="store_true", help="the table becomes that of docs/quality.md")
    arguments = parser.parse_args()
    sections = [read_section(arguments.folder, name) for name in IDS]
    every = len(sections[0].split()[0])
    text = table(["ID", *(f"{count} clips" for count in COUNTS), f"all {every}"], [row_of(one) for one in sections])
    print(text)
    if arguments.page:
        put_into_page(DOCS / "quality.md", text, START, END)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
