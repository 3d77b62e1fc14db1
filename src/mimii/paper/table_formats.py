"""A table as CSV, Markdown, LaTeX (booktabs, siunitx) and HTML."""

import html
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mimii.common.files import written_whole
from mimii.paper.table import MISSING, Cell, Table


def as_markdown(table: Table) -> str:
    """A pipe table between its caption and its notes."""

    def write_cell(cell: Cell) -> str:
        text = cell.text.replace("|", "\\|")
        marked = f"**{text}**" if cell.bold else f"<u>{text}</u>" if cell.second else text
        return marked + (f"<br>{cell.below}" if cell.below else "")

    lines = [
        table.caption,
        "",
        "| " + " | ".join(map(write_cell, table.header)) + " |",
        "|:---" + "|---:" * (len(table.header) - 1) + "|",
        *("| " + " | ".join(map(write_cell, row)) + " |" for row in table.rows),
        *(["", table.notes] if table.notes else []),
    ]
    return "\n".join(lines) + "\n"


LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "\u00a0": "~",
    "<": "$<$",
    ">": "$>$",
    "|": r"\textbar{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "χ": r"$\chi$",
    "²": "$^2$",
    "[": "{[}",  # at the start of a row, LaTeX would read a length
}


def escape_latex(text: str) -> str:
    """`text` as LaTeX prints it; no line ends within p = .013."""
    return "".join(LATEX.get(character, character) for character in re.sub(r"\bp ([=<]) ", "p\u00a0\\1\u00a0", text))


# A number as tables write it: 1,234.50, +0.012, 0.912 ± 0.004.
NUMBER = re.compile(r"(?P<sign>[+−]?)(?P<whole>[\d,]+)(?P<part>\.\d+)?( ± 0\.(?P<deviation>\d+))?")
SIUNITX = (
    r"\sisetup{detect-weight, group-separator={,}, group-minimum-digits=4, separate-uncertainty, retain-explicit-plus}"
)
COLUMN, PAGE_WIDTH = 252.0, 516.0  # pt: one column and both of an IEEE page


@dataclass(frozen=True)
class Layout:
    """How a table is set: environment and its width in pt, size of the type, width of its digits, least gap."""

    environment: str
    width: float
    size: str
    digit: float
    gap: float

    def gap_of(self, widths: Sequence[float]) -> float:
        """Between columns as wide as so many digits, in pt: what is left of the width, at most 12."""
        return min((self.width - sum(widths) * self.digit) / max(len(widths) - 1, 1), 12)


LAYOUTS = (
    Layout("table", COLUMN, "footnotesize", 4.3, 5),
    Layout("table", COLUMN, "scriptsize", 4.0, 3),
    Layout("table*", PAGE_WIDTH, "footnotesize", 4.3, 5),
    Layout("table*", PAGE_WIDTH, "scriptsize", 4.0, 3),
)


def as_latex(table: Table) -> str:
    """A table environment for booktabs and siunitx, in one column of a page where it fits, else over both.

    What stands below a cell is a row of its own, in small print; notes stand below the table.
    """
    columns = list(zip(table.header, *table.rows, strict=True))
    types = ["l", *(_column_type([cell.text for cell in cells[1:]]) for cells in columns[1:])]
    below = any(cell.below for row in table.rows for cell in row)
    shared = Counter(cell.text for cell in table.header)
    heads = [_width(cell) / shared[cell.text] for cell in table.header]
    widths = [max(head, *map(_width, cells[1:])) for head, cells in zip(heads, columns, strict=True)]
    layout = next((one for one in LAYOUTS if one.gap_of(widths) >= one.gap), LAYOUTS[-1])
    gap = layout.gap_of(widths)
    begin, end = "", ""
    if gap < layout.gap:
        begin, end, gap = r"\resizebox{\linewidth}{!}{%" + "\n", "}", layout.gap
    notes = rf"\par\smallskip\parbox{{\linewidth}}{{\scriptsize {escape_latex(table.notes)}}}"
    return "\n".join(
        [
            r"% Needs \usepackage{booktabs,graphicx,siunitx}",
            rf"\begin{{{layout.environment}}}",
            r"\centering",
            rf"\caption{{{escape_latex(table.caption)}}}",
            rf"\label{{tab:{table.name.replace('_', '-')}}}",
            rf"\{layout.size}",
            rf"\setlength{{\tabcolsep}}{{{gap / 2:.2g}pt}}",
            SIUNITX,
            rf"{begin}\begin{{tabular}}{{@{{}}{' '.join(types)}@{{}}}}",
            r"\toprule",
            *_latex_header(table.header),
            r"\midrule",
            *(line for row in table.rows for line in _latex_row(row, types, below=below)),
            r"\bottomrule",
            rf"\end{{tabular}}{end}",
            *([notes] if table.notes else []),
            rf"\end{{{layout.environment}}}",
            "",
        ]
    )


NARROW, WIDE, BOLD = " .,:[]ijl", "+−±%mwMW", 1.15


