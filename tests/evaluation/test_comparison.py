"""Two results: what changed beyond noise, paired where the clip scores are there."""

import csv
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mimii.commands.main import main
from mimii.common.errors import UserError
from mimii.evaluation.columns import read_columns
from mimii.evaluation.comparison import as_text, compare_results, normal_p_value, verdict
from mimii.evaluation.inference import paired_p_value

SECTIONS = [f"{snr}/{machine}/id_00" for snr in ("6dB", "min6dB") for machine in ("fan", "pump", "valve")]


@pytest.fixture
def results(run_folder, tmp_path):
    """Makes a results.csv with its runs: AUC is better with higher quality, noise the same in all."""

    def make(name, quality=lambda section: 1.5, *, model="pca", sections=SECTIONS, seeds=(42,), **overrides):
        root = tmp_path / name
        rows = [
            run_folder(root / "runs", model=model, section=section, seed=seed, quality=quality(section), **overrides)
            for section in sections
            for seed in seeds
        ]
        with (root / "results.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, [column.name for column in read_columns()])
            writer.writeheader()
            writer.writerows(rows)
        return root / "results.csv"

    return make


def verdicts(found):
    return {
        "/".join(row[:3]): row[3]
        for row in found.cells[["db_level", "machine_type", "machine_id", "verdict"]].to_numpy()
    }


def rewritten(csv_file, name, change):
    """Another CSV beside it, whose rows are what `change` makes of its own; no merge vouches for it."""
    with csv_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with csv_file.with_name(name).open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(change(rows))
    return csv_file.with_name(name)


def test_what_is_not_compared_is_said(results):
    old = results("old")
    both = rewritten(
        old,
        "both.csv",
        lambda rows: [*rows, *({**row, "model": "knn", "run_path": f"knn/{row['run_path']}"} for row in rows)],
    )
    assert as_text(compare_results(both, old), "auc").count("knn: not compared, since it is not in NEW") == 1
    two = rewritten(
        both,
        "two.csv",
        lambda rows: [
            {**row, "variant": variant, "run_path": f"{variant}/{row['run_path']}"} if row["model"] == "knn" else row
            for row in rows
            for variant in (("a=1", "a=2") if row["model"] == "knn" else ("",))
        ],
    )
    found = compare_results(both, two)
    assert found.uncompared["knn"].startswith("its settings in OLD (default) are not among those in NEW (a=1, a=2)")
    with pytest.raises(UserError, match="knn: its settings in OLD"):
        compare_results(both, two, models=["pca", "knn"])
    elsewhere = rewritten(old, "elsewhere.csv", lambda rows: [{**row, "db_level": "0dB"} for row in rows])
    with pytest.raises(UserError, match="pca: no section of it is in both"):
        compare_results(old, elsewhere)


def test_pauc_up_to_other_rates_is_not_compared(results):
    old = results("old")
    new = rewritten(old, "new.csv", lambda rows: [{**row, "max_fpr": "0.2"} for row in rows])
    with pytest.raises(UserError, match=r"pauc goes up to max_fpr 0.1 in .* and 0.2 in "):
        compare_results(old, new, metric="pauc")
    assert len(compare_results(old, new).cells) == 6


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: [], "holds no run"),
        (lambda rows: [*rows, rows[0]], "holds the run .* 2 times"),
        (lambda rows: [{**rows[0], "model": ""}, *rows[1:]], "model is empty"),
        (lambda rows: [{**rows[0], "auc": "inf"}, *rows[1:]], "auc is inf, not a finite number"),
        (lambda rows: [{**rows[0], "max_fpr": "0.2"}, *rows[1:]], "measured with max_fpr 0.2 and 0.1"),
    ],
)
def test_a_csv_that_was_put_together_by_hand_is_whole_or_refused(results, capsys, change, says):
    csv_file = rewritten(results("old"), "by_hand.csv", change)
    with pytest.raises(SystemExit) as end:
        main(["summary", str(csv_file)])
    assert end.value.code == 1
    assert re.search(says, capsys.readouterr().err)


def test_nothing_changed(results):
    found = compare_results(results("old"), results("new"))
    assert set(found.cells["verdict"]) == {"within noise"}
    assert found.cells["paired"].all()
    assert found.overall["difference"].tolist() == [0.0]
    assert not found.worse("pca")


def test_a_change_of_one_section_is_found_there_alone(results):
    worse = "6dB/pump/id_00"
    found = compare_results(results("old"), results("new", lambda section: 0.2 if section == worse else 1.5))
    assert verdicts(found) == {section: "worse" if section == worse else "within noise" for section in SECTIONS}
    assert found.worse("pca")
    text = as_text(found, "auc")
    assert "6dB/pump/id_00: " in text
    assert "5 of 6 sections within noise" in text


def test_a_small_change_everywhere_is_found_overall(results):
    old, new = results("old", lambda section: 1.0), results("new", lambda section: 0.8)
    found = compare_results(old, new)
    assert found.overall["verdict"].tolist() == ["worse"]
    assert found.overall["paired"].tolist() == [True]
    assert compare_results(new, old).overall["verdict"].tolist() == ["better"]
    assert not compare_results(new, old).worse("pca")


