"""Download the archives that a section's recordings are in, or verify those that are there."""

import argparse
import json
from functools import partial
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.data.download import download_archive
from mimii.data.lookup import open_source
from mimii.data.sections import Section

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=json.loads, required=True, help="JSON: the configuration's dataset part")
    parser.add_argument("--section", required=True, help="such as 6dB/fan/id_00")
    parser.add_argument("--output", type=Path, required=True, help="an empty file: they are there, and verified")
    arguments = parser.parse_args()
    with exit_on_user_error():
        source = open_source(arguments.dataset)
        together = source.kept_together()
        for name in source.archive_names(Section.parse(arguments.section)):
            download_archive(
                source.published_archive(name),
                Path(source.root),
                source.address(name),
                together=together,
                say=partial(print, flush=True),
            )
        arguments.output.touch()
