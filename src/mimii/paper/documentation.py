"""The pages of docs/ that are written from declarations: `python -m mimii.paper.documentation` writes them again."""

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mimii.common.declarations import Declarations, types_of
from mimii.common.files import written_whole
from mimii.common.provenance import REPOSITORY
from mimii.detectors.declaration import MODELS, base_declarations, model_declaration, model_names, model_rules
from mimii.evaluation.columns import columns_as_markdown
from mimii.features.settings import declared_in, extractor_names

FEATURES = MODELS.parent / "features"
BASES = {
    "network": "Networks: trained epoch by epoch, most of them to reproduce normal windows",
    "estimator": "Detectors without a training loop",
    "clip_vectors": "Detectors that see a clip as one vector",
}
# What a model's declaration of `still_clip` means for who reads its scores.
STILL_CLIPS = {
    "lower": "has a lower mean score than the clip itself: a machine that falls silent or still looks normal to it",
    "either": "has about the mean score of the clip itself, or a lower or a higher one: it is not told from others",
    "higher": "has a higher mean score than the clip itself",
}
# A line of a model's docstring that starts a new point: `Loss and score: ...`
POINT = re.compile(r"[A-Z][a-z]+( and [a-z]+)?: ")


def models_as_markdown() -> str:
    """docs/models.md: every model, and every setting with its type, range, default and meaning."""
    declared = [model_declaration(name) for name in model_names()]
    lines = [
        "# Models and their settings",
        "",
        "Written from `src/mimii/models/*.yaml`, `detectors/*.yaml`, `features/*.yaml` and the models' own docstrings",
        "by `python -m mimii.paper.documentation`.",
        "",
        "| model | | kind | window, frames | starts every, frames |",
        "|---|---|---|---|---|",
    ]
    for model in declared:
        window, hop = (_value(model.settings[key]["default"]) for key in ("frames", "hop_frames"))
        lines.append(f"| [`{model.name}`](#{model.name}) | {model.title} | {model.base} | {window} | {hop} |")
    lines += ["", "## Settings that models share"]
    for base, title in BASES.items():
        lines += ["", f"### {title}", "", *_table(base_declarations(base))]
    lines += ["", "## Settings of each model", "", "Beside those of its kind; a setting of both is the model's own."]
    for model in declared:
        shared = base_declarations(model.base)
        own = {key: value for key, value in model.settings.items() if value != shared.get(key)}
        lines += ["", f"### {model.name}", "", *_docstring(MODELS / f"{model.name}.py"), f"- Reference: {model.paper}."]
        still = STILL_CLIPS[model.still_clip]
        lines.append(f"- A clip that stands still, its mean spectrum in every frame, {still}.")
        lines += [*_rules(model.name), "", *(_table(own) if own else ["No settings of its own."])]
    lines += ["", "## Settings of the features", "", *_table(declared_in("settings"))]
    for name in extractor_names():
        lines += ["", f"### {name}", "", *_docstring(FEATURES / f"{name}.py"), "", *_table(declared_in(name))]
    return "\n".join(lines) + "\n"


def _table(declarations: Declarations) -> Iterator[str]:
    yield "| setting | type | range | default | meaning |"
    yield "|---|---|---|---|---|"
    for key, schema in declarations.items():
        cells = (f"`{key}`", _types(schema), _range(schema), _value(schema["default"]), schema["description"])
        yield "| " + " | ".join(cells) + " |"


def _rules(model: str) -> Iterator[str]:
    rules = model_rules(model)
    lines = [f"`{rules.bottleneck}` is at most a quarter of `frames` x `n_mels`"] if rules.bottleneck else []
    lines += [f"`{key}` is a multiple of `{divisor}`" for key, divisor in rules.multiples.items()]
    lines += [f"`{key}` needs `{needed}`" for key, needed in rules.needs.items()]
    if lines:
        yield f"- Checked before any job: {'; '.join(lines)}."


def _types(schema: Mapping[str, Any]) -> str:
    types = [name for name in types_of(schema) if name != "null"]
    if types == ["array"]:
        return f"list of {_types(schema['items'])}s"
    return " or ".join(types) + (", null" if "null" in types_of(schema) else "")


def _range(schema: Mapping[str, Any]) -> str:
    schema = schema.get("items", schema)
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return ", ".join(f"{sign} {_value(schema[key])}" for key, sign in limits.items() if key in schema)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _docstring(path: Path) -> Iterator[str]:
    """A module's docstring as a sentence and a list of its points. Nothing is imported."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first, _, rest = text.partition("\n\n")
    yield from (" ".join(first.split()), "")
    points: list[str] = []
    for line in rest.split("\n"):
        if POINT.match(line) or not points:
            points.append(line)
        else:
            points[-1] += f" {line.strip()}"
    yield from (f"- {point}" for point in points)


PAGES: dict[str, Callable[[], str]] = {"columns.md": columns_as_markdown, "models.md": models_as_markdown}


def write_pages(folder: Path) -> None:
    """Write every generated page into `folder`."""
    for name, content in PAGES.items():
        with written_whole(folder / name) as temporary:
            temporary.write_text(content(), encoding="utf-8")


if __name__ == "__main__":
    write_pages(REPOSITORY / "docs")
