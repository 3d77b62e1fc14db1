"""The result page: what it says, what it holds, and how a browser shows it."""

import base64
import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from devtools import opened_browser

from mimii.common.errors import UserError
from mimii.data.published import clip_counts
from mimii.data.sections import AVERAGE, Section
from mimii.detectors.declaration import model_declaration
from mimii.evaluation.columns import read_columns
from mimii.evaluation.compared import Statistics, compute_statistics
from mimii.evaluation.resampling import COMPARED, select_runs
from mimii.evaluation.results import read_results
from mimii.paper.page.assemble import within_size
from mimii.paper.page.board import make_board, make_boards
from mimii.paper.page.claims import Findings, sentences
from mimii.paper.page.errors import error_analysis
from mimii.paper.page.listening import choose_clips, encoded
from mimii.paper.page.readers import ScoredRun, ScoredSection, read_any
from mimii.paper.page.references import references_for
from mimii.paper.page.scores import packed, roc_corners
from mimii.paper.page.sharing import page_of, share
from mimii.runs.clip_scores import ClipScores

SECTIONS = ["6dB/fan/id_00", "min6dB/fan/id_00"]
QUALITIES = {"vae": 2.5, "simple_ae": 2.4, "deep_ae": 0.2}
HOSTILE = "</script><img src=x onerror=alert(1)>"


def write_csv(path, rows):
    import csv

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [column.name for column in read_columns()])
        writer.writeheader()
        writer.writerows(rows)


def picture_of(frames, bands):
    return {"frames": frames, "bands": bands, "data": base64.b64encode(bytes(frames * bands)).decode()}


def heard(model, section, audio):
    clip = {
        "kind": "abnormal, missed",
        "name": "abnormal/00000000.wav",
        "abnormal": True,
        "score": 1.5,
        "seconds": 1.0,
        "frames": picture_of(20, 8),
        "reconstruction": picture_of(20, 8),
        "times": [0.1, 0.05],
        "scores": [1.0, 2.0, 1.5],
        "audio": audio,
    }
    return {
        "model": model,
        "variant": "default",
        "seed": 1,
        "section": section,
        "hertz": [float(hz) for hz in np.geomspace(50, 7900, 8)],
        "threshold": 1.2,
        "scoreRange": [1.0, 2.0],
        "louder": 2.0,
        "silent": False,
        "licence": HOSTILE,
        "clips": [clip, {**clip, "name": "normal/00000001.wav", "abnormal": False, "reconstruction": None}],
    }


@pytest.fixture(scope="module")
def results(run_folder, tmp_path_factory):
    """A folder of results: three models, two seeds, one machine at two SNRs; its clips are gathered for one of them."""
    folder = tmp_path_factory.mktemp("results")
    rows = [
        run_folder(folder / "runs", model, section, seed, quality=quality)
        for model, quality in QUALITIES.items()
        for seed in (1, 2, 3)
        for section in SECTIONS
    ]
    write_csv(folder / "results.csv", rows)
    tone = np.sin(np.arange(16000) / 10).astype(np.float32)
    gathered = folder / "page" / "clips" / "vae" / f"{SECTIONS[0]}.json"
    gathered.parent.mkdir(parents=True)
    gathered.write_text(json.dumps(heard("vae", SECTIONS[0], base64.b64encode(encoded(tone, 16000)).decode())))
    (folder / "page" / "config.json").write_text(json.dumps({"dataset": {"source": HOSTILE}}))
    return folder


@pytest.fixture(scope="module")
def board(results, tmp_path_factory):
    (found,) = make_boards([read_any(results, tmp_path_factory.mktemp("scratch"))])
    return found


def test_a_page_of_own_recordings_has_no_word_snr(results, board, run_folder, tmp_path):
    assert board["hasSnrs"]
    write_csv(tmp_path / "results.csv", [run_folder(tmp_path / "runs", "vae", "+/+/+", 1)])
    (own,) = make_boards([read_any(tmp_path, tmp_path)])
    assert not own["hasSnrs"]
    assert dict(own["facts"])["Sections"] == "1: +"
    words = {key: value for key, value in own.items() if key not in ("runs", "hasSnrs")}
    assert "SNR" not in json.dumps(words)


