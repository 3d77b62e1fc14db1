import pytest
from original_framework import COLUMNS

from mimii.common.errors import UserError
from mimii.evaluation.columns import check_rows, columns_as_markdown, read_columns


@pytest.fixture
def row(run_folder, tmp_path):
    return run_folder(tmp_path)


def test_the_original_columns_come_first():
    assert [column.name for column in read_columns()][:24] == COLUMNS


def test_metrics_are_never_empty():
    never = {column.name for column in read_columns() if column.nullable is not True}  # of a model that was trained
    assert {"auc", "pr_auc", "pauc", "auc_low", "auc_high", "seed", "variant", "settings", "training_code"} <= never


def test_whole_row_passes(row):
    check_rows([row, row])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("auc", None, "auc is empty"),
        ("auc", float("nan"), "not a finite number"),
        ("auc", 1.5, "above 1"),
        ("auc", "0.7", "not a number"),
        ("epochs", 50.0, "not an integer"),
        ("seed", True, "not an integer"),
        ("train_files", 0, "below 1"),
        ("settings", "{", "not JSON"),
        ("model", "", "empty text"),
        ("model", 3, "not a text"),
    ],
)
def test_wrong_cell_names_run_and_column(row, name, value, message):
    row[name] = value
    with pytest.raises(UserError, match=rf"vae/default/seed=42/6dB/fan/id_00: {name} .*") as raised:
        check_rows([row])
    assert message in str(raised.value)


def test_missing_and_unknown_columns(row):
    extra = {**row, "new": 1}
    del row["auc"]
    with pytest.raises(UserError, match=r"(?s)auc is missing.*new is unknown"):
        check_rows([row, extra])


def test_documentation_is_the_declaration(project_root):
    """Written by: python -c "from mimii.columns import *; print(columns_as_markdown(), end='')" > docs/columns.md"""
    assert (project_root / "docs" / "columns.md").read_text(encoding="utf-8") == columns_as_markdown()
