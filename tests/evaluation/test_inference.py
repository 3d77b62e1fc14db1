import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from mimii.common.errors import UserError
from mimii.data.sections import AVERAGE
from mimii.evaluation import inference, intervals, metrics, ranks, resampling, seeds
from mimii.evaluation.compared import CSVS, Statistics, compute_statistics
from mimii.evaluation.results import SECTION_COLUMNS
from mimii.evaluation.variance import variance_components
from mimii.runs.clip_scores import read_clip_scores

SNRS, MACHINES, IDS = ("6dB", "min6dB"), ("fan", "pump"), ("id_00", "id_02")


@pytest.fixture
def benchmark(run_folder, tmp_path):
    """Rows of a small benchmark whose models have the given quality; the scores lie below tmp_path."""

    def make(qualities, seeds=(1, 2), clips=40):
        rows = [
            run_folder(tmp_path, model=model, section=f"{snr}/{machine}/{id}", seed=seed, quality=quality, clips=clips)
            for model, quality in qualities.items()
            for snr in SNRS
            for machine in MACHINES
            for id in IDS
            for seed in seeds
        ]
        return resampling.select_runs(pd.DataFrame(rows), [[model, "default"] for model in qualities])

    return make


def test_means_and_intervals(benchmark, tmp_path):
    frame = benchmark({"vae": 2.0, "deep_ae": 0.5}, seeds=(1, 2, 3))
    resampled = resampling.resample_runs(frame, tmp_path, samples=200)
    table = inference.average_metrics(frame, resampled)
    # 2 models, 3 metrics, (2 SNRs + all) x (2 machine types + all)
    assert len(table) == 2 * 3 * 9
    table = table.set_index(["label", "metric", "db_level", "machine_type"]).sort_index()
    assert ((table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
    vae = frame[frame["model"] == "vae"]
    assert table.loc[("vae", "auc", AVERAGE, AVERAGE), "mean"] == pytest.approx(vae["auc"].mean())  # balanced
    fans = vae[vae["machine_type"] == "fan"].groupby("machine_id")["auc"].mean()
    assert table.loc[("vae", "auc", AVERAGE, "fan"), "machine_deviation"] == pytest.approx(fans.std(ddof=1))
    per_seed = vae.groupby("seed")["auc"].mean()
    assert table.loc[("vae", "auc", AVERAGE, AVERAGE), "seed_deviation"] == pytest.approx(per_seed.std(ddof=1))
    everywhere = table.loc[("vae", "auc")]
    assert everywhere["is_best"].all()
    assert everywhere["is_significantly_best"].all()


def test_one_sections_resamples_are_its_bootstrap(benchmark, tmp_path):
    frame = benchmark({"vae": 1.0}, seeds=(1,))
    resampled = resampling.resample_runs(frame, tmp_path, samples=150)["auc"]
    clips = read_clip_scores(tmp_path / "vae/default/seed=1/6dB/fan/id_00/scores.parquet", "mean")
    seed = [intervals.BOOTSTRAP_SEED, *b"fan/id_00"]
    expected = intervals.bootstrap(clips.abnormal, clips.scores, samples=150, seed=seed)["auc"]
    row = resampled[(resampled["db_level"] == "6dB") & (resampled["machine_id"] == "id_00")].iloc[0]
    np.testing.assert_array_equal(row[list(range(150))].to_numpy(dtype=float), expected)


def test_equal_models_do_not_differ_and_none_is_best(benchmark, tmp_path):
    # The same length of name and the same seed give the same made-up scores.
    frame = benchmark({"aaa": 1.0, "bbb": 1.0})
    resampled = resampling.resample_runs(frame, tmp_path, samples=200)
    comparison = inference.compare_models(frame, resampled)
    assert (comparison[["difference", "low", "high"]] == 0).all(axis=None)
    assert (comparison["p_value"] == 1).all()
    assert not inference.average_metrics(frame, resampled)["is_significantly_best"].any()


def test_pairing_by_clip_narrows_the_interval_of_a_difference(benchmark, tmp_path):
    frame = benchmark({"aaa": 1.0, "bbb": 1.1}, seeds=(1,))  # the same scores but for a small shift
    resampled = resampling.resample_runs(frame, tmp_path, samples=300)
    averages = inference.average_metrics(frame, resampled)
    whole = averages[
        (averages["metric"] == "auc") & (averages["db_level"] == AVERAGE) & (averages["machine_type"] == AVERAGE)
    ]
    comparison = inference.compare_models(frame, resampled)
    difference = comparison[(comparison["metric"] == "auc") & (comparison["db_level"] == AVERAGE)].iloc[0]
    assert difference["high"] - difference["low"] < 0.3 * (whole["high"] - whole["low"]).min()
    assert difference["p_value"] < 0.001
    assert difference["difference"] < 0


def test_p_value_is_that_of_a_z_test():
    resampled = np.random.default_rng(0).normal(0.02, 0.01, size=100_000)
    assert inference.paired_p_value(0.0196, resampled) == pytest.approx(0.05, rel=0.05)
    assert inference.paired_p_value(-0.0196, -resampled) == inference.paired_p_value(0.0196, resampled)
    assert inference.paired_p_value(0.5, np.full(10, 0.5)) == 0


@given(st.lists(st.sampled_from([0.0, 1e-9, 0.004, 0.01, 0.02, 0.3, 1.0]) | st.floats(0, 1), max_size=12))
def test_holms_correction_is_that_of_statsmodels(p_values):
    corrected = inference.correct_by_holm(p_values)
    assert corrected.tolist() == (multipletests(p_values, method="holm")[1].tolist() if p_values else [])


def test_p_values_are_uniform_where_nothing_differs():
    """Two noisy detectors of equal quality on one machine: 5 % of the comparisons are below .05."""
    rng = np.random.default_rng(1)
    abnormal = np.arange(200) >= 100
    below = 0
    for trial in range(300):
        first, second = (rng.normal(size=200) + abnormal for _ in range(2))
        counts = intervals.resample_counts(abnormal, 200, np.random.default_rng(trial))
        values = [metrics.auc(metrics.curves_of(abnormal, scores, counts)) for scores in (first, second)]
        first_auc, second_auc = (metrics.point_values(abnormal, scores)["auc"] for scores in (first, second))
        difference = first_auc - second_auc
        below += inference.paired_p_value(difference, values[0] - values[1]) < 0.05
    assert stats.binomtest(below, 300, 0.05).pvalue > 0.001


def test_runs_on_different_sections_or_clips_are_not_compared(benchmark, run_folder, tmp_path):
    frame = benchmark({"vae": 1.0, "deep_ae": 1.0}, seeds=(1,))
    with pytest.raises(UserError, match=r"not run on the same sections.*min6dB/pump/id_02"):
        resampling.select_runs(frame.iloc[:-1], [["vae", "default"], ["deep_ae", "default"]])
    with pytest.raises(UserError, match="no run of conv_ae"):
        resampling.select_runs(frame, [["conv_ae", "default"]])
    other = run_folder(tmp_path, model="vae", section="6dB/fan/id_00", seed=1, clips=39)
    with pytest.raises(UserError, match="not the scores that its record describes"):
        resampling.resample_runs(frame, tmp_path, samples=10)
    frame.loc[frame["run_path"] == other["run_path"], "scores_sha256"] = other["scores_sha256"]
    with pytest.raises(UserError, match=r"vae/.*6dB/fan/id_00 .* different clips"):
        resampling.resample_runs(frame, tmp_path, samples=10)


def test_snrs_are_averaged_before_machines_become_blocks(benchmark):
    frame = benchmark({"vae": 1.0, "deep_ae": 0.5})
    table = ranks.machine_table(frame, "auc")
    assert table.shape == (4, 2)
    one = frame[(frame["model"] == "vae") & (frame["machine_type"] == "pump") & (frame["machine_id"] == "id_02")]
    assert table.loc[("pump", "id_02"), "vae"] == pytest.approx(one["auc"].mean())


# Four variants of C4.5 on 14 data sets: table 6 of Demšar, JMLR 7 (2006), whose ranks tell the two .975 apart.
DEMSAR = pd.DataFrame(
    {
        "C4.5": [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957],
        "C4.5+m": [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978],
        "C4.5+cf": [0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.000, 0.965, 0.614, 0.9751, 0.946],
        "C4.5+m+cf": [0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.000, 0.962, 0.669, 0.975, 0.970],
    }
)


def test_ranks_and_critical_difference_of_demsars_example():
    found = ranks.rank_tests(DEMSAR)
    assert found["average_ranks"] == pytest.approx(
        {"C4.5": 3.143, "C4.5+m": 2.000, "C4.5+cf": 2.893, "C4.5+m+cf": 1.964}, abs=6e-4
    )
    assert next(iter(found["average_ranks"])) == "C4.5+m+cf"
    assert found["critical_difference"] == pytest.approx(1.25, abs=0.005)
    assert found["p_values"]["nemenyi"]["C4.5"]["C4.5+m+cf"] > 0.05


def test_friedman_on_known_numbers():
    """Without ties: 12 N / (k (k + 1)) * (sum of squared mean ranks - k (k + 1)^2 / 4)."""
    table = pd.DataFrame([[3, 2, 1], [3, 2, 1], [3, 1, 2], [3, 2, 1], [2, 3, 1]], columns=list("abc"), dtype=float)
    found = ranks.rank_tests(table)
    mean_ranks = np.array([6, 10, 14]) / 5
    expected = 12 * 5 / 12 * (np.sum(mean_ranks**2) - 3 * 16 / 4)
    assert found["friedman"]["statistic"] == pytest.approx(expected)
    assert found["friedman"]["p_value"] == pytest.approx(stats.chi2.sf(expected, 2))


def test_wilcoxon_is_corrected_by_holm():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(loc=[0.0, 0.6, 1.5], size=(16, 3)), columns=list("abc"))
    found = ranks.rank_tests(table)["p_values"]["wilcoxon_holm"]
    raw = sorted((stats.wilcoxon(table[x], table[y]).pvalue, x, y) for x, y in ("ab", "ac", "bc"))
    largest = 0.0
    for factor, (p, x, y) in zip((3, 2, 1), raw, strict=True):
        largest = max(largest, min(1, factor * p))
        assert found[x][y] == found[y][x] == pytest.approx(largest)


def test_critical_difference_is_that_of_the_published_table():
    """q(.05) of table 5 in Demšar: 2.343 for 3, 2.569 for 4, 3.164 for 10 models."""
    for models, q in ((2, 1.960), (3, 2.343), (4, 2.569), (10, 3.164)):
        expected = q * np.sqrt(models * (models + 1) / (6 * 16))
        assert ranks.critical_difference(models, 16) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("machines", "models"), [(1, 3), (4, 1), (3, 2)])
