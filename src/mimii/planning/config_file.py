"""Reading a configuration's file more strictly than YAML does: what YAML changes without a word is an error here."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from mimii.common.errors import UserError, exit_on_user_error
from mimii.common.files import refuse_endless

SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TAGS = "tag:yaml.org,2002:"
KNOWN_TAGS = {"str", "int", "float", "bool", "null", "seq", "map", "merge", "timestamp"}
DEEPEST = 40
MOST_VALUES = 1_000_000


def read_yaml(path: str | Path) -> dict[str, Any]:
    """A configuration's file as a mapping. Raises UserError, with the line, where it is none or says what YAML changes.

    That is: a key twice, of which YAML keeps the last; 010 and 1:30, which it reads as 8 and 90; tags; and aliases that
    stand for millions of values.
    """
    refuse_endless(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
        loader = SafeLoader(text)
        node = loader.get_single_node()
        if node is not None:
            _check(node, 0, {})
        content = None if node is None else loader.construct_document(node)
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
    if content is None:
        raise UserError(f"{path}: holds no key; at least dataset and models are needed")
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected keys such as dataset and models, found {type(content).__name__}")
    return content


def _check(node: yaml.Node, depth: int, sizes: dict[int, int]) -> int:
    """How many values a node stands for, aliases counted each time. Raises ConstructorError on what is refused.

    sizes: of the nodes that have been checked, which aliases may name again.
    """
    if id(node) in sizes:
        return sizes[id(node)]
    if depth > DEEPEST:
        raise _error(node, "nested too deeply, or in itself")
    kind = node.tag.removeprefix(TAGS)
    if kind not in KNOWN_TAGS:
        raise _error(node, f"the tag {node.tag.replace(TAGS, '!!')} is not possible in a configuration; remove it")
    if isinstance(node, yaml.ScalarNode):
        _check_number(node, kind)
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
    size = 1 + sum(_check(part, depth + 1, sizes) for part in _parts(node))
    if size > MOST_VALUES:
        raise _error(node, f"with its aliases it stands for more than {MOST_VALUES} values")
    sizes[id(node)] = size
    return size


def _check_number(node: yaml.ScalarNode, kind: str) -> None:
    octal = kind == "int" and re.fullmatch(r"[-+]?0[0-9_]+", node.value)
    if octal or (kind in ("int", "float") and ":" in node.value):
        read_as = "a number of base 8" if octal else "a number of base 60"
        advice = "put it into quotes if it is a name, or write the number without leading zeros or colons"
        raise _error(node, f"YAML reads {node.value} as {read_as}; {advice}")


def _check_keys(node: yaml.MappingNode) -> None:
    lines: dict[Any, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        line = key.start_mark.line + 1
        if key.value in lines:
            text = f"key {key.value!r} stands twice, first in line {lines[key.value]}; remove one of them"
            raise _error(key, text)
        lines[key.value] = line


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _error(node: yaml.Node, text: str) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, text, node.start_mark)


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
