"""Which sections the filters of a configuration select."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mimii.common.errors import UserError
from mimii.common.suggestions import nearest
from mimii.data.sections import Section

FILTERS = {"snrs": "snr", "machines": "machine", "ids": "id"}


def select_sections(sections: Iterable[Section], config: Mapping[str, Any], where: str) -> list[Section]:
    """The sections that the filters `snrs`, `machines` and `ids` let pass, sorted.

    where: what the sections were found in, for messages.
    Raises UserError, with a line for each, where a filter's values select nothing.
    """
    found = sorted(set(sections))
    selected = [s for s in found if all(passes(config, key, getattr(s, part)) for key, part in FILTERS.items())]
    unknown, unselected = [], []
    for key, part in FILTERS.items():
        known = sorted({str(getattr(section, part)) for section in found})
        for value in config[key] if config[key] != "all" else ():
            if value not in known:
                unknown.append(
                    f"dataset.{key}: {value!r} is not in {where}{nearest(str(value), known)}; "
                    f"there are {', '.join(known) or 'none'}"
                )
            elif value not in {getattr(section, part) for section in selected}:
                unselected.append(
                    f"dataset.{key}: {value!r} is in {where}, but in no section that the other filters select; "
                    "change dataset.snrs, dataset.machines or dataset.ids"
                )
    # What is not there at all may be why the other filters select nothing.
    if faults := unknown or unselected:
        raise UserError("\n".join(faults))
    if not selected:
        raise UserError(f"dataset: no sections in {where}")
    return selected


def passes(config: Mapping[str, Any], key: str, name: str) -> bool:
    """Whether the filter `key` ("all" or a list of names) lets `name` pass."""
    wanted: str | Sequence[str] = config[key]
    return wanted == "all" or name in wanted