def unpacked(entry):
    levels = np.frombuffer(base64.b64decode(entry["data"]), "<u2")
    return entry["low"] + (entry["high"] - entry["low"]) * levels / 65535


def test_scores_survive_packing():
    scores = np.random.default_rng(0).normal(size=500)
    assert np.abs(unpacked(packed(scores)) - scores).max() < 1e-4 * np.ptp(scores)
    assert unpacked(packed(np.full(3, 7.0))).tolist() == [7.0] * 3


def test_roc_corners_keep_the_area():
    rng = np.random.default_rng(1)
    abnormal = np.arange(40) % 2 == 0
    fpr, tpr = roc_corners(abnormal, rng.normal(size=40) + abnormal)
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert fpr == sorted(fpr)
    assert tpr == sorted(tpr)


def test_numbers_are_those_of_the_statistics(results, board):
    frame = select_runs(read_results(results / "results.csv"), [[model, "default"] for model in QUALITIES])
    wanted = compute_statistics(frame, results / "runs")
    for method in board["methods"]:
        mine = wanted.averages[(wanted.averages["label"] == method["label"]) & wanted.averages["metric"].isin(COMPARED)]
        assert {tuple(row[:3]): row[3] for row in method["averages"]} == pytest.approx(
            {tuple(row[:3]): row[3] for row in mine[["metric", "db_level", "machine_type", "mean"]].to_numpy()},
            abs=1e-4,
        )
    overall = wanted.comparisons[wanted.comparisons["metric"] == "auc"]
    assert [row[3] for row in board["pairs"]] == pytest.approx(list(overall["difference"]), abs=1e-4)
    assert [row[7] for row in board["pairs"]] == pytest.approx(list(overall["p_holm"]), rel=1e-3)


def test_statistics_that_are_known_make_the_same_board(results, board, tmp_path):
    pairs = [[model, "default"] for model in QUALITIES]
    frame = select_runs(read_results(results / "results.csv"), pairs)
    compute_statistics(frame, results / "runs").write(tmp_path)
    found = make_board([(read_any(results, tmp_path), pairs)], Statistics.read(tmp_path))
    assert {**found, "name": ""} == {**board, "name": ""}


def findings(p_values, *, few_seeds="", machines=1):
    """Of a, b and c in this order; p_values: of a-b, a-c and b-c after correction, by clips and over machines."""
    means = {"a": 0.9, "b": 0.88, "c": 0.6}
    shared = {"metric": "auc", "db_level": AVERAGE}
    pairs = list(zip([("a", "b"), ("a", "c"), ("b", "c")], p_values, strict=True))
    over_machines = {label: {} for label in means}
    for (one, other), p in pairs:
        over_machines[one][other] = over_machines[other][one] = p
    return Findings(
        pd.DataFrame(),
        pd.DataFrame(
            [{"label": label, **shared, "machine_type": AVERAGE, "mean": mean} for label, mean in means.items()]
        ),
        pd.DataFrame(
            [
                {
                    "label": one,
                    "other": other,
                    **shared,
                    "difference": means[one] - means[other],
                    "p_holm": p,
                    "enough_seeds": not {one, other} & {*few_seeds},
                }
                for (one, other), p in pairs
            ]
        ),
        ranks={"machines": machines, "friedman": {"f_p_value": 0.01}, "p_values": {"wilcoxon_holm": over_machines}},
        confidence=0.95,
        enough_seeds={label: label not in few_seeds for label in means},
        config={},
    )


def test_where_studies_are_is_said(run_folder, tmp_path):
    write_csv(tmp_path / "results.csv", [run_folder(tmp_path / "runs", "pca")])
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "config.json").write_text('{"studies": {"rates": {"model": "vae"}}}')
    (found,) = make_boards([read_any(tmp_path, tmp_path)])
    assert ["Studies", "rates; their tables are in the results' folder studies"] in found["facts"]


