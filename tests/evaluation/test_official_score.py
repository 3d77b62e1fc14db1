"""The official scores of DCASE task 2: published values, definitions, intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hmean
from sklearn.metrics import roc_auc_score

from mimii.data.sections import AVERAGE, dcase_year
from mimii.evaluation.official_averages import official_averages, resample
from mimii.evaluation.official_score import (
    SCORE,
    SectionClips,
    mean_of,
    official_score,
    part_values,
    parts_of,
)

# Evaluation data of 2024, the organisers' baseline: AUC source, AUC target, pAUC of its machine types; the score.
PUBLISHED = {
    "mean squared error": (
        [0.7912, 0.65, 0.6916, 0.7658, 0.8602, 0.6224, 0.7504, 0.6596, 0.707],
        [0.4796, 0.4824, 0.5374, 0.5266, 0.4388, 0.4598, 0.6948, 0.4152, 0.6352],
        [0.4942105, 0.5547368, 0.5010526, 0.5, 0.5021053, 0.5163158, 0.5273684, 0.5115789, 0.5557895],
        0.565083,
    ),
    "selective Mahalanobis": (
        [0.7544, 0.661, 0.5684, 0.6794, 0.8388, 0.606, 0.6556, 0.5834, 0.8032],
        [0.424, 0.555, 0.555, 0.4464, 0.464, 0.5898, 0.579, 0.425, 0.7338],
        [0.5084211, 0.6078947, 0.4926316, 0.4921053, 0.58, 0.5510526, 0.4836842, 0.5178947, 0.5905263],
        0.564893,
    ),
}


@pytest.mark.parametrize("baseline", PUBLISHED)
def test_the_score_of_published_values_is_the_published_one(baseline):
    source, target, pauc, score = PUBLISHED[baseline]
    sections = {
        (f"type {number}", "section_00"): {"auc_source": values[0], "auc_target": values[1], "pauc": values[2]}
        for number, values in enumerate(zip(source, target, pauc, strict=True))
    }
    assert float(official_score(2024, sections)) == pytest.approx(score, abs=5e-7)


def test_the_score_of_2020_averages_ids_then_types():
    sections = {
        ("fan", "id_00"): {"auc": 0.9, "pauc": 0.7},
        ("fan", "id_02"): {"auc": 0.7, "pauc": 0.5},
        ("pump", "id_00"): {"auc": 0.6, "pauc": 0.6},
    }
    assert float(official_score(2020, sections)) == pytest.approx((0.7 + 0.6) / 2)


def test_a_value_of_zero_is_floored():
    assert 0 < float(mean_of(2022, [0.0, 1.0])) < 1e-15
    assert float(mean_of(2020, [0.0, 1.0])) == 0.5


def clips(seed=0, normal=20, abnormal=15, seeds=1):
    """A section whose domains have clips of both labels, and (seeds, clips) scores of it."""
    rng = np.random.default_rng(seed)
    label = np.repeat([False, False, True, True], [normal, normal, abnormal, abnormal])
    domains = np.array(["source"] * normal + ["target"] * normal + ["source"] * abnormal + ["target"] * abnormal)
    scores = rng.normal(size=(seeds, len(label))) + label + 0.5 * (domains == "target")
    return SectionClips("fan", f"section_{seed:02d}", label, domains), scores


def table_of(year, sections, samples=100):
    """`official_averages` of (clips, scores) of each section."""
    return official_averages(resample(year, sections, range(len(sections[0][1])), samples))


def once(section):
    return np.ones((1, len(section.abnormal)), dtype=np.int64)


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_parts_are_what_the_papers_define(seed):
    own, (scores,) = clips(seed)
    source, target = own.domains == "source", own.domains == "target"

    def sklearn(kept, **options):
        return roc_auc_score(own.abnormal[kept], scores[kept], **options)

    everything = np.ones(len(scores), dtype=bool)
    expected = {
        2020: {"auc": sklearn(everything), "pauc": sklearn(everything, max_fpr=0.1)},
        2021: {
            "auc_source": sklearn(source),
            "auc_target": sklearn(target),
            "pauc_source": sklearn(source, max_fpr=0.1),
            "pauc_target": sklearn(target, max_fpr=0.1),
        },
        2022: {
            "auc_source": sklearn(source | own.abnormal),
            "auc_target": sklearn(target | own.abnormal),
            "pauc": sklearn(everything, max_fpr=0.1),
        },
    }
    for year, wanted in expected.items():
        values = part_values(year, own, scores, once(own))
        assert {name: float(value[0]) for name, value in values.items()} == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("lacks", "missing"),
    [
        ("normal clips", {2020: set(), 2021: {"auc_target", "pauc_target"}, 2022: {"auc_target"}}),
        ("abnormal clips", {2020: set(), 2021: {"auc_target", "pauc_target"}, 2022: set()}),
        ("any clips", {2020: set(), 2021: {"auc_target", "pauc_target"}, 2022: {"auc_target"}}),
    ],
)
def test_what_a_domain_lacks_is_missing_in_its_own_values_and_in_every_mean_of_them(lacks, missing):
    whole, scores = clips()
    target = whole.domains == "target"
    kept = ~target | {"normal clips": whole.abnormal, "abnormal clips": ~whole.abnormal, "any clips": ~target}[lacks]
    part = SectionClips("fan", "section_00", whole.abnormal[kept], whole.domains[kept])
    other, other_scores = clips(1)
    for year, names in missing.items():
        table = table_of(year, [(part, scores[:, kept]), (other, other_scores)])
        values = table.set_index(["machine_id", "metric"])[["value", "low", "high"]].groupby(level=[0, 1]).first()
        for id in ("section_00", AVERAGE):
            lost = {name for name in values.loc[id].index if values.loc[id, name].isna().any()}
            assert lost == names | ({SCORE} if names else set())
        assert values.loc["section_01"].notna().all(axis=None)


@pytest.mark.parametrize("year", [2020, 2021, 2022, 2026])
def test_scores_stand_for_sections_types_and_all(year):
    sections = [clips(1, seeds=2), clips(2, seeds=2)]
    table = table_of(year, sections).set_index(["machine_type", "machine_id", "metric"])
    assert set(table.index.unique("metric")) == {SCORE, *(part.name for part in parts_of(year))}
    assert {key[:2] for key in table.index} == {
        (AVERAGE, AVERAGE),
        ("fan", AVERAGE),
        ("fan", "section_01"),
        ("fan", "section_02"),
    }
    assert (table["low"] < table["value"]).all()
    assert (table["value"] < table["high"]).all()
    per_seed = [
        float(
            official_score(
                year,
                {(own.machine, own.id): part_values(year, own, scores[seed], once(own)) for own, scores in sections},
            )[0]
        )
        for seed in range(2)
    ]
    assert table.loc[(AVERAGE, AVERAGE, SCORE), "value"] == pytest.approx(np.mean(per_seed))
    if year >= 2022:
        parts = table.loc[("fan", "section_01")].drop(SCORE)
        own, scores = sections[0]
        one = table_of(year, [(own, scores[:1])])
        values = one[(one["machine_id"] == "section_01")].set_index("metric")["value"]
        assert values[SCORE] == pytest.approx(hmean(values.drop(SCORE)))
        assert len(parts) == 3


def test_seeds_that_differ_widen_the_interval_and_equal_ones_do_not():
    own, one = clips(3)
    width = {}
    for name, scores in (("one", one), ("alike", np.repeat(one, 4, axis=0)), ("apart", np.vstack([one, -one]))):
        row = table_of(2022, [(own, scores)], samples=400).iloc[0]
        width[name] = row["high"] - row["low"]
    assert width["one"] == pytest.approx(width["alike"])
    assert width["apart"] > 1.3 * width["one"]


def test_models_meet_the_same_resamples():
    tables = [table_of(2022, [clips(4)]) for _ in range(2)]
    assert tables[0].equals(tables[1])


def test_a_resample_keeps_each_label_of_each_domain():
    own, _ = clips(5, normal=7, abnormal=4)
    counts = own.resamples(50)
    for domain in ("source", "target"):
        for abnormal, number in ((False, 7), (True, 4)):
            assert set(counts[:, (own.domains == domain) & (own.abnormal == abnormal)].sum(axis=1)) == {number}


def test_the_year_stands_in_the_place_of_the_snr():
    assert [dcase_year(name) for name in ("dcase2020", "dcase2026", "6dB", "dcase", "xdcase2020")] == [
        2020,
        2026,
        None,
        None,
        None,
    ]
