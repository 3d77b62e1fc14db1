"""The tables of docs/quality.md on real sound, from the figures that benchmarks/real_frames.py computed.

    python benchmarks/real_sound_tables.py

writes them again from the CSV files in docs/quality/, where the words about them stay as they are.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from mimii.common.files import written_whole

DOCS = Path(__file__).resolve().parents[1] / "docs"
FIGURES = ("results", "training_adds", "clip_means")
START = "<!-- from here on written by benchmarks/real_frames.py --page -->"
END = "<!-- up to here -->"
TRAINED, UNTRAINED = "trained", "untrained"
SNRS = ("6dB", "0dB", "min6dB")
MEAN_OF_IDS = "mean"
TRAP = """### A trap: one network for two IDs

**Not what such a model can do.** It learns by telling machines apart, and is meant for all machines of an SNR. Here it
was fitted, once a seed, on the IDs above together: so few classes are soon told apart, and teach it little of how a
machine sounds (it warns of fewer than 8); clips, and so steps of training, are few as well, and which of the two weighs
more cannot be seen here. These rows stand in no table above, and compare no methods: they show what comes of the
mistake. The mean score is the cosine distance to the nearest embedding of an ID's training clips, the mahalanobis score
the Mahalanobis distance from their mean. Published figures, from many machines, are in [models.md](models.md).
"""

Row = dict[str, str]  # of a CSV: an empty cell is no value


def as_text(rows: Sequence[dict[str, object]]) -> list[Row]:
    """Rows as their CSV has them: numbers to six digits, an empty cell for None."""

    def text(value: object) -> str:
        return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)

    return [{key: text(value) for key, value in row.items()} for row in rows]


def read_csv(path: Path) -> list[Row]:
    """The rows of a CSV; none where it is missing."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def put_into_page(page: Path, tables: str, start: str = START, end: str = END) -> None:
    """Replace what stands between two marks."""
    before, rest = page.read_text(encoding="utf-8").split(start)
    _, after = rest.split(end)
    with written_whole(page) as temporary:
        temporary.write_text(f"{before}{start}\n\n{tables}\n{end}{after}", encoding="utf-8")


def markdown(results: Sequence[Row], adds: Sequence[Row], means: Sequence[Row]) -> str:
    """What defaults were not settled on comes first; models that learn from several sections have their own table."""
    parts = []
    shared = [row for row in results if row["train_per"] != "section"]
    models = {row["model"] for row in results} - {row["model"] for row in shared}
    for settled_on, section in sorted({(row["settled_on"], row["section"]) for row in results}):
        of_section, adds_of_section = (
            [row for row in rows if row["section"] == section and row["model"] in models] for rows in (results, adds)
        )
        parts.append(f"### {section}{' (defaults were settled on it)' if settled_on == 'True' else ''}\n")
        parts += [score_table(of_section), adds_table(adds_of_section)]
    if shared:
        parts += [TRAP, shared_table(shared, adds)]
    if means:
        parts += ["### References on MIMII's own clip means\n", means_table(means)]
    return "\n".join(parts)


def decimals(value: str, sign: str = "") -> str:
    """Such as .877 or +.012; empty where there is no value."""
    return f"{float(value):{sign}.3f}".replace("0.", ".", 1) if value else ""


def with_interval(row: Row | None, metric: str, sign: str = "") -> str:
    """Such as .877 [.841, .910]; empty where there is no row."""
    if row is None:
        return ""
    value, low, high = (decimals(row[key], sign) for key in (metric, f"{metric}_low", f"{metric}_high"))
    return f"{value} [{low}, {high}]"


