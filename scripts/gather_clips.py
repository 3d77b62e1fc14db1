"""Gather what the page shows of a run's most telling clips: log-mel, reconstruction, scores over time, sound."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.common.files import written_whole
from mimii.paper.page.listening import gather_clips
from mimii.runs.records import MetricsRecord

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="of the section")
    parser.add_argument("--model-file", type=Path, required=True, help="model.pth or model.npz")
    parser.add_argument("--training", type=Path, required=True, help="training.json")
    parser.add_argument("--scores", type=Path, required=True, help="scores.parquet")
    parser.add_argument("--metrics", type=Path, required=True, help="metrics.json")
    parser.add_argument("--dataset", type=json.loads, required=True, help="JSON: the configuration's dataset")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: count")
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args()
    with exit_on_user_error():
        gathered = gather_clips(
            arguments.features,
            arguments.model_file,
            arguments.training,
            arguments.scores,
            MetricsRecord.read(arguments.metrics).row,
            arguments.dataset,
            count=arguments.job["count"],
        )
        with written_whole(arguments.output) as temporary:
            temporary.write_text(json.dumps(gathered), encoding="utf-8")
