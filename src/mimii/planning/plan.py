"""From a configuration to sections, runs, paths and job parameters. Nothing here opens a clip or imports a model.

A run is model x variant x seed x section, and its path says which:
`results/runs/vae/learning_rate=0.01/seed=42/6dB/fan/id_00/scores.parquet`.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mimii.common.csv_files import has_columns
from mimii.common.errors import UserError
from mimii.common.files import is_foreign, why_not_a_folder
from mimii.common.problems import Problem, ProblemsError, refuse
from mimii.common.slugs import parse_slug, slug
from mimii.common.suggestions import unknown
from mimii.data.lookup import open_source
from mimii.data.same_recordings import read_same_recordings
from mimii.data.sections import SCOPES, Section, snr_order
from mimii.detectors.declaration import check_model_settings, model_declaration, model_names
from mimii.features.settings import check_feature_settings, feature_declarations, frame_values, resolve_features
from mimii.paper.entries import Entry, figure_entries, table_entries
from mimii.planning.checking import format_problems, member_problems
from mimii.planning.checkpoints import name_checkpoints
from mimii.planning.config import read_config
from mimii.planning.variants import (
    all_variants,
    base_variants,
    ensemble_runs,
    ensemble_settings,
    external_runs,
    runs_of,
    seeds_of,
    study_variants,
    variant_of,
)
from mimii.runs.run import EXTERNAL, Run, Variant, ensemble_variant_name, in_scope, submission_names

# Filters of the configuration that do not hold for what a model is trained on.
SHARED_OVER = {"section": (), "machine_type": ("ids",), "snr": ("machines", "ids")}
MODEL_FILES = {"network": "model.pth", "estimator": "model.npz", "clip_vectors": "model.npz"}


def dataset_problems(config: Mapping[str, Any]) -> Iterable[Problem]:
    """What is wrong with the dataset's root and filters."""
    try:
        open_source(config).sections()
    except ProblemsError as error:
        return error.problems
    except UserError as error:
        return [Problem("", str(error))]
    return []