def test_without_scores_the_intervals_decide_and_find_less(results):
    old, new = results("old", lambda section: 1.2), results("new", lambda section: 1.0)
    paired = compare_results(old, new)
    shutil.rmtree(old.parent / "runs")
    unpaired = compare_results(old, new)
    assert not unpaired.cells["paired"].any()
    assert (unpaired.cells["p_value"] > paired.cells["p_value"]).all()
    assert unpaired.cells["difference"].tolist() == paired.cells["difference"].tolist()
    assert "by intervals" in as_text(unpaired, "auc")
    great = results("great", lambda section: 4.0)
    assert compare_results(old, great).overall["verdict"].tolist() == ["better"]


def test_scores_of_another_result_are_not_taken_for_its_own(results, tmp_path):
    """A CSV that was put aside, and its runs, which have been overwritten since."""
    new = results("new", lambda section: 1.0)
    kept = tmp_path / "new" / "kept.csv"
    shutil.copy(results("old", lambda section: 1.5), kept)
    found = compare_results(kept, new)
    assert not found.cells["paired"].any()


def with_seeds(path, seeds_of, run_folder):
    """A results.csv like those of `results`, of five seeds whose quality differs as `seeds_of` says."""
    rows = [
        run_folder(path / "runs", section=section, seed=seed, quality=quality)
        for section in SECTIONS
        for seed, quality in seeds_of.items()
    ]
    with (path / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [column.name for column in read_columns()])
        writer.writeheader()
        writer.writerows(rows)
    return path / "results.csv"


def test_a_change_that_other_seeds_would_undo_is_noise(run_folder, tmp_path):
    old = with_seeds(tmp_path / "old", dict.fromkeys(range(1, 6), 1.2), run_folder)
    # The same mean change, of one seed alone and of all of them.
    lucky = with_seeds(tmp_path / "lucky", {1: 2.4, 2: 1.2, 3: 1.2, 4: 1.2, 5: 1.2}, run_folder)
    better = with_seeds(tmp_path / "better", dict.fromkeys(range(1, 6), 1.4), run_folder)
    assert compare_results(old, lucky).overall["verdict"].tolist() == ["within noise"]
    assert compare_results(old, better).overall["verdict"].tolist() == ["better"]


def test_the_p_value_by_intervals_is_that_of_a_z_test():
    assert normal_p_value(0.1, 0.04) == pytest.approx(2 * stats.norm.sf(2.5))
    assert normal_p_value(0.0, 0.0) == 1
    assert normal_p_value(0.1, 0.0) == 0
    assert [verdict(-0.1, p, 0.95, enough_seeds=True) for p in (0.06, 0.04)] == ["within noise", "worse"]
    assert [verdict(-0.1, p, 0.95, enough_seeds=False) for p in (0.06, 0.04)] == ["within noise", "no claim"]


def test_noise_alone_is_rarely_a_change():
    """Twice the same model on the same clips: about 5 % by the test's own account, uncorrected."""
    rng = np.random.default_rng(1)
    p_values = [paired_p_value(float(rng.normal(0, 0.1)), rng.normal(0, 0.1, 500)) for _ in range(400)]
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.09


def test_sections_that_only_one_has_are_said(results):
    found = compare_results(results("old", sections=SECTIONS[:4]), results("new", sections=SECTIONS[2:]))
    assert [name for name, what in verdicts(found).items() if what == "only in OLD"] == SECTIONS[:2]
    assert [name for name, what in verdicts(found).items() if what == "only in NEW"] == SECTIONS[4:]
    assert "6dB/fan/id_00: only in OLD" in as_text(found, "auc")


def test_a_model_whose_settings_changed_is_compared_with_itself(results):
    old = results("old", variant="default")
    new = results("new", lambda section: 0.5, variant="components=8")
    assert compare_results(old, new).overall["variant"].tolist() == ["components=8"]


def test_several_variants_of_a_model_are_named_by_what_they_do_not_share(results, tmp_path):
    parts = [results(f"{value}", variant=f"components={value},n_mels=32") for value in (4, 8)]
    both = tmp_path / "both.csv"
    pd.concat(map(pd.read_csv, parts)).to_csv(both, index=False)
    text = as_text(compare_results(both, both), "auc")
    assert "\npca (components=4): 6 of 6 sections" in text
    assert "n_mels" not in text


def test_what_cannot_be_compared_is_refused(results):
    old, new = results("old"), results("new", model="knn")
    with pytest.raises(UserError, match="pca: it is not in NEW"):
        compare_results(old, new)
    with pytest.raises(UserError, match=r"new/results\.csv: no runs of the model pca; it has knn"):
        compare_results(old, new, models=["pca"])


@pytest.mark.parametrize(("quality", "code"), [(1.5, 0), (0.2, 1), (3.0, 0)])
def test_the_command_s_exit_code_says_whether_a_model_got_worse(results, quality, code, capsys):
    command = ["compare", str(results("old")), str(results("new", lambda section: quality))]
    with pytest.raises(SystemExit) as end:
        main([*command, "--model", "pca"])
    assert (end.value.code or 0) == code
    assert "overall" in capsys.readouterr().out
    if code:
        # Without a model there is nothing to fail for.
        with pytest.raises(SystemExit) as end:
            main(command)
        assert not end.value.code


