"""Make up the recordings of one section."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.data.made_up.recordings import make_section
from mimii.data.sections import Section

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, required=True, help="to write last into the section's folder")
    parser.add_argument("--section", required=True, help="such as 6dB/fan/id_00")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: clips, seconds, channels, seed")
    arguments = parser.parse_args()
    with exit_on_user_error():
        make_section(
            arguments.record.parent,
            Section.parse(arguments.section),
            normal_clips=arguments.job["normal_clips"],
            abnormal_clips=arguments.job["abnormal_clips"],
            seconds=arguments.job["seconds"],
            channels=arguments.job["channels"],
            seed=arguments.job["seed"],
        )
