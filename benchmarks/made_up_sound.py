"""The table of docs/quality.md on made-up recordings, from the runs of benchmarks/quality.yaml.

    python -m mimii run --configfile benchmarks/quality.yaml
    python benchmarks/made_up_sound.py [--results FILE] [--study FILE] [--runs FOLDER] [--page]

Prints a row for each model, over the sections that all models have; how well the order of the models agrees with that
on real sound (Spearman's correlation over the models that docs/quality/results.csv has, too, by the AUC of their mean
score); and a row for each kind of fault. With --page all go into the page, and the figures into
docs/quality/made_up.csv and made_up_faults.csv.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from real_sound_tables import (
    DOCS,
    TRAINED,
    Row,
    as_text,
    decimals,
    put_into_page,
    read_csv,
    score_cells,
    table,
    with_interval,
)
from scipy.stats import spearmanr

from mimii.common.csv_files import write_csv
from mimii.common.errors import UserError
from mimii.data.sections import AVERAGE
from mimii.evaluation.inference import average_metrics, compare_models
from mimii.evaluation.merge_files import metrics_csv
from mimii.evaluation.merging import LONG_COLUMNS
from mimii.evaluation.resampling import resample_runs, select_runs
from mimii.evaluation.results import SECTION_COLUMNS, load_hints, read_results
from mimii.paper.table import lookup

START = "<!-- from here on written by benchmarks/made_up_sound.py --page -->"
END = "<!-- up to here, the made-up recordings -->"
COMPARED_WITH = "id_classifier (default)"


def common_runs(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The runs of all models and variants on the sections that each of them has, with a label."""
    frame = pd.concat(frames, ignore_index=True).drop_duplicates("run_path")  # results-so-far has those of studies, too
    models = list(dict.fromkeys(zip(frame["model"], frame["variant"], strict=True)))
    counts = frame.groupby(SECTION_COLUMNS)["run_path"].nunique()  # of every model, variant and seed
    common = counts[counts == counts.max()].index
    common_rows = frame.set_index(SECTION_COLUMNS).loc[common].reset_index()
    return select_runs(common_rows, models)


def machines_of(frame: pd.DataFrame) -> list[str]:
    """Machine types."""
    return sorted(frame["machine_type"].unique())


def rows_of(frame: pd.DataFrame, runs: Path) -> list[dict[str, object]]:
    """A row for each model, the best AUC first. difference: its AUC minus that of `COMPARED_WITH`, paired by clip.
    training_cpu_s: with one seed, of all sections together, a shared training once."""
    resampled = resample_runs(frame, runs, samples=int(frame["bootstrap_samples"].iloc[0]))
    confidence = float(frame["confidence"].iloc[0])
    means = lookup(average_metrics(frame, resampled, confidence=confidence))
    differences = differences_from(COMPARED_WITH, compare_models(frame, resampled, confidence=confidence))
    trainings = frame.drop_duplicates("training_path").groupby("label")["training_cpu_sec"].sum()
    rows = []
    for label in dict.fromkeys(frame["label"]):
        auc = means[label, "auc", AVERAGE, AVERAGE]
        row: dict[str, object] = {
            "model": label,
            "sections": len(frame.loc[frame["label"] == label, SECTION_COLUMNS].drop_duplicates()),
            "seeds": int(auc["seeds"]),
            "auc_seed_deviation": number(auc["seed_deviation"]),
        }
        for metric in ("auc", "pauc"):
            mean = means[label, metric, AVERAGE, AVERAGE]
            row |= {metric: mean["mean"], f"{metric}_low": mean["low"], f"{metric}_high": mean["high"]}
        row |= differences.get(label, dict.fromkeys(["difference", "difference_low", "difference_high"]))
        row |= {machine: means[label, "auc", AVERAGE, machine]["mean"] for machine in machines_of(frame)}
        rows.append(row | {"training_cpu_s": float(trainings[label]) / int(auc["seeds"])})
    return sorted(rows, key=lambda row: -float(str(row["auc"])))


def number(value: float) -> float | None:
    """None for NaN."""
    return None if pd.isna(value) else float(value)


