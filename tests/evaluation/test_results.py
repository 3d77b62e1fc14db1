import pandas as pd
import pytest
from made_up_runs import merge

from mimii.commands.main import main
from mimii.data.sections import snr_order
from mimii.evaluation.results import average, read_results, run_labels
from mimii.evaluation.summary import summary


def table_of(cells):
    columns = ["model", "variant", "db_level", "machine_type", "machine_id", "seed", "auc"]
    return pd.DataFrame([(*cell[:-1], float(cell[-1])) for cell in cells], columns=columns)


def test_average_is_over_seeds_then_ids_then_machine_types():
    frame = table_of(
        [
            ("a", "default", "6dB", "fan", "id_00", 1, 0.9),
            ("a", "default", "6dB", "fan", "id_00", 2, 0.7),
            ("a", "default", "6dB", "fan", "id_02", 1, 0.6),  # 0.7 = mean of 0.8 and 0.6
            ("a", "default", "6dB", "pump", "id_00", 1, 0.5),  # 0.6 = mean of 0.7 and 0.5
            ("a", "default", "0dB", "fan", "id_00", 1, 0.4),
        ]
    )
    assert average(frame, ["auc"], ["model", "variant", "db_level"])["auc"].to_dict() == pytest.approx(
        {("a", "default", "6dB"): 0.6, ("a", "default", "0dB"): 0.4}
    )
    assert average(frame, ["auc"])["auc"].to_dict() == pytest.approx({("a", "default"): 0.5})
    # Every row once: nothing to average.
    keys = ["model", "variant", "db_level", "machine_type", "machine_id", "seed"]
    assert sorted(average(frame, ["auc"], keys)["auc"]) == sorted(frame["auc"])


def test_missing_value_is_not_averaged_away():
    frame = table_of(
        [("a", "default", "6dB", "fan", "id_00", 1, 0.9), ("a", "default", "6dB", "fan", "id_02", 1, "nan")]
    )
    assert average(frame, ["auc"])["auc"].isna().all()


def test_snrs_from_easy_to_hard():
    names = ["min6dB", "0dB", "odd", "6dB", "-12_dB"]
    assert sorted(names, key=snr_order) == ["6dB", "0dB", "min6dB", "-12_dB", "odd"]


def test_summary_shows_each_model_once_best_first(run_folder, tmp_path):
    rows = [
        run_folder(tmp_path, model=model, section=f"{snr}/fan/id_00", quality=quality, num_parameters=parameters)
        for model, quality, parameters in (("isolation_forest", 0.5, None), ("vae", 3.0, 42440))
        for snr in ("min6dB", "6dB")
    ]
    merge(rows, tmp_path, tmp_path / "results.csv")
    lines = summary(read_results(tmp_path / "results.csv")).splitlines()
    assert lines[0].split()[:3] == ["all", "6dB", "min6dB"]
    assert lines[1].split()[:5] == ["model", "AUC", "AUC", "PR-AUC", "pAUC"]
    assert [line.split()[0] for line in lines[3:]] == ["vae", "isolation_forest"]
    assert lines[3].split()[1:3] == [f"{(rows[2]['auc'] + rows[3]['auc']) / 2:.3f}", f"{rows[3]['auc']:.3f}"]
    assert lines[3].endswith("42,440")
    assert len(lines[4].split()) == len(lines[3].split()) - 1  # no number of parameters: empty


def test_summary_shows_the_residual_score_where_a_model_has_it_and_where_times_are_too_long(run_folder, tmp_path):
    rows = [run_folder(tmp_path, model="vae", load=3.0), run_folder(tmp_path, model="mahalanobis")]
    merge(rows, tmp_path, tmp_path / "results.csv")
    frame = read_results(tmp_path / "results.csv")
    assert "residual" not in summary(frame)
    assert "in 1 of 2 runs the machine had more work than cores" in summary(frame)
    marked = [line.split()[0] for line in summary(frame).splitlines() if "12.50*" in line and "12.00*" in line]
    assert marked == ["vae"]
    frame["auc_residual"] = [0.8125, float("nan")]
    frame["training_load"] = 1.0
    text = summary(frame)
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert "residual" in text.splitlines()[0].split()
    assert "0.812" in lines["vae"]
    assert len(lines["mahalanobis"]) == len(lines["vae"]) - 1
    assert "mahalanobis, which has no network" in text
    assert "more work" not in text


@pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)])
def test_the_summary_s_command_says_of_which_models_seeds_are_too_few(run_folder, tmp_path, capsys, seeds):
    rows = [run_folder(tmp_path, "vae", seed=seed) for seed in seeds] + [run_folder(tmp_path, "pca", seed=1)]
    merge(rows, tmp_path, tmp_path / "results.csv")
    with pytest.raises(SystemExit) as end:
        main(["summary", str(tmp_path / "results.csv")])
    assert not end.value.code
    assert ("No claim is made about vae: another seed" in capsys.readouterr().out) == (len(seeds) < 3)


def test_summary_shows_the_deviation_over_seeds_where_there_are_several(run_folder, tmp_path):
    runs = [("vae", seed) for seed in (1, 2, 3)] + [("pca", 1)]
    rows = [
        run_folder(tmp_path, model, f"{snr}/fan/id_00", seed, quality=quality)
        for (model, seed), quality in zip(runs, (2.0, 1.0, 0.7, 0.0), strict=True)
        for snr in ("6dB", "0dB")
    ]
    merge(rows, tmp_path, tmp_path / "results.csv")
    frame = read_results(tmp_path / "results.csv")
    lines = summary(frame).splitlines()
    deviation = frame[frame["model"] == "vae"].groupby("seed")["auc"].mean().std(ddof=1)
    assert deviation > 0.01
    assert f"{deviation:.3f}" in lines[3].split()
    assert len(lines[4].split()) == len(lines[3].split()) - 1  # one seed has none: empty
    assert "deviation" in lines[1]
    assert "deviation" not in summary(frame[frame["seed"] == 1])


def test_names_have_what_the_variants_of_a_model_do_not_share():
    variants = [
        ("pca", "components=4"),
        ("vae", "beta=2,epochs=5"),
        ("vae", "epochs=5"),
        ("vae", "epochs=5,latent=4"),
        ("knn", "default"),
        ("knn", "neighbours=2"),
    ]
    frame = pd.DataFrame(variants, columns=["model", "variant"])
    assert list(run_labels(frame).values()) == [
        "pca",
        "vae (beta=2)",
        "vae",
        "vae (latent=4)",
        "knn (default)",
        "knn (neighbours=2)",
    ]