def test_too_little_for_a_test_is_said_not_guessed(machines, models):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(machines, models)), columns=list("abc")[:models])
    found = ranks.rank_tests(table)
    assert found["friedman"] is None
    assert (found["critical_difference"] is None) == (machines < 2 or models < 2)


def test_everything_at_once_and_read_back(benchmark, tmp_path):
    frame = benchmark({"vae": 2.0, "deep_ae": 1.0, "conv": 0.2})
    found = compute_statistics(frame, tmp_path)
    assert set(found.ranks) == {"auc", "pr_auc", "pauc"}
    assert all(one["enough_seeds"] == seeds.has_enough_seeds(frame) for one in found.ranks.values())
    assert set(found.comparisons["db_level"]) == {AVERAGE, *SNRS}
    assert (found.comparisons["p_holm"] >= found.comparisons["p_value"]).all()
    assert set(found.variances["label"]) == {"vae", "deep_ae", "conv"}

    found.write(tmp_path / "statistics")
    read = Statistics.read(tmp_path / "statistics")
    for name in CSVS:
        pd.testing.assert_frame_equal(getattr(read, name), getattr(found, name), check_dtype=False)
    assert read.ranks == found.ranks


def test_names_that_look_like_numbers_or_nothing_are_read_back(benchmark, tmp_path):
    frame = benchmark({"vae": 2.0, "deep_ae": 1.0})
    frame["machine_id"] = [name.removeprefix("id_") for name in frame["machine_id"]]
    frame["label"] = frame["label"].replace("vae", "NA")
    found = compute_statistics(frame, tmp_path)
    found.write(tmp_path / "statistics")
    read = Statistics.read(tmp_path / "statistics").section_comparisons
    assert set(read["machine_id"]) == set(frame["machine_id"])
    assert set(read["label"]) == {"NA"}


