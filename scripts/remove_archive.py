"""Remove a downloaded archive; one that was put there by hand stays."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.data.download import remove_archive
from mimii.data.lookup import open_source

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=json.loads, required=True, help="JSON: the configuration's dataset part")
    parser.add_argument("--archive", required=True, help="such as 6_dB_fan.zip")
    arguments = parser.parse_args()
    with exit_on_user_error():
        source = open_source(arguments.dataset)
        if arguments.archive in source.all_archive_names():
            remove_archive(arguments.archive, Path(source.root))
