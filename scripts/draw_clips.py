"""Draw the clips of a section with the highest and lowest scores: spectrogram, reconstruction, scores over time."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.paper.clip_figures import clip_figure, clips_to_show
from mimii.paper.drawing import save
from mimii.runs.records import MetricsRecord

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="of the section")
    parser.add_argument("--model-file", type=Path, required=True, help="model.pth or model.npz")
    parser.add_argument("--training", type=Path, required=True, help="training.json")
    parser.add_argument("--scores", type=Path, required=True, help="scores.parquet")
    parser.add_argument("--metrics", type=Path, required=True, help="metrics.json")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: code")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help="the same picture in several formats")
    arguments = parser.parse_args()
    with exit_on_user_error():
        metrics = MetricsRecord.read(arguments.metrics).row
        clips = clips_to_show(arguments.features, arguments.model_file, arguments.training, arguments.scores, metrics)
        figure = clip_figure(clips, metrics)
        save(figure, arguments.output[0].with_suffix(""), endings=[path.suffix[1:] for path in arguments.output])
