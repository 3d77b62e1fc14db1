"""Make up the recordings of one section."""

import argparse
import sys
from pathlib import Path

from mimii.errors import UserError
from mimii.made_up import make_section
from mimii.sections import Section


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the section's folder, such as demo/dataset/6dB/fan/id_00")
    parser.add_argument("--section", required=True, help="such as 6dB/fan/id_00")
    parser.add_argument("--normal-clips", type=int, required=True)
    parser.add_argument("--abnormal-clips", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    try:
        make_section(
            arguments.folder,
            Section.parse(arguments.section),
            normal_clips=arguments.normal_clips,
            abnormal_clips=arguments.abnormal_clips,
            seconds=arguments.seconds,
            channels=arguments.channels,
            seed=arguments.seed,
        )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
