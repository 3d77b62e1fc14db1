import ast
import re

import pytest

from mimii.detectors.declaration import MODELS, model_declaration, model_names
from mimii.paper.documentation import PAGES


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_what_the_declarations_say(page, project_root):
    """Written by: python -m mimii.paper.documentation"""
    assert (project_root / "docs" / page).read_text(encoding="utf-8") == PAGES[page]()


@pytest.mark.parametrize("name", model_names())
def test_every_model_its_paper_and_every_setting_with_its_meaning_are_on_the_page(name, project_root):
    page = (project_root / "docs" / "models.md").read_text(encoding="utf-8")
    declared = model_declaration(name)
    assert declared.title in page
    assert declared.paper in page
    for key, schema in declared.settings.items():
        assert f"| `{key}` |" in page
        assert schema["description"] in page


@pytest.mark.parametrize("name", model_names())
def test_every_model_says_what_was_published_of_it_and_where_or_that_nothing_is_known(name):
    docstring = ast.get_docstring(ast.parse((MODELS / f"{name}.py").read_text(encoding="utf-8")))
    published = re.search(r"^Published: (.*?)(?=^[A-Z][a-z]+: |\Z)", docstring, re.MULTILINE | re.DOTALL)
    assert published, f"{name}: its docstring has no line that begins with Published:"
    text = " ".join(published[1].split())
    assert re.search(r"no figure|arXiv:|github\.com/|docs/", text), f"{name}: figures without a source"