@pytest.mark.parametrize(
    ("p_values", "wanted"),
    [
        (
            (0.2, 0.01, 0.02),
            ["`a` is better than `c` (+0.300, p = .01)", "The first 2 (`a` and `b`) cannot be told apart"],
        ),
        ((0.01, 0.0001, 0.3), ["`a` is better than `b` (+0.020, p = .01) and `c` (+0.300, p < .001)"]),
        ((0.3, 0.3, 0.3), ["No two methods can be told apart", "0 of 3 pairs differ"]),
        (
            (0.3, 0.3, 0.04),
            ["The first 2 (`a` and `b`) cannot be told apart", "`b` is better than `c` (+0.280, p = .04)"],
        ),
    ],
)
def test_claims_follow_the_tests(p_values, wanted):
    text = " ".join(sentences(findings(p_values)))
    assert [part for part in wanted if part not in text] == []
    assert text.count("is better than") == sum("is better than" in part for part in wanted)


def test_nothing_is_claimed_of_methods_with_too_few_seeds_and_the_others_are_compared():
    text = " ".join(sentences(findings((0.01, 0.01, 0.01), few_seeds="abc", machines=6)))
    assert text == "On these clips `a` scored higher than `b` (+0.020) and `c` (+0.300)."
    text = " ".join(sentences(findings((0.01, 0.01, 0.01), few_seeds="b", machines=6)))
    assert "`a` scored higher than `b` (+0.020). " in text
    assert "`a` is better than `c` (+0.300, p = .01)." in text
    assert "1 of 1 pairs with enough seeds differ in overall AUC" in text
    assert "For other IDs of these machine types, 1 of 1 pairs with enough seeds differ by Wilcoxon's test" in text
    assert "Friedman" not in text
    text = " ".join(sentences(findings((0.01, 0.01, 0.2), machines=6)))
    assert "2 of 3 pairs differ in overall AUC" in text
    assert "For other IDs of these machine types, 2 of 3 pairs differ" in text
    assert "Friedman's test" in text


def test_one_seed_is_no_evidence(run_folder, tmp_path):
    rows = [run_folder(tmp_path / "runs", model, quality=quality) for model, quality in QUALITIES.items()]
    write_csv(tmp_path / "results.csv", rows)
    (found,) = make_boards([read_any(tmp_path, tmp_path)])
    assert any("fewer than 3 were run. With more (seeds" in line for line in found["caveats"])
    assert not any("is better than" in line for line in found["claims"])
    assert any("too few to say" in line for line in found["caveats"])
    assert "differ" not in " ".join(found["claims"])
    assert not any(method["enoughSeeds"] for method in found["methods"])


def test_beside_a_residual_score_stands_the_reference_without_a_network(run_folder, tmp_path):
    rows = [run_folder(tmp_path / "runs", "mahalanobis", section) for section in SECTIONS]
    rows += [run_folder(tmp_path / "runs", "vae", section) | {"auc_residual": 0.9} for section in SECTIONS]
    write_csv(tmp_path / "results.csv", rows)
    (found,) = make_boards([read_any(tmp_path, tmp_path)])
    names = [column["name"] for column in found["runs"]]
    reference = found["runs"][names.index("auc_residual") + 1]
    assert reference["name"] == "auc_mahalanobis"
    assert reference["values"] == [None, None, *(pytest.approx(row["auc"], abs=1e-4) for row in rows[:2])]
    assert "mahalanobis, which has no network" in found["residual"]
    write_csv(tmp_path / "results.csv", [row | {"auc_residual": ""} for row in rows])
    (found,) = make_boards([read_any(tmp_path, tmp_path)])
    assert found["residual"] is None
    assert "auc_mahalanobis" not in [column["name"] for column in found["runs"]]


