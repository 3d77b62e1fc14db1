"""Reading a configuration's file more strictly than YAML does: errors with their line, no key twice."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from mimii.common.errors import UserError, exit_on_user_error

SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(SafeLoader):
    """Refuses a key that stands twice in a mapping, where YAML would keep the last one and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge" or not isinstance(key_node, yaml.ScalarNode):
                continue
            key, line = key_node.value, key_node.start_mark.line + 1
            if key in seen:
                problem = f"key {key!r} stands twice, first in line {seen[key]}; remove one of them"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen[key] = line
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def read_yaml(path: str | Path) -> dict[str, Any]:
    """A configuration's file as a mapping. Raises UserError, with the line, where it is none or has a key twice."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        found = yaml.load(text, Loader=_StrictLoader)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the name") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text in UTF-8 ({error.reason} at byte {error.start})") from None
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise UserError(f"{path}{where}: {said}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read as YAML: {error}") from None
    if found is None:
        raise UserError(f"{path}: holds no key; at least dataset and models are needed")
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected keys such as dataset and models, found {type(found).__name__}")
    return found


def check_files(paths: Iterable[str | Path]) -> None:
    """End the program with what is wrong in any of these files; one that is not there is passed over."""
    faults = []
    for path in paths:
        try:
            if Path(path).exists():
                read_yaml(path)
        except UserError as error:
            faults.append(str(error))
    with exit_on_user_error():
        if faults:
            raise UserError("\n".join(faults))