def test_sections_are_compared_as_the_average_of_one_section_is(benchmark, tmp_path):
    frame = benchmark({"vae": 2.0, "deep_ae": 1.0, "conv": 0.2})
    frame = frame[frame["machine_type"] == MACHINES[0]].assign(bootstrap_samples=100)
    found = compute_statistics(frame, tmp_path).section_comparisons
    assert len(found) == 3 * len(frame.drop_duplicates(SECTION_COLUMNS))
    for pair, rows in found.groupby(["label", "other"]):
        assert rows["p_holm"].tolist() == list(inference.correct_by_holm(rows["p_value"]))
        for row in rows.to_dict("records"):
            section = [row[name] for name in SECTION_COLUMNS]
            alone = frame[(frame[SECTION_COLUMNS] == section).all(axis=1)]
            wanted = compute_statistics(alone.reset_index(drop=True), tmp_path).comparisons
            same = (wanted[["label", "other"]] == list(pair)).all(axis=1) & (wanted["metric"] == "auc")
            wanted = wanted[same & (wanted["db_level"] == AVERAGE)].iloc[0]
            names = ["difference", "low", "high", "p_value"]
            assert [row[name] for name in names] == pytest.approx([wanted[name] for name in names])


def runs_of(values, seeds, *, label="a"):
    """Rows of one section: (seeds, resamples) values."""
    keys = {"label": label, "db_level": "6dB", "machine_type": "fan", "machine_id": "id_00", "seed": list(seeds)}
    return pd.concat([pd.DataFrame(keys), pd.DataFrame(values)], axis=1)