def test_nothing_of_this_machine_is_in_it(results, tmp_path):
    page_of([results], tmp_path / "page.html")
    assert str(results) not in (tmp_path / "page.html").read_text()


def test_two_results_on_the_same_clips_stand_in_one_ranking(results, run_folder, tmp_path):
    rows = [run_folder(tmp_path / "runs", "pca", section, seed) for seed in (1, 2, 3) for section in SECTIONS]
    write_csv(tmp_path / "results.csv", rows)
    (board,) = make_boards([read_any(path, tmp_path) for path in (results, tmp_path)])
    assert [one["label"] for one in board["methods"]][-1] == f"pca, {tmp_path.name}"
    assert [one["title"] for one in board["methods"]][-1] == f"{model_declaration('pca').title}, {tmp_path.name}"
    assert len(board["sectionPairs"]) == 6


def test_results_on_other_clips_have_a_ranking_of_their_own(results, run_folder, tmp_path):
    write_csv(tmp_path / "results.csv", [run_folder(tmp_path / "runs", "pca", "6dB/pump/id_00")])
    boards = make_boards([read_any(path, tmp_path) for path in (results, tmp_path)])
    assert [len(board["methods"]) for board in boards] == [3, 1]


def test_results_whose_runs_lie_elsewhere_are_refused_with_what_to_do(results, tmp_path):
    shutil.copy(results / "results.csv", tmp_path)
    for read in (lambda: read_any(tmp_path, tmp_path), lambda: share(tmp_path, tmp_path / "z.zip")):
        with pytest.raises(UserError, match=r"no folder runs beside it; .*mimii save NAME --configfile FILE"):
            read()


def test_results_that_were_measured_otherwise_have_a_ranking_of_their_own(results, run_folder, tmp_path):
    rows = [run_folder(tmp_path / "runs", "pca", section, seed) for seed in (1, 2, 3) for section in SECTIONS]
    write_csv(tmp_path / "results.csv", [{**row, "max_fpr": 0.2} for row in rows])
    boards = make_boards([read_any(path, tmp_path) for path in (results, tmp_path)])
    assert [len(board["methods"]) for board in boards] == [3, 1]


def test_a_shared_zip_makes_the_same_page(results, tmp_path):
    assert share(results, tmp_path / "ours.zip") == [HOSTILE]
    (wanted,) = make_boards([read_any(results, tmp_path)])
    (found,) = make_boards([read_any(tmp_path / "ours.zip", tmp_path)])
    assert {**found, "name": ""} == {**wanted, "name": ""}


def test_a_shared_zip_writes_and_reads_nowhere_else(results, run_folder, tmp_path):
    share(results, tmp_path / "ours.zip")
    with zipfile.ZipFile(tmp_path / "ours.zip", "a") as archive:
        archive.writestr("../outside.csv", "x")
        archive.writestr("runs/../../outside/scores.parquet", "x")
        archive.writestr("runs/script.py", "x")
    read_any(tmp_path / "ours.zip", tmp_path / "scratch")
    assert not list(tmp_path.rglob("outside*"))
    assert not list(tmp_path.rglob("script.py"))
    row = run_folder(tmp_path / "runs")
    for path in ("../../elsewhere", "/etc"):
        write_csv(tmp_path / "results.csv", [{**row, "run_path": path}])
        with pytest.raises(UserError, match="leaves the folder of runs"):
            read_any(tmp_path, tmp_path)


def test_what_is_no_results_is_refused(tmp_path):
    (tmp_path / "broken.zip").write_text("no zip")
    with pytest.raises(UserError, match="cannot be read as a zip"):
        read_any(tmp_path / "broken.zip", tmp_path)
    with pytest.raises(UserError, match=r"holds no results\.csv"):
        read_any(tmp_path, tmp_path)
    with pytest.raises(UserError, match=r"holds no results\.csv"):
        share(tmp_path, tmp_path / "ours.zip")


