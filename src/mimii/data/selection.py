"""Which sections the filters of a configuration select."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mimii.common.problems import Problem, ProblemsError
from mimii.common.suggestions import nearest
from mimii.data.sections import Section

FILTERS = {"snrs": "snr", "machines": "machine", "ids": "id"}


def select_sections(sections: Iterable[Section], config: Mapping[str, Any], where: str) -> list[Section]:
    """The sections that the filters `snrs`, `machines` and `ids` let pass, sorted.

    where: what the sections are in, for messages.
    Raises ProblemsError where a filter's values select nothing.
    """
    available = sorted(set(sections))
    selected = [section for section in available if selects(config, section)]
    unknown, unselected = [], []
    for key, part in FILTERS.items():
        known = sorted({str(getattr(section, part)) for section in available})
        for value in config[key] if config[key] != "all" else ():
            if value not in known:
                near = nearest(value, known)
                hint = f" (did you mean {near!r}?)" if near else ""
                text = f"{value!r} is not in {where}{hint}; there are {', '.join(known) or 'none'}"
                unknown.append(Problem(f"dataset.{key}", text))
            elif value not in {getattr(section, part) for section in selected}:
                text = f"{value!r} is in {where}, but in no section that the other filters select; change a filter"
                unselected.append(Problem(f"dataset.{key}", text))
    # What is not there at all may be why the other filters select nothing.
    if faults := unknown or unselected:
        raise ProblemsError(faults)
    if not selected:
        raise ProblemsError.of("dataset", f"no sections in {where}")
    return selected


def selects(config: Mapping[str, Any], section: Section) -> bool:
    """Whether all three filters let a section pass."""
    return all(selects_name(config, key, getattr(section, part)) for key, part in FILTERS.items())


def selects_name(config: Mapping[str, Any], key: str, name: str) -> bool:
    """Whether the filter `key` ("all" or a list of names) lets `name` pass."""
    names: str | Sequence[str] = config[key]
    return names == "all" or name in names
