"""The section "Experimental setup" of a paper: what was run, in sentences made of the results."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mimii.data.sections import dcase_year, has_snrs, snr_order, snr_title
from mimii.detectors.declaration import base_declarations, model_declaration, model_names
from mimii.evaluation.results import SECTION_COLUMNS
from mimii.evaluation.seeds import LEAST_SEEDS
from mimii.features.settings import features_in_words
from mimii.paper.references import papers_of
from mimii.paper.table_formats import escape_latex
from mimii.runs.run import EXTERNAL, has_model, is_ensemble

YEARS = {
    2020: "koizumi2020dcase",
    2021: "kawaguchi2021dcase",
    2022: "dohi2022dcase",
    2023: "dohi2023dcase",
    2024: "nishida2024dcase",
    2025: "nishida2025dcase",
}
# Libraries in the record of a run, by the name of their package.
LIBRARIES = {"numpy": "harris2020numpy", "torch": "paszke2019pytorch", "scikit-learn": "pedregosa2011sklearn"}


def setup_section(frame: pd.DataFrame, config: Mapping[str, Any]) -> str:
    """Data, split, features, models, training, seeds, tests, versions and hardware, as LaTeX.

    frame: rows of results.csv. config: that of the results, {} where it is not known.
    """
    paragraphs = [
        ("Data", [data(frame, config), clips(frame)]),
        ("Features", features(frame)),
        ("Models", [*networks(frame), *models(frame)]),
        ("Evaluation", evaluation(frame)),
        ("Computation", computation(frame)),
    ]
    texts = [rf"\paragraph{{{title}.}} {' '.join(filter(None, parts))}" for title, parts in paragraphs]
    return "\\section{Experimental setup}\n" + "\n\n".join(texts) + "\n"


def data(frame: pd.DataFrame, config: Mapping[str, Any]) -> str:
    """The dataset and its sections."""
    sections = frame[SECTION_COLUMNS].drop_duplicates()
    snrs = sorted(sections["db_level"].unique(), key=snr_order)
    types = sorted(sections["machine_type"].unique())
    ids = sections.groupby("machine_type")["machine_id"].nunique()
    at = f" at SNRs of {join_words([snr_title(snr) for snr in snrs])}" if has_snrs(snrs) else ""
    each = f"{ids.min()}" if ids.min() == ids.max() else f"{ids.min()} to {ids.max()}"
    what = f"{len(sections)} section{'s' * (len(sections) > 1)}: {each} of each of {join_words(types)}{at}."
    return f"{dataset(snrs, config)} {escape_latex(what)}"


def dataset(snrs: Sequence[str], config: Mapping[str, Any]) -> str:
    """Which recordings they are, with a citation where that is known."""
    years = sorted({year for snr in snrs if (year := dcase_year(snr))})
    source = config.get("dataset", {}).get("source")
    if years:
        cited = [YEARS[year] for year in years if year in YEARS]
        data_of = f"The data are those of DCASE task 2, {join_words([str(year) for year in years])}"
        return data_of + (cite(*cited) if cited else "") + "."
    if source == "made_up":
        return "The recordings are made up by the benchmark; they are no evidence on real machines."
    if source == "zenodo":
        return f"The data are MIMII{cite('purohit2019mimii')}."
    return r"% TODO: say which recordings these are, and cite them." + "\nThe data are recordings of machines."


def clips(frame: pd.DataFrame) -> str:
    """How many clips models were trained and tested on."""
    sections = frame.drop_duplicates(SECTION_COLUMNS)
    columns = ("train_files", "normal_test_clips", "abnormal_test_clips")
    train, normal, abnormal = (int(sections[column].fillna(0).sum()) for column in columns)
    text = f"Only normal clips are used for training: {train:,} in all."
    if frame["validation_files"].fillna(0).gt(0).any():
        text += " Some normal clips are held out to set thresholds."
    return escape_latex(f"{text} The test clips are {normal:,} normal and {abnormal:,} abnormal ones.")


def features(frame: pd.DataFrame) -> list[str]:
    """Log-mel spectrograms or embeddings; each setting of them once."""
    sentences = []
    for text in frame.loc[frame["variant"].map(has_model), "features"].dropna().unique():
        own = json.loads(text)
        if own.get("extractor", "log_mel") != "log_mel":
            sentences.append(escape_latex(f"Features are {features_in_words(own)}."))
            continue
        sentences.append(
            f"Log-mel spectrograms have {own['n_mels']} bands, computed{cite('mcfee2015librosa')} from channel "
            f"{own['channel']} at {own['sample_rate']:,} Hz with frames of {own['n_fft']:,} samples, a hop of "
            f"{own['hop_length']} and power {own['power']:g}."
        )
    return sentences


def networks(frame: pd.DataFrame) -> Iterator[str]:
    """What all networks are trained with; which of it differs is said of each model."""
    shared = shared_settings(frame)
    if shared:
        yield f"Networks share these settings: {escape_latex(write_settings(shared))}."


def shared_settings(frame: pd.DataFrame) -> dict[str, Any]:
    """Settings of the kind "network" that are the same in every network; of a single one, none."""
    settings = [json.loads(row["settings"]) for row in variants(frame) if base_of(row["model"]) == "network"]
    if len(settings) < 2:
        return {}
    return {
        name: settings[0][name]
        for name in base_declarations("network")
        if name in settings[0] and all(one.get(name) == settings[0][name] for one in settings)
    }


def models(frame: pd.DataFrame) -> Iterator[str]:
    """A sentence for each model and variant."""
    shared = shared_settings(frame)
    for row in variants(frame):
        name = row["model"]
        if row["variant"] == EXTERNAL:
            yield rf"\textit{{{escape_latex(name)}}}: scores of other code."
            continue
        if is_ensemble(row["variant"]):
            own = json.loads(row["settings"])
            how = {"standardised": "standardised scores", "rank": "ranks of the scores"}[own["how"]]
            members = ", ".join(member.removesuffix("/default") for member in own["members"])
            yield rf"\textit{{{escape_latex(name)}}}: mean of the {how} of {escape_latex(members)}."
            continue
        title = model_declaration(name).title if name in model_names() else name
        own = {key: value for key, value in json.loads(row["settings"]).items() if key not in shared}
        amount = row["num_parameters"]
        size = "" if pd.isna(amount) else f" ({int(amount):,} parameters)"
        cited = cite(*papers) if (papers := papers_of(name)) else ""
        details = f": {escape_latex(write_settings(own))}" if own else ""
        yield rf"\textit{{{escape_latex(title)}}}{cited}{escape_latex(size)}{details}."


def variants(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A row of each model and variant."""
    first = frame.drop_duplicates(["model", "variant"]).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in first]


