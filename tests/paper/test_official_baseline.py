"""The golden check, on made-up results."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mimii.data import published as official
from mimii.paper.official_baseline.check import check, compare, criterion
from mimii.paper.official_baseline.reference import is_asked_for, reference, reference_auc
from mimii.paper.official_baseline.table import check_table
from mimii.paper.table_formats import as_html, as_markdown
from mimii.planning.config import read_config
from mimii.planning.plan import Plan
from mimii.planning.variants import study_variants

SEEDS = (42, 43, 44)


def rows(shift=lambda number: 0.0, seeds=SEEDS, **changes):
    """Rows of the study on all of MIMII: the reference run's AUCs, moved by `shift` of the section's number."""
    found = []
    for number, (section, auc) in enumerate(reference_auc().items()):
        counts = official.clip_counts(section)
        found.append(
            {
                "model": "simple_ae",
                "db_level": section.snr,
                "machine_type": section.machine,
                "machine_id": section.id,
                "auc": auc + shift(number),
                "train_files": counts["normal"] - counts["abnormal"] - 60,
                "validation_files": 60,
                "normal_test_clips": counts["abnormal"],
                "abnormal_test_clips": counts["abnormal"],
                "settings": json.dumps(reference()["settings"]),
                "features": json.dumps(reference()["features"]),
                **changes,
            }
        )
    return pd.concat([pd.DataFrame(found).assign(seed=seed) for seed in seeds], ignore_index=True)


def test_the_reference_is_mimii_and_has_the_published_means():
    auc = reference_auc()
    assert set(auc) == set(official.sections())
    means = {snr: sum(auc[section] for section in auc if section.snr == snr) / 16 for snr in ("6dB", "0dB", "min6dB")}
    assert means == pytest.approx({"6dB": 0.814, "0dB": 0.731, "min6dB": 0.661}, abs=6e-4)
    assert sum(auc.values()) / 48 == pytest.approx(0.735, abs=6e-4)


@pytest.mark.parametrize(
    ("shift", "verdict", "not_met"),
    [
        (lambda number: 0.0, "pass", []),
        (lambda number: 0.031 * (-1) ** number, "pass", []),
        (lambda number: 0.032 * (-1) ** number, "fail", ["mean absolute difference 0.032"]),
        (lambda number: 0.012, "pass", []),
        (lambda number: 0.014, "fail", ["overall mean differs by +0.014"]),
        (lambda number: -0.014, "fail", ["overall mean differs by -0.014"]),
        (lambda number: 0.1 * (-1) ** number * (number < 4), "pass", []),
        (lambda number: 0.1 * (-1) ** number * (number < 5), "fail", ["43 of 48 sections within 0.074"]),
        (lambda number: -0.2, "fail", ["mean absolute", "0 of 48", "overall mean"]),
    ],
)
def test_the_criterion(shift, verdict, not_met):
    result = check(rows(shift))
    assert result.verdict == verdict
    unmet = [reason for reason in result.reasons if reason.startswith("NOT MET")]
    assert len(unmet) == len(not_met)
    assert all(part in reason for part, reason in zip(not_met, unmet, strict=True))


def test_seeds_are_averaged_first():
    frame = pd.concat(
        [rows(lambda number: 0.1, (42,)), rows(lambda number: 0.0, (43,)), rows(lambda number: -0.1, (44,))]
    )
    assert check(frame).verdict == "pass"


def test_fewer_than_three_seeds_are_not_compared():
    result = check(rows(seeds=(42, 43)))
    assert result.verdict == "not comparable"
    assert "2 seed(s), and a mean of 3 is compared" in result.reasons[0]
    lacking = rows()
    assert check(lacking[~((lacking["seed"] == 44) & (lacking["machine_id"] == "id_06"))]).verdict == "not comparable"


def test_more_seeds_allow_less_and_a_right_pipeline_rarely_fails():
    """The limits hold what they are derived from: normal differences of the deviation that the seeds have."""
    assert criterion(5).mean_absolute < criterion(3).mean_absolute
    rng, fails = np.random.default_rng(0), 0
    deviation = reference()["criterion"]["seed_deviation"] * np.sqrt(4 / 3)
    for differences in rng.normal(scale=deviation, size=(1000, 48)).tolist():
        fails += not all(good for good, _ in compare(differences, 3))
    assert fails / 1000 < 0.02
    wrong = rng.normal(0.03, deviation, size=(1000, 48)).tolist()
    assert not any(all(good for good, _ in compare(differences, 3)) for differences in wrong)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"abnormal_test_clips": 20}, "6dB/fan/id_00 has other clips than MIMII"),
        ({"settings": json.dumps({**reference()["settings"], "epochs": 5})}, "epochs is 5, not 50"),
        ({"features": json.dumps({**reference()["features"], "n_mels": 128})}, "n_mels is 128, not 64"),
        ({"machine_type": "bearing"}, "are missing"),
    ],
)
def test_other_data_and_other_settings_are_not_compared(change, says):
    result = check(rows(**change))
    assert result.verdict == "not comparable"
    assert any(says in reason for reason in result.reasons)
    assert "NOT COMPARABLE" in as_markdown(check_table(result))


def test_the_page_lists_outliers_first():
    result = check(rows(lambda number: {3: -0.09, 7: 0.2}.get(number, 0.0)))
    table = check_table(result)
    sections = [section.path for section in reference_auc()]
    assert [row[0].text for row in table.rows[:2]] == [sections[7], sections[3]]
    assert [row[3].text for row in table.rows[:2]] == ["+0.200", "−0.090"]
    assert sum(row[0].bold for row in table.rows) == 2
    assert len(table.rows) == 48
    assert "PASS" in as_html(table)


def preset():
    """The study as it stands, commented out, in config/config.yaml."""
    text = Path(__file__).resolve().parents[2].joinpath("config/config.yaml").read_text()
    lines = re.search(r"^#  official_baseline:.*(?:\n#    .*)+", text, re.MULTILINE)[0]
    return yaml.safe_load(re.sub(r"^#  ", "", lines, flags=re.MULTILINE))


def test_the_preset_in_the_configuration_is_the_official_one():
    dataset = {"source": "made_up", "root": "nowhere"}
    config = read_config({"dataset": dataset, "models": {"simple_ae": {}}, "studies": preset()})
    (variant,) = study_variants(config, reference()["study"])
    assert variant.model == reference()["model"]
    assert {name: variant.settings[name] for name in reference()["settings"]} == reference()["settings"]
    assert {name: variant.features[name] for name in reference()["features"]} == reference()["features"]


def test_the_check_is_asked_for_where_the_names_are_mimii_s():
    made_up = {
        "snrs": ["6dB", "0dB", "min6dB"],
        "machines": ["fan", "pump", "slider", "valve"],
        "ids": ["id_00", "id_02", "id_04", "id_06"],
    }
    config = {"dataset": {"source": "made_up", "root": "nowhere", "made_up": made_up}, "models": {"vae": {}}}
    assert is_asked_for(preset(), Plan(config).sections)
    assert not is_asked_for([], Plan(config).sections)
    made_up["ids"] = ["id_00"]
    assert not is_asked_for(preset(), Plan(config).sections)