def mean_over_draws(runs):
    return resampling.SeedWeights.of(runs).mean(resampling.resampled_values(runs))


def test_seeds_are_drawn_with_the_clips():
    """The spread over resamples is that of the clips and that of a mean over seeds together."""
    rng = np.random.default_rng(0)
    seeds, clips = rng.normal(0, 0.02, size=5), rng.normal(0, 0.01, size=20_000)
    found = mean_over_draws(runs_of(0.8 + seeds[:, None] + clips, range(5)))
    assert found.var() == pytest.approx(seeds.var(ddof=1) / 5 + clips.var(), rel=0.05)
    alone = mean_over_draws(runs_of(0.8 + clips[None], [42]))
    np.testing.assert_allclose(alone, 0.8 + clips)


def test_degrees_of_freedom_are_those_of_the_seeds_where_these_are_all_of_the_spread():
    seeds = np.array([0.7, 0.8, 0.9])
    only_seeds = np.random.default_rng(0).normal(0, seeds.std(ddof=1) / np.sqrt(3), size=100_000)
    assert inference.seed_freedom(only_seeds, [seeds]) == pytest.approx(2, rel=0.05)
    assert inference.seed_freedom(10 * only_seeds, [seeds]) > 1000
    assert inference.seed_freedom(only_seeds, [seeds[:1]]) == np.inf
    wide, narrow = (intervals.centred_interval(0.8, only_seeds, freedom=freedom) for freedom in (2, np.inf))
    assert (wide[1] - wide[0]) / (narrow[1] - narrow[0]) == pytest.approx(4.303 / 1.96, rel=1e-3)