class Plan:
    """What a configuration asks for. Raises ProblemsError, all problems in one, where it cannot be done."""

    def __init__(self, raw: Mapping[str, Any], *, any_sections: bool = False) -> None:
        """any_sections: plan with sections that have too few clips, too."""
        self.any_sections = any_sections
        self.config = read_config(raw, dataset_problems)
        self.source = open_source(self.config["dataset"])
        self.features_root: str = self.config["paths"]["features"].rstrip("/")
        self.config, self._checkpoint_folders = name_checkpoints(self.config, self.features_root)
        self.runs_root: str = self.config["paths"]["runs"].rstrip("/")
        self.results_root: str = self.config["paths"]["results"].rstrip("/")
        self.results_csv: str = self.config["paths"]["csv"] or f"{self.results_root}/results.csv"
        self.seeds: list[int] = self.config["seeds"]
        self.variants = all_variants(self.config)
        refuse([*format_problems(self.variants, self.source.format()), *member_problems(self.config, self.variants)])
        self._listed: dict[Section, str] = {}
        self._at_hand: dict[str, list[Section]] = {}
        self._by_name = {(variant.model, variant.name): variant for variant in self.variants}

    @cached_property
    def sections(self) -> list[Section]:
        """The sections that are configured and there, each with clips enough to train and test on."""
        sections = self.source.sections()
        faults = []
        for section in sections if not self.any_sections else ():
            try:
                self.source.check(section)
            except UserError as error:
                faults.append(f"  - {error}")
        if faults:
            raise UserError(f"{len(faults)} of {len(sections)} sections cannot be used:\n" + "\n".join(faults))
        return sections

    def check_folders(self, *, writable: bool) -> None:
        """Raise ProblemsError where a folder of results cannot be made or, with `writable`, not be written into."""
        csv = {"csv": str(Path(self.results_csv).parent)} if self.config["paths"]["csv"] else {}
        places = {"results": self.results_root, "features": self.features_root, "runs": self.runs_root, **csv}
        reasons = {key: why_not_a_folder(folder, writable=writable) for key, folder in places.items()}
        refuse(Problem(f"paths.{key}", reason) for key, reason in reasons.items() if reason)

    def check_csv(self) -> None:
        """Raise ProblemsError where the CSV would replace what this workflow has not written."""
        if is_foreign(self.results_csv, has_columns("run_path")):
            text = f"{self.results_csv!r} was not written by this workflow; move it away, or choose another name"
            raise ProblemsError.of("paths.csv", text)

    def variants_of(self, *, model: str | None = None, study: str | None = None) -> list[Variant]:
        """All configured variants, or the base one of a model, or a study's. Raises UserError on another model."""
        if study is not None:
            return study_variants(self.config, study)
        if model is not None:
            chosen = [variant for variant in base_variants(self.config) if variant.model == model]
            others = [*self.external, *self.ensembles]
            if not chosen and model not in others:
                raise UserError(unknown("configured model", model, [*self.config["models"], *others]))
            return chosen
        return self.variants

    def runs(self, *, model: str | None = None, study: str | None = None) -> Iterator[Run]:
        """Configured runs: all, one model's (or external scores' or an ensemble's by its name), or one study's."""
        yield from runs_of(self.variants_of(model=model, study=study), self.seeds, self.sections)
        if study is None:
            yield from external_runs((name for name in self.external if model in (None, name)), self.sections)
            ensembles = {name: own for name, own in self.ensembles.items() if model in (None, name)}
            yield from ensemble_runs(ensembles, self.seeds, self.sections)

    @cached_property
    def ensembles(self) -> dict[str, dict[str, Any]]:
        """Settings of each ensemble by its name."""
        return {name: ensemble_settings(self.config, name) for name in self.config["ensembles"]}

    def member_runs(self, name: str, seed: int, section: Section) -> list[Run]:
        """The runs whose mean an ensemble is: with its seed, or with the first one where a model has no other."""
        runs: list[Run] = []
        for model, variant_name in (member.split("/") for member in self.ensembles[name]["members"]):
            if variant_name == EXTERNAL:
                runs += external_runs([model], [section])
                continue
            variant = self.variant(model, variant_name)
            own = seed if len(seeds_of(variant.model, [0, 1])) > 1 else self.seeds[0]
            runs.append(Run(variant, own, section))
        return runs

    @property
    def external(self) -> dict[str, str]:
        """Names of external scores, and the folder of each."""
        return self.config["external_scores"]

    def external_files(self, name: str, section: Section) -> list[str]:
        """The file with a section's external scores; two of some submissions.

        Raises UserError where there is none, or more.
        """
        folder = self.external[name].rstrip("/")
        ways = [(f"{section}.csv",), (f"{section}.parquet",), *submission_names(section)]
        found = [way for way in ways if any(Path(folder, file).is_file() for file in way)]
        if len(found) != 1:
            there = "several are there: remove all but one" if found else "none is there"
            raise UserError(
                f"external_scores.{name}: {folder}/{section}.csv, .parquet or {ways[2][0]} is needed, and {there}"
            )
        files = [f"{folder}/{file}" for file in found[0]]
        if missing := [file for file in files if not Path(file).is_file()]:
            raise UserError(f"external_scores.{name}: {missing[0]} is missing beside the file of the other domain")
        return files

    def check_external(self) -> None:
        """Raise one UserError that lists every section whose external scores are missing."""
        faults = []
        for name in self.external:
            for section in self.sections:
                try:
                    self.external_files(name, section)
                except UserError as error:
                    faults.append(f"  - {error}")
        if faults:
            raise UserError(f"{len(faults)} sections have no external scores:\n" + "\n".join(faults))

    @property
    def compared(self) -> list[list[str]]:
        """What tables and figures compare: each model with its variant, external scores, ensembles; no study."""
        models = [[variant.model, variant.name] for variant in base_variants(self.config)]
        return (
            models
            + [[name, EXTERNAL] for name in self.external]
            + [[name, ensemble_variant_name(own)] for name, own in self.ensembles.items()]
        )

    @cached_property
    def snrs(self) -> list[str]:
        """The SNRs of the sections, the easiest first."""
        return sorted({section.snr for section in self.sections}, key=snr_order)

    @cached_property
    def domains(self) -> list[str]:
        """The SNRs of which some recordings are of a source or target domain, beside DCASE's."""
        return sorted({section.snr for section in self.sections if self.source.has_domains(section)}, key=snr_order)

    def tables(self) -> list[Entry]:
        """Tables of the results."""
        return table_entries([model for model, _ in self.compared], self.snrs, self.domains)

    def figures(self) -> list[Entry]:
        """Figures of the results."""
        return figure_entries([model for model, _ in self.compared], self.snrs, self.domains)

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
                    raise ProblemsError.of(f"report.clips.{kind}", unknown(kind.removesuffix("s"), name, known))
            shown[kind] = wanted
        return [f"{model}/{section}" for model in shown["models"] for section in shown["sections"]]

    def base_run(self, model: str, section: Section) -> Run:
        """A model's run on a section with its configured settings and the first seed. Raises UserError without one."""
        (variant,) = self.variants_of(model=model)
        return Run(variant, self.seeds[0], section)

    def variant(self, model: str, name: str) -> Variant:
        """A configured variant, or one that is only named by a typed path. Raises UserError where it cannot be read."""
        if (model, name) not in self._by_name:
            declared = model_declaration(model).settings
            values = parse_slug(name, {**feature_declarations(), **declared})
            settings, features = {key: values[key] for key in declared}, resolve_features(values)
            faults = [
                *check_feature_settings(features),
                *check_model_settings(model, settings, frame_values(features)),
            ]
            if faults:
                raise UserError(f"variant {name!r} of {model}: {'; '.join(faults)}")
            made = variant_of(model, settings, features)
            if made.name != name:
                raise UserError(f"variant {name!r} is written {made.name!r}: without settings of another extractor")
            self._by_name[model, name] = made
        return self._by_name[model, name]

    def features_file(self, variant: Variant, section: Section) -> str:
        """Where the features that a variant reads are kept."""
        return f"{self.features_root}/{variant.features_name}/{section}.parquet"

    def model_file(self, model: str) -> str:
        """Name of a model's file."""
        return MODEL_FILES[model_declaration(model).base]

    def models_by_file(self) -> tuple[str, str]:
        """Regular expressions that match the networks' names and the classical models'."""
        networks = "|".join(name for name in model_names() if model_declaration(name).base == "network")
        return networks, "|".join(name for name in model_names() if model_declaration(name).base != "network")

    def features_settings(self, features_name: str) -> Mapping[str, Any]:
        """All feature settings behind the name of a features' folder. Raises UserError where it cannot be read."""
        known = {variant.features_name: variant.features for variant in self._by_name.values()}
        if features_name in known:
            return known[features_name]
        settings = resolve_features(parse_slug(features_name, feature_declarations()))
        if (right := slug(settings, feature_declarations())) != features_name:
            raise UserError(f"features {features_name!r} are written {right!r}: without settings of another extractor")
        return settings

    def checkpoint_folder(self, features: Mapping[str, Any]) -> str | None:
        """Folder of the pretrained network whose embeddings the features are; None where they need none.

        Raises UserError where the configuration names no folder that holds it.
        """
        name = features.get("checkpoint")
        if name is not None and name not in self._checkpoint_folders:
            raise UserError(
                f"no folder that the configuration names holds the checkpoint {name}; "
                "set features.checkpoint to the folder that holds it"
            )
        return None if name is None else self._checkpoint_folders[name]

    def _sections_at_hand(self, train_per: str) -> list[Section]:
        """The sections on which a model may be trained: of a scope the dataset's, configured or not."""
        if train_per not in self._at_hand:
            config = {**self.config["dataset"], **dict.fromkeys(SHARED_OVER[train_per], "all")}
            self._at_hand[train_per] = open_source(config).sections()
        return self._at_hand[train_per]

    def sections_of_scope(self, variant: Variant, scope: str) -> list[Section]:
        """The sections whose training clips a variant's model sees, by their paths. scope: a section's path, or of what
        is shared. Raises UserError where the variant is trained on something else.
        """
        if scope.count("/") + 1 != SCOPES[variant.train_per]:
            like = next((section.scope(variant.train_per) for section in self.sections), "")
            raise UserError(
                f"{scope}: {variant.model} ({variant.name}) is trained per {variant.train_per}, so its models lie in "
                f"folders such as {like}"
            )
        if variant.train_per == "section":
            return [Section.parse(scope)]
        return in_scope(self._sections_at_hand(variant.train_per), variant.train_per, scope)

    def trained_on(self, variants: Iterable[Variant]) -> list[Section]:
        """Every section that the configured runs of any of the variants are trained on, configured or not."""
        needed = {*self.sections}
        for train_per in {variant.train_per for variant in variants} - {"section"}:
            for scope in {section.scope(train_per) for section in self.sections}:
                needed.update(in_scope(self._sections_at_hand(train_per), train_per, scope))
        return sorted(needed)

    def listed(self, section: Section) -> str:
        """Fingerprint of a section's recordings as they are listed: names, sizes, stamps.

        Where `check_dataset --content` saw that the recordings hold the same as those of an earlier listing, of which
        there are results, it is that listing's.
        """
        if section not in self._listed:  # a hash over its recordings, which every run of the section asks for
            own = self.source.fingerprint(section)
            self._listed[section] = self._same_recordings.get(own, own)
        return self._listed[section]

    @cached_property
    def _same_recordings(self) -> Mapping[str, str]:
        return read_same_recordings(self.features_root)

    def shared_config(self) -> dict[str, Any]:
        """The configuration as it may be passed on: nothing of where files lie on this machine."""
        places = ("paths", "compute", "external_scores")
        dataset = {key: value for key, value in self.config["dataset"].items() if key not in ("root", "zenodo")}
        return {**{key: value for key, value in self.config.items() if key not in places}, "dataset": dataset}