def test_published_numbers_stand_beside_the_same_recordings_alone():
    counts = clip_counts(Section("6dB", "fan", "id_00"))["abnormal"]

    def references(clips, snr="6dB", machine="fan", id="id_00", source="folder"):
        labels = np.arange(2 * clips) < clips
        empty = np.full(2 * clips, "")
        section = ScoredSection(
            Section(snr, machine, id), [str(clip) for clip in range(2 * clips)], labels, empty, empty, {}
        )
        return references_for([section], {"dataset": {"source": source}})

    assert [one["auc"] for one in references(counts)] == [{"6dB/fan/id_00": 0.766}]
    assert references(counts - 1) == []
    assert references(264, "dcase2020", "ToyCar", "id_01") == []
    (found,) = references(264, "dcase2020", "ToyCar", "id_01", source="dcase")
    assert found["auc"] == {"dcase2020/ToyCar/id_01": 0.828474}


def test_numbers_of_dcases_baseline_have_the_averages_that_it_prints(project_root):
    (baseline,) = yaml.safe_load((project_root / "src/mimii/paper/page/references.yaml").read_text(encoding="utf-8"))
    auc = pd.Series(baseline["auc"])
    averages = auc.groupby([path.split("/")[1] for path in auc.index]).mean()
    assert averages.round(6).to_dict() == {
        "ToyCar": 0.800914,
        "ToyConveyor": 0.726835,
        "fan": 0.651585,
        "pump": 0.72591,
        "slider": 0.849916,
        "valve": 0.664557,
    }


def test_errors_are_those_of_all_methods_and_of_each_kind():
    abnormal = np.array([True, True, True, False, False, False])
    domains = np.array(["", "", "", "source", "target", "target"])
    attributes = np.array(["rattle", "rattle", "leak", "", "", ""])
    scores = {"a": [9, 8, 1, 2, 3, 7], "b": [9, 1, 1, 2, 3, 7]}
    row = {"seed": 1, "threshold": 5}
    runs = {label: [ScoredRun(row, np.array(own, dtype=float))] for label, own in scores.items()}
    section = ScoredSection(Section("6dB", "fan", "id_00"), list("012345"), abnormal, domains, attributes, runs)
    found = error_analysis([section], ["a", "b"])
    assert found["missed"] == [[0, 2]]  # clip 1 is flagged by a
    assert found["alarms"] == [[0, 5]]
    assert found["domains"] == [["source", 1, [0.6667, 0.3333]], ["target", 1, [0.6667, 0.3333]]]
    assert found["attributes"] == [["leak", 1, [0.0, 0.0]], ["rattle", 1, [1.0, 0.5]]]
    assert found["agreement"][0][0] == 1
    no_threshold = [ScoredRun({**row, "threshold": None}, runs["a"][0].scores)]
    without = error_analysis([replace(section, runs={"a": no_threshold, "b": runs["b"]})], ["a", "b"])
    assert without["judged"] == [1]
    assert without["missed"] == [[0, 1], [0, 2]]


def test_clips_are_the_worst_and_typical_ones():
    abnormal = np.array([False] * 5 + [True] * 5)
    none = np.full(10, None, object)
    scores = np.array([0, 1, 2, 3, 9, 1, 5, 6, 7, 8.0])
    clips = ClipScores(np.arange(10).astype(object), abnormal, scores, none, none)
    kinds = dict(choose_clips(clips, 1))
    assert kinds == {
        "abnormal, missed": 5,
        "normal, false alarm": 4,
        "abnormal, typical": 7,
        "normal, typical": 2,
    }
    assert len(choose_clips(clips, 50)) == 10  # each clip once


def test_sound_is_small_and_plays_at_its_own_rate(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, 160_000).astype(np.float32)
    (tmp_path / "clip.mp3").write_bytes(encoded(noise, 16000))
    assert 30_000 < (tmp_path / "clip.mp3").stat().st_size < 45_000
    assert soundfile.info(tmp_path / "clip.mp3").samplerate == 16000