@pytest.mark.slow
def test_a_difference_between_equal_models_is_significant_in_5_percent_whatever_the_seeds_do():
    """Two models of equal quality whose seeds differ by more than resampling clips shows."""
    rng = np.random.default_rng(0)
    below = 0
    for _ in range(400):
        runs = []
        for label in "ab":
            seeds, clips = rng.normal(0, 0.02, size=(5, 1)), rng.normal(0, 0.01, size=300)
            runs.append(runs_of(0.8 + rng.normal(0, 0.01) + seeds + clips, range(5), label=label).assign(auc=0.0))
            runs[-1]["auc"] = runs[-1][list(range(300))].mean(axis=1)
        rows = pd.concat(runs, ignore_index=True)
        values = resampling.resampled_values(rows.drop(columns="auc"))
        (scope,) = inference.Scope.each(rows, rows[resampling.RUN], {"auc": values})
        below += inference.paired_p_value(*scope.difference(0, 1)) < 0.05
    assert 0.025 < below / 400 < 0.08


def test_nothing_is_claimed_of_a_stochastic_model_with_fewer_than_three_seeds(benchmark, tmp_path, monkeypatch):
    frame = benchmark({"vae": 3.0, "deep_ae": 0.3}, seeds=(1, 2))
    resampled = resampling.resample_runs(frame, tmp_path, samples=100)
    assert not inference.average_metrics(frame, resampled)["is_significantly_best"].any()
    assert not inference.compare_models(frame, resampled)["enough_seeds"].any()
    external = frame.assign(variant="external", seed=None)
    assert all(seeds.has_enough_seeds(external).values())
    monkeypatch.setattr(seeds, "is_stochastic", lambda model: False)
    assert inference.average_metrics(frame, resampled)["is_significantly_best"].any()


def test_iman_davenport_on_demsars_example():
    """Section 3.2.2: chi squared of 9.28 over 14 data sets and 4 classifiers is an F of 3.69."""
    found = ranks.iman_davenport(9.28, 14, 4)
    assert found["f_statistic"] == pytest.approx(3.69, abs=0.01)
    assert found["f_p_value"] == pytest.approx(stats.f.sf(3.69, 3, 39), rel=0.02)
    assert ranks.rank_tests(DEMSAR)["friedman"]["f_p_value"] < 0.05
    assert ranks.iman_davenport(10.0, 5, 3) == {"f_statistic": None, "f_p_value": 0.0}


def test_variance_is_split_into_seed_clip_id_and_machine_type():
    """Known components, many levels of each: they are found again."""
    rng = np.random.default_rng(0)
    truth = {"seed": 0.01, "clip": 0.02, "machine_id": 0.04, "machine_type": 0.06}
    rows = []
    for machine_type in range(60):
        type_effect = rng.normal(0, truth["machine_type"])
        for machine_id in range(10):
            effect = type_effect + rng.normal(0, truth["machine_id"])
            # The clips that are there, for all seeds the same, and their resamples.
            there, resamples = rng.normal(0, truth["clip"]), rng.normal(0, truth["clip"], size=50)
            for seed in range(4):
                value = 0.7 + effect + there + rng.normal(0, truth["seed"])
                rows.append(["a", "6dB", f"t{machine_type}", f"id_{machine_id}", seed, value, *(value + resamples)])
    table = pd.DataFrame(rows, columns=[*resampling.RUN, "auc", *range(50)])
    found = variance_components(table, table.drop(columns="auc"), "auc").iloc[0]
    for name, value in truth.items():
        assert found[name] == pytest.approx(value, rel=0.2), name
    one = variance_components(table.iloc[:1], table.iloc[:1].drop(columns="auc"), "auc").iloc[0]
    assert one[["seed", "machine_id", "machine_type"]].isna().all()