def differences_from(label: str, compared: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """The AUC of every other model minus that of `label`, over all sections, with its interval."""
    pairs = compared[(compared["metric"] == "auc") & (compared["db_level"] == AVERAGE)]
    found = {}
    for pair in pairs.to_dict("records"):
        if label in (pair["label"], pair["other"]):
            sign, other = (1, pair["label"]) if pair["other"] == label else (-1, pair["other"])
            low, high = sorted((sign * pair["low"], sign * pair["high"]))
            found[other] = {
                "difference": sign * pair["difference"],
                "difference_low": low,
                "difference_high": high,
            }
    return found


def faults_of(frame: pd.DataFrame, metrics: pd.DataFrame) -> list[dict[str, object]]:
    """A row for each kind of fault: AUC of its clips against all normal ones, the mean over seeds and IDs, over models.

    metrics: the long file beside results.csv."""
    of_kinds = metrics[(metrics["score"] == "mean") & (metrics["metric"] == "auc") & metrics["attributes"].notna()]
    labelled = of_kinds.merge(frame[["run_path", "label", "machine_type"]], on="run_path", validate="many_to_one")
    means = labelled.groupby(["machine_type", "attributes", "label"])["value"].mean().unstack()
    rows: list[dict[str, object]] = []
    for (machine, fault), of_models in means.iterrows():
        row = {"machine": machine, "fault": fault, "mahalanobis": of_models["mahalanobis"]}
        row |= {"median": of_models.median(), "lowest": of_models.min(), "lowest_model": of_models.idxmin()}
        rows.append(row | {"highest": of_models.max(), "highest_model": of_models.idxmax()})
    return rows


def fault_table(rows: Sequence[Row]) -> str:
    """AUC by kind of fault."""
    header = ["Machine", "Fault", "AUC, mahalanobis", "median of the models", "lowest", "highest"]
    lines = [
        [
            row["machine"],
            row["fault"].replace("_", " "),
            decimals(row["mahalanobis"]),
            decimals(row["median"]),
            *(f"{decimals(row[end])} ({row[f'{end}_model']})" for end in ("lowest", "highest")),
        ]
        for row in rows
    ]
    return table(header, lines, left=2)


def agreement(rows: Sequence[Row], real: Sequence[Row]) -> str:
    """How the order of the models agrees with that on each ID of real sound, in words."""
    parts = []
    for section in sorted({row["section"] for row in real}, reverse=True):
        there = {
            row["model"]: float(row["auc"])
            for row in real
            if (row["section"], row["weights"], row["score"], row["train_per"]) == (section, TRAINED, "mean", "section")
        }
        shared = [row for row in rows if row["model"] in there]
        agreement = spearmanr([float(row["auc"]) for row in shared], [there[row["model"]] for row in shared])
        value = f"{decimals(str(agreement.statistic))} against `{section}`"
        parts.append(f"{value} ({len(shared)} models, p = {agreement.pvalue:.2f})")
    return f"Order of the models by their mean score, made up against real (Spearman): {' and '.join(parts)}.\n"


def sections_of(frame: pd.DataFrame) -> str:
    """Which sections the table is over, in words."""
    ids = frame[SECTION_COLUMNS].drop_duplicates().groupby("machine_type")["machine_id"].agg(sorted).to_dict()
    machines = "; ".join(f"{machine} {', '.join(own)}" for machine, own in ids.items())
    over = "clips and seeds" if frame["seed"].nunique() > 1 else "clips"
    return f"Over {sum(map(len, ids.values()))} sections ({machines}); brackets: 95 % bootstrap over {over}.\n"


def markdown(rows: Sequence[Row], machines: Sequence[str], real: Sequence[Row]) -> str:
    """The table, and how the order of the models agrees with real sound."""
    header = ["Model", "Seeds", "AUC", "seed<br>deviation", "pAUC", "AUC, minus id_classifier"]
    header += [*(f"AUC, {machine}" for machine in machines), "Training, all sections,<br>CPU s a seed"]
    lines = [
        [
            row["model"],
            row["seeds"],
            *score_cells(row),
            with_interval(row, "difference", "+") if row["difference"] else "",
            *(decimals(row[machine]) for machine in machines),
            f"{float(row['training_cpu_s']):.1f}",
        ]
        for row in rows
    ]
    return table(header, lines) + "\n" + agreement(rows, real)


def main() -> None:
    """Read the runs, print the table, and put it into the page where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    results = Path("benchmarks/quality/results")
    parser.add_argument("--results", type=Path, default=results / "results.csv")
    parser.add_argument("--study", type=Path, default=results / "studies" / "smaller_batches.csv")
    parser.add_argument("--runs", type=Path, default=Path("benchmarks/quality/runs"), help="folder of the runs")
    parser.add_argument("--page", action="store_true", help="the table becomes that of docs/quality.md")
    arguments = parser.parse_args()
    frame = common_runs([read_results(arguments.results), read_results(arguments.study)])
    rows = as_text(rows_of(frame, arguments.runs))
    metrics = pd.concat(map(pd.read_csv, map(metrics_csv, (arguments.results, arguments.study))), ignore_index=True)
    faults = as_text(faults_of(frame, metrics.drop_duplicates(list(LONG_COLUMNS))))
    text = sections_of(frame) + "\n" + markdown(rows, machines_of(frame), read_csv(DOCS / "quality" / "results.csv"))
    text += "\nAUC by kind of fault, against all normal clips (mean over IDs and seeds):\n\n" + fault_table(faults)
    print(text, *load_hints(frame), sep="\n")
    if arguments.page:
        write_csv(DOCS / "quality" / "made_up.csv", list(rows[0]), rows)
        write_csv(DOCS / "quality" / "made_up_faults.csv", list(faults[0]), faults)
        put_into_page(DOCS / "quality.md", text, START, END)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
