"""Say what of a dataset is missing, extra, duplicated or broken."""

import argparse
import json
from functools import partial

from mimii.common.errors import UserError
from mimii.data.completeness import check_dataset
from mimii.data.lookup import open_source

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=json.loads, required=True, help="JSON: the configuration's dataset part")
    arguments = parser.parse_args()
    say = partial(print, flush=True)
    try:
        faults = check_dataset(open_source(arguments.dataset), say)
    except UserError as error:
        say(f"error: {error}")  # where the report is read, not in a log
        faults = 1
    raise SystemExit(1 if faults else 0)
