"""A plan says why each group of runs is due: Snakemake's sentences, followed back to what was changed."""

import json

import pytest

from mimii.launch.jobs import Job
from mimii.launch.reasons import describe_causes

SECTION = "6dB/fan/id_00"


def params(before, now):
    """The sentence on parameters that differ, as Snakemake writes it."""
    texts = [repr(json.dumps(value, sort_keys=True, separators=(",", ":"))) for value in (before, now)]
    return (
        "Params have changed since last execution: Union of exclusive params before and now across all output: "
        f"before: {texts[0]} now: {texts[1]} "
    )


def missing(*files):
    return f"Missing output files: {', '.join(files)}"


def follows(*files):
    return f"Input files updated by another job: {', '.join(files)}"


def path(model, variant="default", section=SECTION):
    return f"results/runs/{model}/{variant}/seed=42/{section}"


def run_jobs(model, training=None, scoring=None, metrics=None, variant="default", section=SECTION):
    """The jobs of a run that have a reason; those after the first follow from it."""
    wildcards = {"model": model, "variant": variant, "seed": "42", "section": section}
    folder = path(model, variant, section)
    files = {"train_model": "model.pth", "score_clips": "scores.parquet", "compute_metrics": "metrics.json"}
    jobs, before = [], None
    for (rule, name), reason in zip(files.items(), (training, scoring, metrics), strict=True):
        reason = reason or (follows(before) if before else None)
        if reason:
            jobs.append(Job(rule, wildcards, outputs=[f"{folder}/{name}"], reason=reason))
            before = f"{folder}/{name}"
    return jobs


def features(reason, section=SECTION):
    wildcards = {"features": "default", "section": section}
    return Job("extract_features", wildcards, outputs=[f"results/features/default/{section}.parquet"], reason=reason)


FEATURES = f"results/features/default/{SECTION}.parquet"


@pytest.mark.parametrize(
    ("planned", "line"),
    [
        (run_jobs("vae", missing("model.pth"), missing("scores.parquet")), "  1 new: vae"),
        ([features(missing(FEATURES)), *run_jobs("vae", f"{missing('m')}; {follows(FEATURES)}")], "  1 new: vae"),
        (run_jobs("vae", params({"code": "a"}, {"code": "b"})), "  1 because code of training vae changed: vae"),
        (
            run_jobs("vae", None, params({"code": "a"}, {"code": "b"})),
            "  1 because code of scoring with vae changed: vae",
        ),
        (run_jobs("vae", metrics=params({"code": 1}, {"code": 2})), "  1 because code of the metrics changed: vae"),
        (
            [features(params({"code": "a"}, {"code": "b"})), *run_jobs("vae", follows(FEATURES))],
            "  1 because code of the features changed: vae",
        ),
        (
            run_jobs("vae", metrics=params({"metrics": {"max_fpr": 0.1}}, {"metrics": {"max_fpr": 0.2}})),
            "  1 because settings changed (metrics.max_fpr): vae",
        ),
        (
            [
                features(params({"on_bad_clip": "error"}, {"on_bad_clip": "skip"})),
                *run_jobs("vae", follows(FEATURES)),
            ],
            "  1 because settings changed (on_bad_clip): vae",
        ),
        (
            [features(params({"listed": "a"}, {"listed": "b"})), *run_jobs("vae", follows(FEATURES))],
            f"  1 because recordings changed: {SECTION}",
        ),
        (
            run_jobs("vae", params({"recordings": {"x": "a"}}, {"recordings": {"x": "b"}})),
            f"  1 because recordings changed: {SECTION}",
        ),
        (run_jobs("vae", "Forced execution"), "  1 because forced (--retrain, --forcerun): vae"),
        (
            run_jobs("vae", f"{missing('model.pth')}; Incomplete output files: model.pth"),
            "  1 because an earlier start was cut off: vae",
        ),
        (
            run_jobs("vae", missing("model.pth"), params({"scoring": {"top_k": 5}}, {"scoring": {"top_k": 7}})),
            "  1 because settings changed (scoring.top_k): vae",
        ),
        (
            run_jobs("vae", "Code has changed since last execution"),
            "  1 because rule train_model changed: vae",
        ),
        (
            [Job("merge_results", reason=params({"seeds": [1]}, {"seeds": [1, 2]}))],
            "  merge_results: another choice of seeds",
        ),
        (
            [Job("merge_results", reason=params({"sections": [1], "recordings": {"a": 1}}, {"sections": []}))],
            "  merge_results: another choice of sections",
        ),
        (run_jobs("vae", None, f"{missing('scores.parquet')}; Updated input files: model.pth"), "  1 new: vae"),
        ([Job("merge_results", reason=missing("results.csv"))], "  merge_results: not there"),
    ],
)
def test_each_reason(tmp_path, planned, line):
    assert describe_causes(planned, tmp_path) == [line]


def test_what_all_variants_share_is_not_said_of_each(tmp_path):
    of = {"vae": "beta=2,n_mels=32", "pca": "n_mels=32"}
    planned = [job for model, variant in of.items() for job in run_jobs(model, missing("m"), variant=variant)]
    assert describe_causes(planned, tmp_path, {"n_mels=32"}) == ["  2 new: pca, vae (beta=2)"]


def test_new_settings_of_a_model_that_has_run(tmp_path):
    (tmp_path / "vae" / "default" / "seed=42" / SECTION).mkdir(parents=True)
    (tmp_path / "vae" / "default" / "seed=42" / SECTION / "metrics.json").touch()
    planned = [*run_jobs("vae", missing("m"), variant="beta=0.1"), *run_jobs("pca", missing("m"))]
    assert describe_causes(planned, tmp_path) == [
        "  1 with settings that have not run yet: vae (beta=0.1)",
        "  1 new: pca",
    ]


def test_runs_are_grouped_by_cause_and_many_are_counted(tmp_path):
    sections = [f"6dB/fan/id_{number:02}" for number in range(5)]
    planned = [job for section in sections for job in run_jobs("vae", missing("m"), section=section)]
    planned += [
        job
        for section in sections
        for job in run_jobs("pca", params({"recordings": "a"}, {"recordings": "b"}), section=section)
    ]
    assert describe_causes(planned, tmp_path) == ["  5 because recordings changed: 5 sections", "  5 new: vae"]


def test_quotes_in_settings_do_not_matter(tmp_path):
    reason = params({"metrics": {"name": "it's"}}, {"metrics": {"name": 'a "b" now: c'}})
    assert describe_causes(run_jobs("vae", metrics=reason), tmp_path) == [
        "  1 because settings changed (metrics.name): vae"
    ]