def base_of(model: str) -> str:
    """Base of a model, such as "network"; empty for external scores."""
    return model_declaration(model).base if model in model_names() else ""


def evaluation(frame: pd.DataFrame) -> list[str]:
    """Seeds, metrics, intervals and tests."""
    first = frame.iloc[0]
    confidence = 100 * first["confidence"]
    order = "seeds, machine IDs, machine types" + (", SNRs" if has_snrs(frame["db_level"].unique()) else "")
    return [
        *seeds(frame),
        "A clip's score is the mean of its window scores. Metrics are the area under the ROC curve (AUC), its part up "
        f"to a false-positive rate of {first['max_fpr']:g} in McClish's form{cite('mcclish1989pauc')} (pAUC), and "
        f"average precision{cite('davis2006pr')} (PR-AUC), averaged over {order}, in this order.",
        rf"Intervals are {confidence:g}\,\% bootstrap intervals{cite('efron1993bootstrap')} over test clips and seeds "
        f"({first['bootstrap_samples']:,} resamples), wider for few seeds{cite('satterthwaite1946variance')}. "
        "Two models are compared on the same resamples, paired by clip, with Holm's correction for all "
        f"pairs{cite('holm1979multiple')}; a model is called the best where it differs from every "
        f"other{cite('berger1982intersection')}. Ranks over machines are tested as Dem{{\\v{{s}}}}ar "
        f"recommends{cite('demsar2006comparisons')}, each pair of models by Wilcoxon's signed-rank "
        f"test{cite('benavoli2016posthoc')}, too.",
    ]


def seeds(frame: pd.DataFrame) -> Iterator[str]:
    """Which, and what they are for."""
    numbers = sorted({int(seed) for seed in frame["seed"].dropna()})
    if numbers:
        several = "s" * (len(numbers) > 1)
        yield (
            f"Models that draw random numbers are trained with {len(numbers)} seed{several} "
            f"({join_words([str(seed) for seed in numbers])}); no claim about one with fewer than {LEAST_SEEDS}."
        )


def computation(frame: pd.DataFrame) -> list[str]:
    """Software with versions, and hardware; no name of a machine."""
    versions: dict[str, set[str]] = {}
    for text in frame["versions"].dropna().unique():
        for name, version in json.loads(text).items():
            versions.setdefault(name, set()).add(version)
    said = ", ".join(
        escape_latex(f"{name} {' and '.join(sorted(own))}") + (cite(LIBRARIES[name]) if name in LIBRARIES else "")
        for name, own in sorted(versions.items())
    )
    devices = join_words(sorted({str(device) for device in frame["device"].dropna()}))
    threads = join_words([str(int(count)) for count in sorted(frame["threads"].dropna().unique())])
    workflow = f"The benchmark is a Snakemake workflow{cite('molder2021snakemake')}"
    sentences = [workflow + (f" ({said})." if said else ".")]
    if devices:
        todo = "\n% TODO: say which processor." if "cpu" in devices else ""
        sentences.append(escape_latex(f"Computed on: {devices}; threads of a job: {threads}.") + todo)
    return sentences


def cite(*keys: str) -> str:
    """LaTeX of a citation."""
    return rf"~\cite{{{','.join(keys)}}}"


def write_settings(settings: Mapping[str, Any]) -> str:
    """`batch size 256, hidden 128-64, whiten off`; without what is not set."""

    def text(value: Any) -> str:
        if isinstance(value, list):
            return "-".join(map(text, value))
        if isinstance(value, bool):
            return "on" if value else "off"
        return f"{value:g}" if isinstance(value, float) else str(value)

    return ", ".join(f"{name.replace('_', ' ')} {text(value)}" for name, value in settings.items() if value is not None)


def join_words(parts: Sequence[str]) -> str:
    """`a, b and c`"""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
