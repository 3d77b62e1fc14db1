"""From a configuration to sections, runs, paths and job parameters. Nothing here opens a clip or imports a model.

A run is model x variant x seed x section, and its path says which:
`results/runs/vae/learning_rate=0.01/seed=42/6dB/fan/id_00/scores.parquet`.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mimii.common import fingerprints
from mimii.common.canonical import to_json
from mimii.common.declarations import resolve
from mimii.common.errors import UserError
from mimii.common.slugs import parse_slug
from mimii.common.suggestions import unknown
from mimii.data.lookup import open_source
from mimii.data.sections import Section, snr_order
from mimii.detectors.declaration import check_model_settings, model_declaration, model_names
from mimii.features.settings import check_feature_settings, feature_declarations
from mimii.paper.entries import Entry, figure_entries, table_entries
from mimii.planning.config import (
    Variant,
    all_variants,
    base_variants,
    format_problems,
    overrides_of,
    read_config,
    refuse,
    study_variants,
    variant_of,
)
from mimii.runs.run import EXTERNAL, Run

MODEL_FILES = {"network": "model.pth", "estimator": "model.skops"}


def listed_runs(contents: Mapping[str, Any]) -> list[Run]:
    """The runs that a `merge_job` lists, in its order."""
    variants = []
    for listed in contents["variants"]:
        declared, declared_features = model_declaration(listed["model"]).settings, feature_declarations()
        given = listed["overrides"]
        settings = resolve(declared, {key: value for key, value in given.items() if key in declared})
        features = resolve(declared_features, {key: value for key, value in given.items() if key in declared_features})
        variants.append(variant_of(listed["model"], settings, features))
    sections = [Section.parse(section) for section in contents["sections"]]
    external = [external_variant(name) for name in contents["external"]]
    return [
        *(Run(variant, seed, section) for variant in variants for seed in contents["seeds"] for section in sections),
        *(Run(variant, None, section) for variant in external for section in sections),
    ]


def recorded_columns(contents: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the rows of each model that a `merge_job` lists must hold: present code, present settings of the metrics."""
    metrics = {**contents["metrics"], "metrics_code": fingerprints.metrics_code()}
    found = {name: {**metrics, "training_code": None, "scoring_code": None} for name in contents["external"]}
    for listed in contents["variants"]:
        model = listed["model"]
        codes = {"training_code": fingerprints.training_code(model), "scoring_code": fingerprints.scoring_code(model)}
        found[model] = {**metrics, **codes, **contents["scoring"]}
    return found


def external_variant(name: str) -> Variant:
    """What stands for a model where the configuration names external scores."""
    return Variant(name, EXTERNAL, {}, {}, "")


def _dataset_problems(config: Mapping[str, Any]) -> list[str]:
    """What is wrong with the dataset's root and filters."""
    try:
        open_source(config).sections()
    except UserError as error:
        return str(error).splitlines()
    return []