@pytest.mark.parametrize(
    ("seeds", "quality", "said", "code"),
    [
        ((42,), 0.2, "no claim", 3),
        ((42, 43), 0.2, "no claim", 3),
        ((42,), 4.0, "no claim", 0),
        ((42,), 1.5, "within noise", 0),
        ((42, 43, 44), 0.2, "worse", 1),
    ],
)
def test_with_too_few_seeds_nothing_is_called_better_or_worse(results, seeds, quality, said, code, capsys):
    """A fall is no verdict then, but no success of a check either."""
    old = results("old", model="vae", seeds=(42, 43, 44))
    new = results("new", lambda section: quality, model="vae", seeds=seeds)
    found = compare_results(old, new)
    assert found.overall["verdict"].tolist() == [said]
    assert {*found.cells["verdict"]} <= {said, "within noise"}
    with pytest.raises(SystemExit) as end:
        main(["compare", str(old), str(new), "--model", "vae"])
    assert (end.value.code or 0) == code
    printed = capsys.readouterr().out
    assert ("no claim: more than other clips explain" in printed) == (said == "no claim")
    assert ("p = " in printed) == (said == "worse")


DCASE = [f"dcase2024/{machine}/section_00" for machine in ("fan", "bearing")]


@pytest.fixture
def dcase_results(results):
    """`results` whose clips have domains."""

    def make(name, quality, **options):
        return results(name, lambda section: quality, **{"sections": DCASE, "domains": True, **options})

    return make


def test_official_scores_are_compared_paired_by_clip(dcase_results):
    old = dcase_results("old", 2.5)
    same = compare_results(old, dcase_results("same", 2.5), metric="official_score")
    assert same.overall["difference"].tolist() == [0.0]
    assert set(same.cells["verdict"]) == {"within noise"}
    found = compare_results(old, dcase_results("new", 0.0), metric="official_score")
    assert found.worse("pca")
    assert found.cells["paired"].all()
    (overall,) = found.overall.to_dict("records")
    # The harmonic mean over the parts of all sections: of sections alike in number of parts, that of their scores.
    assert overall["new"] == pytest.approx(stats.hmean(found.cells["new"]))
    assert "Official score, OLD -> NEW" in as_text(found, "official_score")


def test_a_comparison_of_another_metric_says_the_official_score_too(results, dcase_results):
    old, new = dcase_results("old", 2.5), dcase_results("new", 0.0)
    found = compare_results(old, new)
    own = compare_results(old, new, metric="official_score")
    assert found.official.equals(own.overall)
    text = as_text(found, "auc")
    assert text.index("AUC, OLD -> NEW, overall") < text.index("Official score, OLD -> NEW, overall")
    assert f"{own.overall['difference'].iloc[0]:+.3f}" in text.split("Official score")[1]
    next((new.parent / "runs").rglob("scores.parquet")).unlink()
    assert "Official score of pca: not compared. " in as_text(compare_results(old, new), "auc")
    assert "fficial" not in as_text(compare_results(results("mimii"), results("again")), "auc")


def test_official_scores_of_too_few_seeds_are_called_neither_better_nor_worse(dcase_results):
    old, new = (dcase_results(name, quality, model="vae") for name, quality in (("old", 2.5), ("new", 0.0)))
    found = compare_results(old, new, metric="official_score")
    assert found.overall["verdict"].tolist() == ["no claim"]
    assert found.perhaps_worse("vae")
    assert not found.worse("vae")


def test_official_scores_of_the_same_seeds_are_compared_seed_by_seed(dcase_results):
    one, two = (dcase_results(name, 1.5, seeds=(1, 2, 3)) for name in ("one", "two"))
    (same,) = compare_results(one, two, metric="official_score").overall.to_dict("records")
    assert same["low"] == same["difference"] == same["high"] == 0


def test_official_scores_of_other_data_with_domains_are_compared(dcase_results):
    old, new = (dcase_results(name, 1.5, sections=["+/fan/1", "+/fan/2"]) for name in ("old", "new"))
    assert set(compare_results(old, new, metric="official_score").cells["machine_id"]) == {"1", "2"}


def test_official_scores_of_other_clips_are_not_compared(dcase_results):
    old, new = dcase_results("old", 1.5), dcase_results("new", 1.5, clips=20)
    with pytest.raises(UserError, match="was tested on different clips"):
        compare_results(old, new, metric="official_score")


def test_official_scores_need_one_year_and_the_clip_scores(results, dcase_results):
    with pytest.raises(UserError, match="must be of one year of DCASE's data"):
        compare_results(results("mimii"), results("again"), metric="official_score")
    old, new = dcase_results("old", 1.5), dcase_results("new", 1.5)
    next((new.parent / "runs").rglob("scores.parquet")).unlink()
    with pytest.raises(UserError, match="needs the clip scores of all runs"):
        compare_results(old, new, metric="official_score")
