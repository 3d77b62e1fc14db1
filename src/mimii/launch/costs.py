"""What jobs cost before any of their kind has run: CPU seconds, by those of one machine (planning/costs.yaml) and by
how much faster or slower this one is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mimii.common.declarations import resolve
from mimii.data.sections import Section
from mimii.data.split import fit_count
from mimii.detectors.declaration import model_declaration
from mimii.features.settings import frame_count, frame_step, frame_values, resolve_features
from mimii.launch.extent import Extent, extent_of
from mimii.launch.jobs import Job
from mimii.planning.plan import Plan
from mimii.planning.resources import reference_costs
from mimii.planning.variants import runs_of, seeds_of
from mimii.runs.run import Variant

# Of what was measured, and of clips whose length is not known.
CLIP_SECONDS = 10
BOOTSTRAP_SAMPLES = 1000
BYTES = 4  # of a value of the features
OTHER_JOBS = {
    "download_archive": "downloads",
    "extract_embeddings": "embeddings (a network of AST's size takes 2.7 s a clip of 10 s on one core)",
    "remove_archive": "downloads",
    "import_scores": "external scores",
    "combine_scores": "ensembles",
}
RESULTS = "CSV, tables, figures and page"


@dataclass(frozen=True)
class Estimate:
    """What jobs cost together.

    seconds: of CPU time, by part, such as `training vae`. longest: of the longest job. features_mb: of those that are
    to be made (10^6 bytes). uncounted: what is not in it. assumed: whether a clip's length was not known.
    """

    seconds: Mapping[str, float]
    longest: float
    features_mb: float
    uncounted: list[str]
    assumed: bool

    @property
    def total(self) -> float:
        """CPU seconds of all that is counted."""
        return sum(self.seconds.values())


class UncountedError(Exception):
    """A job whose cost is not known; says what it is, for a person."""


class Estimator:
    """Estimates for one configuration, on a machine of some speed."""

    def __init__(self, plan: Plan, speed: Mapping[str, float] | None = None) -> None:
        """speed: CPU seconds of the workloads there (`speed.measured_speed`); None: those of the reference machine.

        Recordings are listed in the working directory, the workflow's folder.
        """
        self.plan = plan
        reference = reference_costs()["speed"]
        self._slower = {name: (speed or reference)[name] / reference[name] for name in reference}
        self._extents: dict[Section, Extent | None] = {}
        self._sizes: dict[tuple[str, str], float] = {}

    def estimate(self, jobs: Iterable[Job]) -> Estimate:
        """What jobs cost together."""
        seconds: dict[str, float] = {}
        uncounted: dict[str, None] = {}
        longest = features_mb = 0.0
        for job in jobs:
            try:
                part, cost = self._cost(job)
                if job.rule == "extract_features":
                    features_mb += self._features_mb(job)
            except UncountedError as what:
                uncounted[str(what)] = None
                continue
            seconds[part] = seconds.get(part, 0.0) + cost
            longest = max(longest, cost)
        assumed = any(extent.seconds is None for extent in self._extents.values() if extent)
        return Estimate(seconds, longest, features_mb, list(uncounted), assumed)

    def _cost(self, job: Job) -> tuple[str, float]:
        """Part and CPU seconds of a job. Raises UncountedError."""
        named = job.wildcards
        if job.rule in ("train_model", "train_classical_model"):
            return f"training {named['model']}", self._training(named)
        if job.rule == "score_clips":
            return "scoring", self._scoring(named)
        if job.rule in ("compute_metrics", "compute_external_metrics", "compute_ensemble_metrics"):
            return "metrics", self._metrics(named)
        if job.rule == "extract_features":
            return "features", self._features(named)
        if job.rule == "make_demo_dataset":
            return "recordings", self._of_all("recordings", named)
        raise UncountedError(OTHER_JOBS.get(job.rule, RESULTS))

    def _training(self, named: Mapping[str, str]) -> float:
        variant = self.plan.variant(named["model"], named["variant"])
        share = variant.settings["val_split"]
        sections = self.plan.sections_of_scope(variant, named["scope"])
        clips = sum(fit_count(self._extent(one).train, share) * self._length(one) for one in sections)
        costs = _of_model(variant.model)["training"]
        return self._seconds(costs, clips * self._size(variant), epochs=variant.settings.get("epochs", 0))

    def _scoring(self, named: Mapping[str, str]) -> float:
        variant, section = self.plan.variant(named["model"], named["variant"]), Section.parse(named["section"])
        extent = self._extent(section)
        held_out = extent.train - fit_count(extent.train, variant.settings["val_split"])
        clips = (extent.test + held_out) * self._length(section)
        return self._seconds(_of_model(variant.model)["scoring"], clips * self._size(variant))

    def _metrics(self, named: Mapping[str, str]) -> float:
        share = self.plan.config["metrics"]["bootstrap_samples"] / BOOTSTRAP_SAMPLES
        clips = self._extent(Section.parse(named["section"])).test * share
        return self._seconds(reference_costs()["jobs"]["metrics"], clips, work="transforms")

    def _features(self, named: Mapping[str, str]) -> float:
        settings, usual = self.plan.features_settings(named["features"]), resolve_features()
        transformed, usually = (own["n_fft"] / frame_step(own) for own in (settings, usual))
        return self._of_all("features", named, transformed / usually)

    def _of_all(self, kind: str, named: Mapping[str, str], share: float = 1) -> float:
        """CPU seconds of a job that makes something of all clips of a section."""
        section = Section.parse(named["section"])
        extent = self._extent(section)
        clips = (extent.train + extent.test) * self._length(section)
        return self._seconds(reference_costs()["jobs"][kind], clips * share, work="transforms")

    def _features_mb(self, job: Job) -> float:
        settings, extent = (
            self.plan.features_settings(job.wildcards["features"]),
            self._extent(Section.parse(job.wildcards["section"])),
        )
        rate = settings["sample_rate"]
        frames = frame_count(settings, round((extent.seconds or CLIP_SECONDS) * rate), rate)
        return (extent.train + extent.test) * frames * settings["n_mels"] * BYTES / 1e6

    def _seconds(self, costs: Mapping[str, float], clips: float, *, epochs: int = 0, work: str = "products") -> float:
        """clips: as many clips of CLIP_SECONDS. work: the workload that is like what is done to a clip."""
        each = costs["clip"] + epochs * costs.get("epoch", 0.0)
        return costs["job"] * self._slower["interpreter"] + clips * each * self._slower[work]

    def _extent(self, section: Section) -> Extent:
        """Raises UncountedError where nothing is known of a section."""
        if section not in self._extents:
            self._extents[section] = extent_of(self.plan.source, section)
        extent = self._extents[section]
        if extent is None:
            raise UncountedError("sections whose recordings are not here yet")
        return extent

    def _length(self, section: Section) -> float:
        """Length of a section's clips, in clips of CLIP_SECONDS."""
        return (self._extent(section).seconds or CLIP_SECONDS) / CLIP_SECONDS

    def _size(self, variant: Variant) -> float:
        """How much a model sees of a clip, relative to what it sees with the defaults. Raises UncountedError."""
        key = variant.model, variant.name
        if key not in self._sizes:
            if frame_values(variant.features) is None:
                raise UncountedError(f"{variant.model} on embeddings")
            usual = resolve(model_declaration(variant.model).settings)
            seen = _values(variant.settings, variant.features)
            self._sizes[key] = seen / _values(usual, resolve_features())
        return self._sizes[key]


def _values(settings: Mapping[str, Any], features: Mapping[str, Any]) -> float:
    """Values in all windows of a second."""
    frames, step = settings.get("frames"), settings.get("hop_frames")
    overlap = frames / step if frames and step else 1
    return float(overlap * features["n_mels"] / frame_step(features))


def _of_model(model: str) -> Mapping[str, Mapping[str, float]]:
    """Raises UncountedError where a model has no figures."""
    models: Mapping[str, Mapping[str, Mapping[str, float]]] = reference_costs()["models"]
    if model not in models:
        raise UncountedError(f"{model} (never measured)")
    return models[model]


def jobs_of_a_seed(plan: Plan) -> Iterator[Job]:
    """Jobs of one more seed: training, scores and metrics of all that depends on it."""
    stochastic = [variant for variant in plan.variants if len(seeds_of(variant.model, [0, 1])) > 1]
    trained = set()
    for run in runs_of(stochastic, [0], plan.sections):
        named = {"model": run.variant.model, "variant": run.variant.name, "seed": "0"}
        if run.training_path not in trained:
            trained.add(run.training_path)
            yield Job("train_model", {**named, "scope": run.scope})
        for rule in ("score_clips", "compute_metrics"):
            yield Job(rule, {**named, "section": run.section.path})