class Plan:
    """What a configuration asks for. Raises UserError, all problems in one, where it cannot be done."""

    def __init__(self, raw: Mapping[str, Any], *, any_sections: bool = False) -> None:
        """any_sections: plan with sections that have too few clips, too."""
        self.any_sections = any_sections
        self.config = read_config(raw, _dataset_problems)
        self.source = open_source(self.config["dataset"])
        self.features_root: str = self.config["paths"]["features"].rstrip("/")
        self.runs_root: str = self.config["paths"]["runs"].rstrip("/")
        self.results_root: str = self.config["paths"]["results"].rstrip("/")
        self.results_csv: str = self.config["paths"]["csv"] or f"{self.results_root}/results.csv"
        self.seeds: list[int] = self.config["seeds"]
        self.variants = all_variants(self.config)
        refuse(format_problems(self.variants, self.source.format()))
        self._by_name = {(variant.model, variant.name): variant for variant in self.variants}

    @cached_property
    def sections(self) -> list[Section]:
        """The sections that are configured and there, each with clips enough to train and test on."""
        sections = self.source.sections()
        found = []
        for section in sections if not self.any_sections else ():
            try:
                self.source.check(section)
            except UserError as error:
                found.append(f"  - {error}")
        if found:
            raise UserError(f"{len(found)} of {len(sections)} sections cannot be used:\n" + "\n".join(found))
        return sections

    def variants_of(self, *, model: str | None = None, study: str | None = None) -> list[Variant]:
        """All configured variants, or the base one of a model, or a study's."""
        if study is not None:
            return study_variants(self.config, study)
        if model is not None:
            return [variant for variant in base_variants(self.config) if variant.model == model]
        return self.variants

    def runs(self, *, model: str | None = None, study: str | None = None) -> Iterator[Run]:
        """Configured runs: all, one model's (or external scores by their name), or one study's."""
        for variant in self.variants_of(model=model, study=study):
            for seed in self.seeds:
                for section in self.sections:
                    yield Run(variant, seed, section)
        if study is None:
            for name in self.external:
                if model in (None, name):
                    for section in self.sections:
                        yield Run(external_variant(name), None, section)

    @property
    def external(self) -> dict[str, str]:
        """Names of external scores, and the folder of each."""
        return self.config["external_scores"]

    def external_file(self, name: str, section: str) -> str:
        """The file with a section's external scores. Raises UserError where there is none, or two."""
        candidates = [f"{self.external[name].rstrip('/')}/{section}{ending}" for ending in (".csv", ".parquet")]
        found = [file for file in candidates if Path(file).is_file()]
        if len(found) != 1:
            there = "both are there: remove one" if found else "neither is there"
            raise UserError(f"external_scores.{name}: {candidates[0]} or .parquet is needed, and {there}")
        return found[0]

    def check_external(self) -> None:
        """Raise one UserError that lists every section whose external scores are missing."""
        faults = []
        for name in self.external:
            for section in self.sections:
                try:
                    self.external_file(name, section.path)
                except UserError as error:
                    faults.append(f"  - {error}")
        if faults:
            raise UserError(f"{len(faults)} sections have no external scores:\n" + "\n".join(faults))

    @property
    def compared(self) -> list[list[str]]:
        """What tables and figures compare: each model with its variant, and external scores; no study."""
        models = [[variant.model, variant.name] for variant in base_variants(self.config)]
        return models + [[name, EXTERNAL] for name in self.external]

    @cached_property
    def snrs(self) -> list[str]:
        """The SNRs of the sections, the easiest first."""
        return sorted({section.snr for section in self.sections}, key=snr_order)

    def tables(self) -> list[Entry]:
        """Tables of the results."""
        return list(table_entries(self.snrs))

    def figures(self) -> list[Entry]:
        """Figures of the results."""
        return list(figure_entries([model for model, _ in self.compared], self.snrs))

    def clip_figures(self) -> list[str]:
        """`<model>/<section>` of each figure of clips. Raises UserError where the configuration names another."""
        chosen = self.config["report"]["clips"]
        models = [variant.model for variant in base_variants(self.config)]
        by_type: dict[str, str] = {}
        for section in sorted(self.sections, key=lambda section: snr_order(section.snr)):
            by_type.setdefault(section.machine, section.path)
        paths = [section.path for section in self.sections]
        shown = {}
        for kind, known, first in (("models", models, models[:1]), ("sections", paths, list(by_type.values()))):
            wanted = {"first": first, "all": known}.get(str(chosen[kind]), chosen[kind])
            for name in wanted:
                if name not in known:
                    raise UserError(f"report.clips.{kind}: {unknown(kind.removesuffix('s'), name, known)}")
            shown[kind] = wanted
        return [f"{model}/{section}" for model in shown["models"] for section in shown["sections"]]

    def base_run(self, model: str, section: str) -> Run:
        """A model's run on a section with its configured settings and the first seed."""
        (variant,) = self.variants_of(model=model)
        return Run(variant, self.seeds[0], Section.parse(section))

    def variant(self, model: str, name: str) -> Variant:
        """A configured variant, or one that is only named by a typed path. Raises UserError where it cannot be read."""
        if (model, name) not in self._by_name:
            declared, declared_features = model_declaration(model).settings, feature_declarations()
            values = parse_slug(name, {**declared_features, **declared})
            settings = {key: values[key] for key in declared}
            features = {key: values[key] for key in declared_features}
            faults = [*check_feature_settings(features), *check_model_settings(model, settings, features["n_mels"])]
            if faults:
                raise UserError(f"variant {name!r} of {model}: {'; '.join(faults)}")
            self._by_name[model, name] = variant_of(model, settings, features)
        return self._by_name[model, name]

    def features_file(self, variant: Variant, section: str) -> str:
        """Where the features that a variant reads are kept."""
        return f"{self.features_root}/{variant.features_name}/{section}.parquet"

    def model_file(self, model: str) -> str:
        """Name of a model's file."""
        return MODEL_FILES[model_declaration(model).base]

    def models_by_file(self) -> tuple[str, str]:
        """Regular expressions that match the networks' names and the classical models'."""
        networks = "|".join(name for name in model_names() if model_declaration(name).base == "network")
        return networks, "|".join(name for name in model_names() if model_declaration(name).base != "network")

    def section_inputs(self, section: str) -> list[str]:
        """What has to be made before a section's features can be extracted."""
        return self.source.inputs(Section.parse(section))

    @cached_property
    def _sections_of_all_ids(self) -> list[Section]:
        return open_source({**self.config["dataset"], "ids": "all"}).sections()

    def trained_with(self, variant: Variant, section: str) -> list[str]:
        """The other sections whose training clips a variant's model sees, configured or not: by `train_per`."""
        if variant.settings["train_per"] == "section":
            return []
        own = Section.parse(section)
        same = [other for other in self._sections_of_all_ids if (other.snr, other.machine) == (own.snr, own.machine)]
        return [other.path for other in same if other != own]

    # One canonical JSON string for each kind of job: what its result depends on beside its input files.

    def made_up_job(self) -> str:
        """Settings and code of made-up recordings; which sections there are is no setting of any one of them."""
        made_up = self.config["dataset"]["made_up"]
        recordings = {key: value for key, value in made_up.items() if key not in ("snrs", "machines", "ids")}
        return to_json({**recordings, "code": fingerprints.fingerprint("mimii.data.made_up.recordings")})

    def features_job(self, features_name: str, section: str) -> str:
        """Settings, clips and code of a section's features."""
        known = {variant.features_name: variant.features for variant in self._by_name.values()}
        settings = known.get(features_name) or parse_slug(features_name, feature_declarations())
        return to_json(
            {
                "settings": settings,
                "section": section,
                "clips": self.source.fingerprint(Section.parse(section)),
                "on_bad_clip": self.config["dataset"]["on_bad_clip"],
                "code": fingerprints.features_code(self.source.name),
            }
        )

    def training_job(self, model: str, variant: str, seed: str, section: str) -> str:
        """All that names a run, its settings and the code that trains it."""
        found = self.variant(model, variant)
        others = self.trained_with(found, section)
        return to_json(
            {
                "model": model,
                "variant": variant,
                "seed": int(seed),
                "section": section,
                "settings": found.settings,
                "features": found.features,
                "code": fingerprints.training_code(model),
                **({"others": others} if others else {}),
            }
        )

    def scoring_job(self, model: str) -> str:
        """Scoring settings and the code that scores."""
        return to_json({"scoring": self.config["scoring"], "code": fingerprints.scoring_code(model)})

    def metrics_job(self) -> str:
        """Metrics settings and code."""
        return to_json({"metrics": self.config["metrics"], "code": fingerprints.metrics_code()})

    def study_job(self, study: str) -> str:
        """What the table of a study shows, and the code that writes it."""
        declared = self.config["studies"][study]
        varied = [*declared.get("vary", {}), *(key for variant in declared.get("variants", []) for key in variant)]
        return to_json(
            {
                "study": study,
                "variants": [[variant.model, variant.name] for variant in study_variants(self.config, study)],
                "varied": list(dict.fromkeys(varied)),
                "code": fingerprints.fingerprint("mimii.paper.study_tables"),
            }
        )

    def statistics_job(self) -> str:
        """What is compared, and the code that compares it."""
        return to_json({"variants": self.compared, "code": fingerprints.fingerprint("mimii.evaluation.inference")})

    def tables_job(self) -> str:
        """What is compared, and the code that writes the tables."""
        return to_json({"variants": self.compared, "code": fingerprints.fingerprint("mimii.paper.tables")})

    def figures_job(self) -> str:
        """What is compared, and the code that draws it."""
        return to_json({"variants": self.compared, "code": fingerprints.fingerprint("mimii.paper.figures")})

    def clips_job(self, model: str) -> str:
        """The code that draws a model's clips."""
        return to_json({"code": fingerprints.fingerprint("mimii.paper.clip_figures", f"mimii.models.{model}")})

    def baseline_job(self) -> str:
        """The code of the check against the reference run."""
        return to_json({"code": fingerprints.fingerprint("mimii.paper.official_baseline")})

    def external_job(self, name: str, section: str) -> str:
        """What names external scores, and the code that reads them."""
        code = fingerprints.fingerprint("mimii.runs.external")
        return to_json({"name": name, "section": section, "code": code})

    def merge_job(self, *, model: str | None = None, study: str | None = None) -> str:
        """The table of contents of a CSV: variants x seeds x sections, short enough for a command line."""
        return to_json(
            {
                "variants": [
                    {"model": variant.model, "name": variant.name, "overrides": overrides_of(variant)}
                    for variant in self.variants_of(model=model, study=study)
                ],
                "external": list(self.external) if model is None and study is None else [],
                "seeds": self.seeds,
                "sections": [section.path for section in self.sections],
                "metrics": self.config["metrics"],
                "scoring": self.config["scoring"],
                "code": fingerprints.fingerprint("mimii.evaluation.results"),
            }
        )
