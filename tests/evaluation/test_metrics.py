import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

from mimii.evaluation import intervals, metrics, thresholds


@st.composite
def labelled_scores(draw):
    """Both classes present, many ties."""
    labels = draw(st.lists(st.booleans(), min_size=2, max_size=60).filter(lambda x: any(x) and not all(x)))
    grain = draw(st.sampled_from([1, 4, 1000]))
    scores = draw(st.lists(st.integers(-3 * grain, 3 * grain), min_size=len(labels), max_size=len(labels)))
    return np.array(labels), np.array(scores) / grain


@given(labelled_scores(), st.sampled_from([0.05, 0.1, 0.3, 0.5, 0.999]))
def test_equal_to_scikit_learn(data, max_fpr):
    abnormal, scores = data
    found = metrics.point_values(abnormal, scores, max_fpr=max_fpr)
    assert found["auc"] == pytest.approx(roc_auc_score(abnormal, scores), abs=1e-12)
    assert found["pr_auc"] == pytest.approx(average_precision_score(abnormal, scores), abs=1e-12)
    assert found["pauc"] == pytest.approx(roc_auc_score(abnormal, scores, max_fpr=max_fpr), abs=1e-12)


@given(labelled_scores(), st.sampled_from([-5.0, -0.5, 0.0, 0.25, 2.0, 5.0]))
def test_rates_at_a_threshold_are_scikit_learn_s(data, threshold):
    abnormal, scores = data
    found = metrics.point_values(abnormal, scores, threshold=threshold)
    flagged = scores > threshold
    assert found["detection_rate"] == recall_score(abnormal, flagged)
    assert found["false_alarm_rate"] == flagged[~abnormal].mean()
    assert found["f1"] == pytest.approx(f1_score(abnormal, flagged))
    expected = precision_score(abnormal, flagged, zero_division=np.nan)
    assert found["precision"] == pytest.approx(expected, nan_ok=True)


def test_a_metric_of_a_threshold_is_missing_without_one():
    found = metrics.point_values(np.array([False, True]), np.array([0.0, 1.0]))
    assert all(np.isnan(found[name]) == one.needs_threshold for name, one in metrics.METRICS.items())


@given(labelled_scores())
def test_every_metric_stays_in_its_range(data):
    abnormal, scores = data
    for name, value in metrics.point_values(abnormal, scores, threshold=0.5).items():
        assert np.isnan(value) or metrics.METRICS[name].minimum <= value <= metrics.METRICS[name].maximum


@settings(max_examples=40)  # of three resamples each
@given(labelled_scores(), st.integers(0, 2**32 - 1))
def test_weights_mean_repeated_clips(data, seed):
    abnormal, scores = data
    counts = intervals.resample_counts(abnormal, 3, np.random.default_rng(seed))
    weighted = metrics.metric_values(metrics.curves_of(abnormal, scores, counts, max_fpr=0.2))
    for number, count in enumerate(counts):
        labels, repeated = np.repeat(abnormal, count), np.repeat(scores, count)
        assert weighted["auc"][number] == pytest.approx(roc_auc_score(labels, repeated), abs=1e-12)
        assert weighted["pr_auc"][number] == pytest.approx(average_precision_score(labels, repeated), abs=1e-12)
        assert weighted["pauc"][number] == pytest.approx(roc_auc_score(labels, repeated, max_fpr=0.2), abs=1e-12)


@given(labelled_scores(), st.integers(1, 20))
def test_resamples_keep_the_class_counts(data, samples):
    abnormal, _ = data
    counts = intervals.resample_counts(abnormal, samples, np.random.default_rng(0))
    assert (counts[:, abnormal].sum(axis=1) == abnormal.sum()).all()
    assert (counts[:, ~abnormal].sum(axis=1) == (~abnormal).sum()).all()


def test_a_perfect_and_a_useless_detector():
    abnormal = np.array([False] * 50 + [True] * 50)
    perfect, useless = np.arange(100.0), np.ones(100)
    best, worst = (metrics.point_values(abnormal, scores) for scores in (perfect, useless))
    assert best["auc"] == best["pr_auc"] == best["pauc"] == 1
    assert worst["auc"] == worst["pr_auc"] == 0.5
    assert worst["pauc"] == pytest.approx(0.5)


def test_bootstrap_repeats_itself_and_its_length_does_not_change_its_beginning():
    rng = np.random.default_rng(3)
    abnormal, scores = np.arange(100) >= 50, rng.normal(size=100)
    first, second = (intervals.bootstrap(abnormal, scores, samples=300) for _ in range(2))
    np.testing.assert_array_equal(first["auc"], second["auc"])
    longer = intervals.bootstrap(abnormal, scores, samples=500)
    np.testing.assert_array_equal(first["auc"], longer["auc"][:300])


