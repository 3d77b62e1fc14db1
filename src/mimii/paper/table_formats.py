"""A table as CSV, Markdown, LaTeX (booktabs) and HTML."""

import html
from collections.abc import Sequence
from pathlib import Path

from mimii.common.files import written_whole
from mimii.paper.table import Cell, Table


def as_markdown(table: Table) -> str:
    """A pipe table below its caption."""

    def written(cell: Cell) -> str:
        text = cell.text.replace("|", "\\|")
        return (f"**{text}**" if cell.bold else text) + (f"<br>{cell.below}" if cell.below else "")

    lines = [
        table.caption,
        "",
        "| " + " | ".join(map(written, table.header)) + " |",
        "|:---" + "|---:" * (len(table.header) - 1) + "|",
        *("| " + " | ".join(map(written, row)) + " |" for row in table.rows),
    ]
    return "\n".join(lines) + "\n"


LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "χ": r"$\chi$",
    "²": "$^2$",
    "[": "{[}",  # at the start of a row, LaTeX would read a length
}


def escape_latex(text: str) -> str:
    """`text` as LaTeX prints it."""
    return "".join(LATEX.get(character, character) for character in text)


def as_latex(table: Table) -> str:
    """A table environment for booktabs; what stands below a cell is a row of its own, in small print."""

    def upper(cell: Cell) -> str:
        text = escape_latex(cell.text)
        return rf"\textbf{{{text}}}" if cell.bold else text

    def lower(cell: Cell) -> str:
        return rf"\scriptsize {escape_latex(cell.below)}" if cell.below else ""

    def lines(row: Sequence[Cell]) -> list[str]:
        if not any(cell.below for cell in row):
            return [" & ".join(map(upper, row)) + r" \\"]
        return [
            " & ".join(map(upper, row)) + r" \\[-2pt]",
            " & ".join(map(lower, row)) + r" \\",
            r"\addlinespace[2pt]",
        ]

    return "\n".join(
        [
            r"% Needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape_latex(table.caption)}}}",
            rf"\label{{tab:{table.name.replace('_', '-')}}}",
            r"\small",
            rf"\setlength{{\tabcolsep}}{{{4 if len(table.header) < 10 else 2.5}pt}}",
            rf"\begin{{tabular}}{{@{{}}l{'r' * (len(table.header) - 1)}@{{}}}}",
            r"\toprule",
            *lines(table.header),
            r"\midrule",
            *(line for row in table.rows for line in lines(row)),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{name}</title>
<style>
body {{ font: 14px/1.4 sans-serif; margin: 1.5em; color: #111; background: #fff; }}
table {{ border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; }}
caption {{ text-align: left; max-width: 60em; padding-bottom: 1em; }}
th, td {{ padding: .25em .8em; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }}
th:first-child, td:first-child {{ text-align: left; }}
thead th {{ border-bottom: 1px solid; vertical-align: bottom; }}
small {{ display: block; color: #555; font-weight: normal; }}
</style>
</head>
<body>
<table>
<caption>{caption}</caption>
<thead>
{header}
</thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def as_html(table: Table) -> str:
    """A page that needs no other file."""

    def row(cells: Sequence[Cell], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{written(cell)}</{tag}>" for cell in cells) + "</tr>"

    def written(cell: Cell) -> str:
        text = html.escape(cell.text)
        text = f"<strong>{text}</strong>" if cell.bold else text
        return text + (f"<small>{html.escape(cell.below)}</small>" if cell.below else "")

    return PAGE.format(
        name=html.escape(table.name),
        caption=html.escape(table.caption),
        header=row(table.header, "th"),
        rows="\n".join(row(cells, "td") for cells in table.rows),
    )


def write_tables(tables: Sequence[Table], folder: str | Path) -> None:
    """`<name>.csv`, `.md`, `.tex` and `.html` of every table."""
    for table in tables:
        # Python's digits: a float reads back as itself.
        written = {
            "csv": table.data.to_csv(index=False, lineterminator="\n"),
            "md": as_markdown(table),
            "tex": as_latex(table),
            "html": as_html(table),
        }
        for ending, text in written.items():
            with written_whole(Path(folder) / f"{table.name}.{ending}") as temporary:
                temporary.write_text(text, encoding="utf-8")
