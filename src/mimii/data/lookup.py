"""Finding a dataset by its name."""

from collections.abc import Mapping
from typing import Any

from mimii.common.lookup import load, names_in
from mimii.common.problems import ProblemsError
from mimii.common.suggestions import unknown
from mimii.data.source import DatasetSource

SOURCES = "mimii.data.sources"


def source_names() -> list[str]:
    """Names that `dataset.source` may have."""
    return names_in(SOURCES)


def open_source(config: Mapping[str, Any]) -> DatasetSource:
    """The dataset of the configuration.

    config: its `dataset` part: source (a file of `sources/`), root, snrs, machines, ids ("all" or a list), and what
    the source itself reads, in a key of the source's name.
    Raises ProblemsError on an unknown source.
    """
    name = config["source"]
    if name not in source_names():
        raise ProblemsError.of("dataset.source", unknown("source", name, source_names()))
    source: DatasetSource = load(SOURCES, name, "Source")(config)
    return source