def test_sound_beyond_the_page_s_size_lies_beside_it_and_pictures_beyond_are_left_out_and_named(board, monkeypatch):
    record = board["listening"][0]
    size = len(json.dumps(record))
    monkeypatch.setattr("mimii.paper.page.assemble.MOST_SOUND", size + 10)
    monkeypatch.setattr("mimii.paper.page.assemble.MOST_LISTENING", 2 * size)
    ((kept,), beside) = within_size([{**board, "listening": [record, record, {**record, "section": 1}]}], "here_sound")
    assert kept["listening"][0] == record
    sounds = {clip["sound"] for clip in kept["listening"][1]["clips"]}
    assert [clip["audio"] for clip in kept["listening"][1]["clips"]] == [None, None]
    assert sounds == {f"here_sound/{name}" for name in beside}
    assert list(beside.values()) == [base64.b64decode(record["clips"][0]["audio"])]
    assert len(json.dumps(kept["listening"])) <= 2 * size
    assert len(kept["listening"]) + len(kept["unheard"]) == 3


def test_sound_beside_a_page_is_shared_with_it_and_goes_when_it_is_no_longer_needed(results, tmp_path, monkeypatch):
    folder = tmp_path / "results"
    shutil.copytree(results, folder)
    (folder / "page_sound").mkdir()
    (folder / "page_sound" / "mine.mp3").write_text("mine")
    monkeypatch.setattr("mimii.paper.page.assemble.MOST_SOUND", 0)
    page_of([folder], folder / "page.html")
    names = sorted(path.name for path in (folder / "page_sound").iterdir())
    assert names[1:] == ["mine.mp3"]
    share(folder, tmp_path / "ours.zip")
    with zipfile.ZipFile(tmp_path / "ours.zip") as archive:
        assert [name for name in archive.namelist() if "page_sound" in name] == [f"page_sound/{names[0]}"]
    monkeypatch.undo()
    page_of([folder], folder / "page.html")
    assert [path.name for path in (folder / "page_sound").iterdir()] == ["mine.mp3"]


@pytest.mark.slow
def test_a_browser_plays_sound_beside_the_page_and_says_where_it_is_gone(results, tmp_path, monkeypatch):
    monkeypatch.setattr("mimii.paper.page.assemble.MOST_SOUND", 0)
    page = tmp_path / "page.html"
    page_of([results], page)
    with opened_browser(tmp_path / "profile") as tab:
        tab.look()
        tab.open(page.as_uri())
        tab.show("section/0/0")
        assert tab.requests == [page.as_uri()]  # nothing is fetched before somebody listens
        tab.do("document.querySelector('audio').play()")
        tab.do("new Promise(done => setTimeout(done, 500))")
        assert tab.do("document.querySelector('audio').currentTime") > 0
        (sound,) = (tmp_path / "page_sound").iterdir()
        assert set(tab.requests) == {page.as_uri(), sound.as_uri()}
        assert tab.faults == []
        sound.unlink()
        tab.show("overview")
        tab.show("section/0/0")
        tab.do("document.querySelector('audio').play().catch(() => null)")
        tab.do("new Promise(done => setTimeout(done, 500))")
        assert "Pass on that folder too" in tab.do("document.body.innerText")