def _width(cell: Cell) -> float:
    """In digits of its type, as Computer Modern has them."""

    def width_of(text: str) -> float:
        return sum(0.67 if char in NARROW else 1.7 if char in WIDE else 1.5 if char.isupper() else 1 for char in text)

    return max(width_of(cell.text) * (BOLD if cell.bold else 1), width_of(cell.below))


def _column_type(texts: Sequence[str]) -> str:
    """Of tabular: siunitx's for numbers and dashes, else to the left.

    Centred where there are dashes alone, or deviations: numbers with one and without stand above their intervals.
    """
    matches = [NUMBER.fullmatch(text) for text in texts if text != MISSING]
    numbers = [match for match in matches if match]
    if len(numbers) < len(matches):
        return "l"
    if not numbers or any(match["deviation"] for match in numbers):
        return "c"
    whole = max(len(match["whole"].replace(",", "")) for match in numbers)
    part = max(len(match["part"] or ".") - 1 for match in numbers)
    sign = "+" if any(match["sign"] for match in numbers) else ""
    return f"S[table-format={sign}{whole}" + (f".{part}]" if part else "]")


def _latex_row(row: Sequence[Cell], types: Sequence[str], *, below: bool) -> list[str]:
    """below: whether any row has small print below it, so that rows are set apart."""
    apart = [r"\addlinespace[2pt]"] if below else []
    upper = " & ".join(_latex_cell(cell, type) for cell, type in zip(row, types, strict=True))
    if not any(cell.below for cell in row):
        return [upper + r" \\", *apart]
    return [upper + r" \\[-1pt]", " & ".join(map(_braced, map(_small, row))) + r" \\", *apart]


def _latex_cell(cell: Cell, type: str) -> str:
    match = NUMBER.fullmatch(cell.text)
    if type == "l" or match is None:
        text = escape_latex(cell.text)
        if type.startswith("S"):
            return _braced(text)
        return rf"\textbf{{{text}}}" if cell.bold else rf"\underline{{{text}}}" if cell.second else text
    text = match["sign"].replace("−", "-") + match["whole"].replace(",", "") + (match["part"] or "")
    if match["deviation"]:
        text += f"({int(match['deviation'])})"
    if cell.second:
        return rf"{{\underline{{\num{{{text}}}}}}}"
    return (r"\bfseries " if cell.bold else "") + (text if type.startswith("S") else rf"\num{{{text}}}")


def _latex_header(header: Sequence[Cell]) -> list[str]:
    """One row, or two where there is small print; neighbours that differ in it alone share their heading."""
    if not any(cell.below for cell in header):
        return [" & ".join(_braced(escape_latex(cell.text)) for cell in header) + r" \\"]
    upper, rules, first = [], [], 1
    for text, cells in itertools.groupby(header, key=lambda cell: cell.text):
        count = len(list(cells))
        if count == 1:
            upper.append(_braced(escape_latex(text)))
        else:
            upper.append(rf"\multicolumn{{{count}}}{{c}}{{{escape_latex(text)}}}")
            rules.append(rf"\cmidrule(lr){{{first}-{first + count - 1}}}")
        first += count
    lower = " & ".join(_braced(_small(cell)) for cell in header)
    return [" & ".join(upper) + r" \\", *(["".join(rules)] if rules else []), lower + r" \\"]


def _small(cell: Cell) -> str:
    return rf"\scriptsize {escape_latex(cell.below)}" if cell.below else ""


def _braced(text: str) -> str:
    """Text that no column of numbers reads as one."""
    return f"{{{text}}}" if text else ""


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
p {{ max-width: 60em; color: #555; }}
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
<p>{notes}</p>
</body>
</html>
"""


def as_html(table: Table) -> str:
    """A page that needs no other file."""

    def row(cells: Sequence[Cell], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{write_cell(cell)}</{tag}>" for cell in cells) + "</tr>"

    def write_cell(cell: Cell) -> str:
        text = html.escape(cell.text)
        text = f"<strong>{text}</strong>" if cell.bold else f"<u>{text}</u>" if cell.second else text
        return text + (f"<small>{html.escape(cell.below)}</small>" if cell.below else "")

    return PAGE.format(
        name=html.escape(table.name),
        caption=html.escape(table.caption),
        notes=html.escape(table.notes),
        header=row(table.header, "th"),
        rows="\n".join(row(cells, "td") for cells in table.rows),
    )


def write_tables(tables: Sequence[Table], folder: str | Path) -> None:
    """`<name>.csv`, `.md`, `.tex` and `.html` of every table."""
    for table in tables:
        # Python's digits: a float reads back as itself.
        texts = {
            "csv": table.data.to_csv(index=False, lineterminator="\n"),
            "md": as_markdown(table),
            "tex": as_latex(table),
            "html": as_html(table),
        }
        for ending, text in texts.items():
            with written_whole(Path(folder) / f"{table.name}.{ending}") as temporary:
                temporary.write_text(text, encoding="utf-8")