def test_interval_is_as_wide_as_theory_says():
    """Hanley & McNeil's standard error of an AUC, on a fan's 407 + 407 clips."""
    rng = np.random.default_rng(0)
    abnormal = np.arange(814) >= 407
    scores = rng.normal(size=814) + 0.74 * abnormal  # AUC of .70
    value = metrics.point_values(abnormal, scores)["auc"]
    low, high = intervals.percentile_interval(intervals.bootstrap(abnormal, scores, samples=2000)["auc"])
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    error = np.sqrt((value * (1 - value) + 406 * (q1 - value**2) + 406 * (q2 - value**2)) / 407**2)
    assert low < value < high
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.08)


@given(st.floats(0.3, 200), st.floats(1e-3, 1e3), st.floats(0, 100), st.integers(5, 200), st.integers(0, 2**32 - 1))
def test_gamma_fit_is_the_maximum_of_the_likelihood(shape, scale, offset, count, seed):
    values = (np.random.default_rng(seed).gamma(shape, size=count) + offset) * scale + 1e-9
    found_shape, found_scale = thresholds.fit_gamma(values)
    expected_shape, _, expected_scale = stats.gamma.fit(values, floc=0)
    assert found_shape == pytest.approx(expected_shape, rel=1e-5)
    assert found_scale == pytest.approx(expected_scale, rel=1e-5)
    threshold = thresholds.threshold_from_normal(values, 0.9)
    assert threshold.method == "gamma"
    assert threshold.value == pytest.approx(stats.gamma.ppf(0.9, expected_shape, scale=expected_scale), rel=1e-5)


@pytest.mark.parametrize(
    "scores", [np.array([-1.0, 0.5, 2.0]), np.array([0.0, 1.0]), np.full(5, 3.0), np.array([7.0])], ids=str
)
def test_threshold_is_the_empirical_quantile_where_a_gamma_does_not_fit(scores):
    threshold = thresholds.threshold_from_normal(scores, 0.9)
    assert threshold == thresholds.Threshold(float(np.quantile(scores, 0.9)), "empirical")


def test_no_threshold_without_held_out_clips():
    assert thresholds.threshold_from_normal(np.array([])) is None


def test_conformal_threshold_is_an_order_statistic():
    scores = np.arange(1.0, 20.0)[::-1]
    assert thresholds.conformal_threshold(scores, 0.9) == 18
    assert thresholds.conformal_threshold(scores[:9], 0.9) == scores[0]
    assert thresholds.conformal_threshold(scores[:8], 0.9) is None
    assert thresholds.conformal_threshold(scores[:0], 0.9) is None


def test_conformal_threshold_keeps_its_rate_whatever_the_distribution():
    rng = np.random.default_rng(0)
    for draw in (rng.normal, rng.standard_cauchy, lambda size: rng.exponential(size=size) ** 3):
        rates = [(draw(size=1000) > thresholds.conformal_threshold(draw(size=29), 0.9)).mean() for _ in range(400)]
        assert np.mean(rates) == pytest.approx(0.1, abs=0.012)


def test_perfect_scores_have_a_lower_bound():
    for name, metric in metrics.metrics_in("csv").items():
        low, high = intervals.section_interval(metric, 1.0, np.ones(100), normal=50, abnormal=20)
        assert high == 1
        assert metric.minimum < low < 1, name
        surer, _ = intervals.section_interval(metric, 1.0, np.ones(100), normal=500, abnormal=200)
        assert low < surer < 1
    # 1 - .025^(1/20) of the abnormal clips may score as the normal ones do, and count half.
    auc = metrics.METRICS["auc"]
    assert intervals.bound_of_perfection(auc, 50, 20) == pytest.approx(1 - (1 - 0.025 ** (1 / 20)) / 2)


@given(labelled_scores())
def test_interval_holds_the_value_and_stays_in_the_range(data):
    abnormal, scores = data
    found, resampled = metrics.point_values(abnormal, scores), intervals.bootstrap(abnormal, scores, samples=30)
    for name, metric in metrics.metrics_in("csv").items():
        counts = {"normal": int((~abnormal).sum()), "abnormal": int(abnormal.sum())}
        low, high = intervals.section_interval(metric, found[name], resampled[name], **counts)
        assert metric.minimum <= low <= metric.maximum
        assert metric.minimum <= high <= metric.maximum
        assert low <= high


def test_import_stays_light():
    heavy = "torch", "sklearn", "pandas", "scipy.stats", "librosa", "matplotlib"
    code = f"import sys, mimii.evaluation.metrics; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
