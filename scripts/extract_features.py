"""Compute the features of one section: recordings in, one parquet file out."""

import argparse
import json
from pathlib import Path

from mimii.common.errors import exit_on_user_error
from mimii.common.fingerprints import features_modules, unchanged_code
from mimii.common.process import prepare_process
from mimii.data.lookup import open_source
from mimii.data.sections import Section
from mimii.features.extraction import extract_features

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=json.loads, required=True, help="JSON: the configuration's dataset part")
    parser.add_argument("--job", type=json.loads, required=True, help="JSON: section, settings, recordings, code")
    parser.add_argument("--checkpoint", help="folder of the pretrained network, where features are its embeddings")
    parser.add_argument("--device", default="cpu", help="of that network: cpu, cuda, cuda:1 or auto")
    parser.add_argument("--threads", type=int, default=1, help="of that network")
    parser.add_argument("--output", type=Path, required=True, help="parquet to write")
    parser.add_argument("--record", type=Path, required=True, help="JSON to write: what extraction cost")
    arguments = parser.parse_args()
    job = arguments.job
    prepare_process()
    with exit_on_user_error():
        source = open_source(arguments.dataset)
        extractor = job["settings"]["extractor"]
        with unchanged_code(job["code"], *features_modules(source.name, extractor)):
            record = extract_features(
                source,
                Section.parse(job["section"]),
                job["settings"],
                arguments.output,
                on_bad_clip=job["on_bad_clip"],
                listed=job["listed"],
                code=job["code"],
                checkpoint=arguments.checkpoint,
                device=arguments.device,
                threads=arguments.threads,
            )
        record.write(arguments.record)