@pytest.mark.slow
def test_a_browser_shows_every_view(results, tmp_path):
    page = tmp_path / "page.html"
    page_of([results], page)
    with opened_browser(tmp_path / "profile") as tab:
        tab.look()
        tab.open(page.as_uri())
        assert "What these results show" in tab.do("document.body.innerText")
        assert HOSTILE in tab.do("document.body.innerText")  # as text
        for view in ("runs", "compare/0/2/1", "section/0/0", "errors", "overview"):
            for width in (1280, 400):
                tab.look(width)
                tab.show(view)
                assert tab.do("document.documentElement.scrollWidth <= innerWidth"), (view, width)
        tab.show("section/0/0")
        drawn = "document.querySelectorAll('figure canvas').length"
        charts = tab.do(drawn)
        assert charts > 1
        # A browser prints what is there when its listeners have run.
        assert tab.do(f"(dispatchEvent(new Event('beforeprint')), Promise.resolve().then(() => {drawn}))") == charts
        tab.look(media="print", dark=True)
        for elsewhere in ("compare/7/9/9", "section/9/9", "section/0", "section/length/0", "constructor"):
            tab.show(elsewhere)
            assert tab.do("document.querySelector('#view h2') !== null"), elsewhere
        assert tab.faults == []
        assert tab.requests == [page.as_uri()]


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)])
def test_a_browser_shows_nothing_bold_where_seeds_are_too_few(run_folder, tmp_path, seeds):
    rows = [
        run_folder(tmp_path / "runs", model, section, seed, quality=quality)
        for model, quality in QUALITIES.items()
        for seed in seeds
        for section in SECTIONS
    ]
    write_csv(tmp_path / "results.csv", rows)
    page_of([tmp_path], tmp_path / "page.html")
    enough = len(seeds) == 3
    with opened_browser(tmp_path / "profile") as tab:
        tab.look()
        tab.open((tmp_path / "page.html").as_uri())
        for view in ("overview", "compare/0/2"):
            tab.show(view)
            text = tab.do("document.getElementById('view').innerText")
            assert ("No claim is made about Variational autoencoder" in text) == (not enough), view
            assert ("old: be" in text) == enough, view  # "Bold: better", "bold: below the level"
        assert (tab.do("document.querySelectorAll('#view strong').length") > 0) == enough
        assert ("< .001" in text) == enough
        assert tab.faults == []


@pytest.mark.slow
def test_a_browser_sorts_filters_copies_compares_and_plays(results, tmp_path):
    page = tmp_path / "page.html"
    page_of([results], page)
    with opened_browser(tmp_path / "profile") as tab:
        tab.look(1600)
        tab.open(page.as_uri())
        tab.show("runs")
        column = (
            "[...document.querySelectorAll('.tabulator-cell[tabulator-field=auc]')].map(one => Number(one.innerText))"
        )
        falling = tab.do(column)
        assert falling == sorted(falling, reverse=True)
        tab.do("document.querySelector('.tabulator-col[tabulator-field=auc] .tabulator-col-title').click()")
        assert tab.do(column) == sorted(falling)
        tab.do(
            "(() => { const box = document.querySelector('.tabulator-col[tabulator-field=label] input'); "
            "box.value = 'deep'; box.dispatchEvent(new Event('input')); box.dispatchEvent(new Event('keyup')); })()"
        )
        tab.do("new Promise(done => setTimeout(done, 600))")
        assert tab.do("document.querySelector('[role=status]').innerText") == "6 of 18 runs"
        tab.do("document.getElementById('copy-csv').click()")
        copied = tab.do("document.querySelector('dialog textarea').value").splitlines()
        assert copied[0].startswith("label,db_level,machine_type")
        assert len(copied) == 7
        tab.do("document.querySelector('dialog button').click()")

        tab.show("compare/0/1")
        one = tab.do("document.querySelector('table').innerText")
        tab.show("compare/1/0")
        assert tab.do("document.querySelector('table').innerText") != one
        chosen = "document.querySelectorAll('#view select')[1]"
        tab.do(f"(() => {{ {chosen}.focus(); {chosen}.value = '2'; {chosen}.dispatchEvent(new Event('change')); }})()")
        tab.do("new Promise(done => setTimeout(done, 200))")
        assert tab.do("location.hash") == "#compare/1/2/0"
        assert tab.do(f"document.activeElement === {chosen}")

        tab.show("section/0/0")
        assert tab.do("document.querySelectorAll('.clip canvas').length") == 3
        tab.do("document.querySelector('audio').play()")
        tab.do("new Promise(done => setTimeout(done, 500))")
        assert tab.do("document.querySelector('audio').currentTime") > 0
        assert tab.do("parseFloat(document.querySelector('.playhead').style.left)") > 0
        assert tab.faults == []
        assert tab.requests == [page.as_uri()]