def score_cells(row: Row | None) -> tuple[str, str, str]:
    """AUC, its deviation from seed to seed, pAUC; empty where there is no row."""
    deviation = decimals(row["auc_seed_deviation"]) if row else ""
    return with_interval(row, "auc"), deviation, with_interval(row, "pauc")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """A table whose first `left` columns are names."""
    rule = f"|{':---|' * left}{'---:|' * (len(header) - left)}"
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def score_table(rows: Sequence[Row]) -> str:
    """A row a model, sorted by the AUC of its mean score."""
    header = [
        "Model",
        "Seeds",
        "AUC, mean score",
        "seed<br>deviation",
        "pAUC, mean score",
        "AUC, maximum",
        "AUC, top k",
    ]
    header += ["AUC, residual", "pAUC, residual", "AUC, residual, untrained", "Training<br>CPU s"]
    by_key = {(row["model"], row["weights"], row["score"]): row for row in rows}
    trained = [row for row in rows if (row["weights"], row["score"]) == (TRAINED, "mean")]
    lines = []
    for row in sorted(trained, key=lambda row: -float(row["auc"])):
        model = row["model"]
        lines.append(
            [
                model,
                str(len(row["seeds"].split())),
                *score_cells(row),
                *(with_interval(by_key.get((model, TRAINED, score)), "auc") for score in ("max", "top_k", "residual")),
                with_interval(by_key.get((model, TRAINED, "residual")), "pauc"),
                with_interval(by_key.get((model, UNTRAINED, "residual")), "auc"),
                f"{float(row['training_s']):.1f}",
            ]
        )
    return table(header, lines)


def adds_table(rows: Sequence[Row]) -> str:
    """What training adds: differences of AUC with their intervals."""
    by_key = {(row["model"], row["score"], row["against"]): row for row in rows}
    columns = [(score, against) for score in ("mean", "residual") for against in (UNTRAINED, "mahalanobis")]
    header = ["Model", *(f"{score} score, minus {against}" for score, against in columns)]
    return table(
        header,
        [
            [model, *(with_interval(by_key.get((model, *column)), "auc", "+") for column in columns)]
            for model in sorted({row["model"] for row in rows})
        ],
    )


def shared_table(results: Sequence[Row], adds: Sequence[Row]) -> str:
    """Scores of models that learn from several sections, and what training adds to them; a row a model and section."""
    scores = ("mean", "mahalanobis")
    header = ["ID", "Model", "Seeds"]
    for score in scores:
        header += [f"AUC, {score} score", "seed<br>deviation", f"pAUC, {score} score"]
    header += [f"AUC, {score} score, minus untrained" for score in scores]
    header += ["AUC, mean score, minus the model mahalanobis", "Training<br>CPU s"]
    by_key = {(row["section"], row["model"], row["score"]): row for row in results if row["weights"] == TRAINED}
    differences = {(row["section"], row["model"], row["score"], row["against"]): row for row in adds}
    columns = [(score, UNTRAINED) for score in scores] + [("mean", "mahalanobis")]
    lines = []
    for section, model in sorted({key[:2] for key in by_key}):
        mean = by_key[section, model, "mean"]
        of_scores = [by_key.get((section, model, score)) for score in scores]
        lines.append(
            [
                section,
                model,
                str(len(mean["seeds"].split())),
                *(cell for row in of_scores for cell in score_cells(row)),
                *(with_interval(differences.get((section, model, *column)), "auc", "+") for column in columns),
                f"{float(mean['training_s']):.1f}",
            ]
        )
    return table(header, lines, left=2)


def means_table(rows: Sequence[Row]) -> str:
    """Mean over machine IDs of AUC and pAUC at each SNR."""
    by_key = {(row["machine"], row["model"], row["snr"]): row for row in rows if row["id"] == MEAN_OF_IDS}
    lines = []
    for machine, model in sorted({key[:2] for key in by_key}):
        settled = any(row["settled_on"] == "True" for row in rows if row["machine"] == machine)
        cells = [by_key.get((machine, model, snr)) for snr in SNRS]
        of_metrics = (with_interval(cell, metric) for metric in ("auc", "pauc") for cell in cells)
        lines.append([f"{machine}{' (settled on)' if settled else ''}", model, *of_metrics])
    heads = [f"{metric}, {snr} dB" for metric in ("AUC", "pAUC") for snr in ("6", "0", "-6")]
    return table(["Machine", "Model", *heads], lines, left=2)


if __name__ == "__main__":
    put_into_page(DOCS / "quality.md", markdown(*(read_csv(DOCS / "quality" / f"{name}.csv") for name in FIGURES)))
