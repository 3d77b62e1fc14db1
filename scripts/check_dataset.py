"""Say what a dataset holds, what of it is missing, extra, duplicated or broken, and whether it can be run."""

import argparse
import json
from functools import partial

from mimii.common.errors import UserError
from mimii.data.completeness import check_dataset
from mimii.data.lookup import open_source
from mimii.planning.checking import format_problems
from mimii.runs.run import Variant

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=json.loads, required=True, help="JSON: the configuration's dataset part")
    parser.add_argument("--variants", type=json.loads, default=[], help="JSON: settings that the recordings must suit")
    arguments = parser.parse_args()
    say = partial(print, flush=True)
    try:
        variants = [Variant(**variant) for variant in arguments.variants]
        unusable = check_dataset(open_source(arguments.dataset), say, partial(format_problems, variants))
    except UserError as error:
        say(f"error: {error}")  # where the report is read, not in a log
        unusable = 1
    raise SystemExit(1 if unusable else 0)
