"""Datasets as the workflow sees them: archives that come and go, layouts on disk, a page that is followed."""

import csv
import shlex
import zipfile

import pandas
import pyarrow.parquet as pq
import pytest
from dcase_layout import wav
from in_process import compute, tabulate
from mirror import ABNORMAL, NORMAL, clip_bytes, packed, serving, small_archive, table
from small_benchmark import working_in
from workspace import QUICK, REPOSITORY, Workspace, blocks, write_recordings

ARCHIVES = {
    "6_dB_fan.zip": packed(small_archive("fan", ("id_00", "id_02"), seed=1)),
    "-6_dB_pump.zip": packed(small_archive("pump", ("id_00",), seed=2)),
    "0_dB_pump.zip": packed(small_archive("pump", ("id_00",), seed=3)),
}
CLIPS = {"fan": {"id_00": (NORMAL, ABNORMAL), "id_02": (NORMAL, ABNORMAL)}, "pump": {"id_00": (NORMAL, ABNORMAL)}}
SECTIONS = ["6dB/fan/id_00", "6dB/fan/id_02", "min6dB/pump/id_00"]
RUNS = "mahalanobis/default/seed=42"
NO_REPORT = {"tables": False, "figures": [], "page": False}
MODEL = {"models": {"mahalanobis": {}}, "metrics": QUICK, "report": NO_REPORT}


def small_mimii(workspace):
    """Let the workspace's library take the small archives for the published ones."""
    (workspace.folder / "src/mimii/data/published.yaml").write_text(table(ARCHIVES, CLIPS))


def config(mirror, *, keep=False, **changes):
    return {
        "dataset": {
            "source": "zenodo",
            "root": "archives",
            "snrs": ["6dB", "min6dB"],
            "zenodo": {"address": mirror.address, "keep_archives": keep},
        },
        **MODEL,
        **changes,
    }


@pytest.fixture(scope="module")
def mirror():
    with serving(ARCHIVES) as mirror, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield mirror


@pytest.fixture(scope="module")
def fetched(tmp_path_factory, mirror):
    """A finished workspace whose archives were downloaded and removed; and the requests that this took."""
    workspace = Workspace(tmp_path_factory.mktemp("fetched"))
    small_mimii(workspace)
    workspace.configure(config(mirror))
    mirror.drops = 1
    done = workspace.snakemake()
    return workspace, list(mirror.names()), done.stdout


@pytest.fixture
def workspace(fetched, tmp_path):
    return fetched[0].copied_to(tmp_path)


def jobs_of(rule, jobs):
    """Features and sections of a rule's jobs."""
    return {
        name.removeprefix("results/features/").removesuffix(".archive") for planned, name in jobs if planned == rule
    }


@pytest.mark.slow
def test_only_the_needed_archives_are_downloaded_each_once_and_removed_after_use(fetched):
    workspace, requests, _ = fetched
    assert sorted(set(requests)) == ["-6_dB_pump.zip", "6_dB_fan.zip"]
    assert len(requests) == 3  # one connection was dropped
    assert list((workspace.folder / "archives").iterdir()) == []
    with (workspace.folder / "results/results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [f"{row['db_level']}/{row['machine_type']}/{row['machine_id']}" for row in rows] == SECTIONS
    for row in rows:
        assert (row["train_files"], row["validation_files"]) == ("9", "2")
        assert (row["normal_test_clips"], row["abnormal_test_clips"], row["skipped_clips"]) == ("3", "3", "0")


@pytest.mark.slow
def test_progress_reaches_the_terminal(fetched):
    assert "6_dB_fan.zip: downloading" in fetched[2]
    assert "6_dB_fan.zip: removed" in fetched[2]


@pytest.mark.slow
def test_an_archive_is_gone_before_the_next_but_one_comes(fetched):
    lines = [line for line in fetched[2].splitlines() if line.endswith("are there") or ": downloading" in line]
    assert [line.split(":")[0] for line in lines if "downloading" in line] == ["6_dB_fan.zip", "-6_dB_pump.zip"]


@pytest.mark.slow
def test_features_that_are_there_need_no_archive(workspace):
    assert workspace.planned() == set()


@pytest.mark.slow
def test_another_section_downloads_its_own_archive_alone(workspace, mirror):
    workspace.configure(config(mirror, dataset={**config(mirror)["dataset"], "snrs": "all"}))
    jobs = workspace.planned()
    assert jobs_of("download_archive", jobs) == {"default/0dB/pump/id_00"}
    assert jobs_of("extract_features", jobs) == {"default/0dB/pump/id_00"}
    assert {name for rule, name in jobs if rule == "train_classical_model"} == {
        f"results/runs/{RUNS}/0dB/pump/id_00",
    }
    assert ("remove_archive", "results/features/0_dB_pump.zip.removed") in jobs


@pytest.mark.slow
def test_other_features_download_again_and_leave_the_first_ones_alone(workspace, mirror):
    studies = {"bands": {"model": "mahalanobis", "vary": {"n_mels": [32]}}}
    workspace.configure(config(mirror, studies=studies))
    wanted = {f"n_mels=32/{section}" for section in SECTIONS}
    jobs = workspace.planned()
    assert jobs_of("download_archive", jobs) == jobs_of("extract_features", jobs) == wanted
    assert {name for rule, name in jobs if rule == "train_classical_model"} == {
        f"results/runs/mahalanobis/n_mels=32/seed=42/{section}" for section in SECTIONS
    }
    mirror.requests.clear()
    workspace.snakemake(f"results/features/n_mels=32/{SECTIONS[0]}.parquet")
    assert mirror.names() == ["6_dB_fan.zip"]


@pytest.mark.slow
def test_kept_archives_stay_and_are_not_downloaded_again(workspace, mirror):
    workspace.configure(config(mirror, keep=True, features={"n_mels": 16}))
    mirror.requests.clear()
    workspace.snakemake("results/features/n_mels=16/6dB/fan/id_00.parquet")
    archive = workspace.folder / "archives/6_dB_fan.zip"
    assert archive.read_bytes() == ARCHIVES["6_dB_fan.zip"]
    assert not jobs_of("remove_archive", workspace.planned())
    workspace.snakemake("results/features/n_mels=16/6dB/fan/id_02.parquet")
    assert mirror.names() == ["6_dB_fan.zip"]
    # What was replaced since is refused, by name, before it is used.
    archive.write_bytes(ARCHIVES["6_dB_fan.zip"][:-1] + b"?")
    (workspace.folder / "results/features/n_mels=16/6dB/fan/id_02.parquet").unlink()
    done = workspace.snakemake("results/features/n_mels=16/6dB/fan/id_02.parquet", check=False)
    assert done.returncode
    log = workspace.folder / "results/features/n_mels=16/6dB/fan/id_02.download_archive.log"
    assert str(log.relative_to(workspace.folder)) in done.stdout + done.stderr
    assert log.read_text().startswith("error: archive 'archives/6_dB_fan.zip' is corrupted or was replaced")


@pytest.mark.slow
def test_an_archive_that_was_put_there_is_used_and_stays(workspace, mirror):
    (workspace.folder / "archives/6_dB_fan.zip").write_bytes(ARCHIVES["6_dB_fan.zip"])
    dataset = {**config(mirror)["dataset"], "snrs": ["6dB"]}
    workspace.configure(config(mirror, dataset=dataset, features={"n_mels": 24}))
    mirror.requests.clear()
    workspace.snakemake("results/features/6_dB_fan.zip.removed")
    assert mirror.requests == []
    assert (workspace.folder / "archives/6_dB_fan.zip").exists()


def unpack(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.parent / name
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    path.unlink()


@pytest.mark.slow
def test_every_layout_gives_the_same_scores(workspace):
    """Downloaded (what `workspace` holds), archives side by side, unpacked, and as the original has it."""
    data = workspace.folder / "data"
    for name, content in ARCHIVES.items():
        unpack(data / "unpacked" / name.removesuffix(".zip"), name, content)
    (data / "zipped").mkdir()
    (data / "zipped/6_dB_fan.zip").write_bytes(ARCHIVES["6_dB_fan.zip"])
    (data / "zipped/-6_dB_pump").symlink_to(data / "unpacked/-6_dB_pump")
    unpack(data / "original/6dB", "fan.zip", ARCHIVES["6_dB_fan.zip"])
    unpack(data / "original/min6dB", "pump.zip", ARCHIVES["-6_dB_pump.zip"])
    files = [f"runs/{RUNS}/{section}/scores.parquet" for section in SECTIONS]
    expected = [(workspace.folder / "results" / file).read_bytes() for file in files]
    for layout in ("zipped", "unpacked", "original"):
        dataset = {"root": str(data / layout), "snrs": ["6dB", "min6dB"]}
        places = {"results": layout, "features": f"{layout}/features", "runs": f"{layout}/runs"}
        workspace.configure(MODEL | {"dataset": dataset, "paths": places})
        planned = {name for rule, name in workspace.planned() if rule == "score_clips"}
        assert planned == {f"{layout}/runs/{RUNS}/{section}" for section in SECTIONS}
        with working_in(workspace.folder):
            compute(MODEL | {"dataset": dataset, "paths": places})
        assert [(workspace.folder / layout / file).read_bytes() for file in files] == expected


@pytest.mark.slow
def test_the_page_on_adding_a_dataset_can_be_followed(tmp_path):
    page = (REPOSITORY / "docs/adding_a_dataset.md").read_text()
    workspace = Workspace(tmp_path)
    for block in blocks(page, "python") + blocks(page, "yaml"):
        name = block.splitlines()[0].removeprefix("# ")
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(block)

    (tmp_path / "workshop").mkdir()
    for number in range(14):
        label = "broken" if number % 6 == 5 else "ok"
        (tmp_path / f"workshop/lathe-left_{label}_{number}.wav").write_bytes(clip_bytes(number))

    for block in blocks(page, "bash"):
        for line in block.splitlines():
            command, *arguments = shlex.split(line)
            assert command == "snakemake"
            printed = workspace.snakemake(*arguments).stdout
            if "check_dataset" in arguments:
                assert "+/lathe/left: 12 normal, 2 abnormal: can be run" in printed
    with (tmp_path / "results/results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["db_level"], row["machine_type"], row["machine_id"]) for row in rows] == [
        (model, "+", "lathe", "left") for model in ("mahalanobis", "pca")
    ]


def test_a_dataset_that_cannot_be_used_yet_can_be_checked(tmp_path):
    workspace = Workspace(tmp_path)
    folder = tmp_path / "data/6dB/fan/id_00/normal"
    folder.mkdir(parents=True)
    (folder / "00000000.wav").write_bytes(clip_bytes(0))
    workspace.configure({"dataset": {"root": "data"}, "models": {"mahalanobis": {}}})
    done = workspace.snakemake("check_dataset", check=False)
    assert done.returncode
    assert "6dB/fan/id_00: 1 normal, 0 abnormal: cannot be run\n" in done.stdout
    assert "missing: 1010 of 1011 normal (00000001.wav" in done.stdout
    assert "missing: 0dB/valve: id_00, id_02, id_04, id_06" in done.stdout
    assert "at least 10" in workspace.snakemake(check=False).stderr


@pytest.mark.slow
def test_one_model_for_all_ids_of_a_machine_type(tmp_path):
    """As the baseline of DCASE 2020 task 2 is trained: on all IDs, and scored on each."""
    workspace = Workspace(tmp_path)
    for id in ("id_00", "id_02"):
        for number in range(16):
            name = "test/anomaly" if number < 2 else "test/normal" if number < 5 else "train/normal"
            file = tmp_path / f"data/fan/{name}_{id}_{number:08d}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(clip_bytes([number, *id.encode()]))
    settings = {
        "dataset": {"source": "dcase2020", "root": "data"},
        "models": {"simple_ae": {}},
        "report": {"tables": False, "figures": [], "page": False},
    }
    together = {"epochs": 1, "train_per": "machine_type"}
    workspace.configure({**settings, "settings": together})
    workspace.snakemake()
    with (tmp_path / "results/results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["machine_id"] for row in rows] == ["id_00", "id_02"]
    for row in rows:
        assert row["variant"] == "epochs=1,train_per=machine_type"
        assert (row["train_files"], row["validation_files"]) == ("18", "4")
        assert (row["normal_test_clips"], row["abnormal_test_clips"]) == ("3", "2")
        scores = pq.read_table(tmp_path / "results/runs" / row["run_path"] / "scores.parquet").to_pylist()
        assert len([score for score in scores if score["split"] == "validation"]) == 2
        assert all(f"_{row['machine_id']}_" in score["path"] for score in scores)
    assert len({row["training_loss"] for row in rows}) == 1
    # An ID that the configuration leaves out is trained on all the same: the path says nothing of it.
    one = {**settings["dataset"], "ids": ["id_00"]}
    workspace.configure({**settings, "settings": together, "dataset": one})
    assert {rule for rule, _ in workspace.planned()} == {"merge_results"}
    # One model per section is another run.
    workspace.configure(settings)
    assert {name for rule, name in workspace.planned() if rule == "train_model"} == {
        f"results/runs/simple_ae/default/seed=42/dcase2020/fan/{id}" for id in ("id_00", "id_02")
    }


def press_in_two_halls(root):
    """Recordings of a press in folders of their label, hall and speed, and a table that says the same."""
    lines = ["path,label,machine,domain,attributes"]
    for label, count in (("normal", 12), ("abnormal", 3)):
        for domain, hall in (("source", "old hall"), ("target", "new hall")):
            for speed in ("speed 1", "speed 2"):
                folder = f"press/{label}/{hall}/{speed}"
                (root / folder).mkdir(parents=True)
                for number in range(count):
                    seed = [number, len(label), *folder.encode()]
                    (root / folder / f"{number}.wav").write_bytes(wav(seed))
                    lines.append(f"{folder}/{number}.wav,{label},press,{domain},{speed}")
    (root / "labels.csv").write_text("\n".join(lines))


@pytest.mark.slow
def test_domains_and_attributes_of_own_recordings_reach_tables_and_figures(tmp_path):
    """By folders, through the workflow; and of the same clips a table says the same."""
    workspace = Workspace(tmp_path)
    press_in_two_halls(tmp_path / "data")
    folders = {"source": "labelled", "labelled": {"source": ["old hall"], "target": ["new hall"]}}
    shared = {"models": {"mahalanobis": {}}, "metrics": QUICK}
    workspace.configure(
        {
            "dataset": {"root": "data", **folders},
            **shared,
            "report": {"tables": True, "figures": ["svg"], "clips": {"sections": []}},
        }
    )
    workspace.snakemake()
    rows = pandas.read_csv(tmp_path / "results/results.csv")
    assert rows[["auc_source", "auc_target", "official_score", "official_score_low"]].notna().all(axis=None)
    scores = pandas.read_csv(tmp_path / "results/tables/official_score_+.csv").set_index(["machine_id", "metric"])
    assert set(scores.loc["(all)", "value"].index.unique()) == {"official_score", "auc_source", "auc_target", "pauc"}
    assert (tmp_path / "results/figures/source_and_target_+.svg").exists()
    metrics = pandas.read_csv(tmp_path / "results/metrics.csv")
    assert set(metrics["domain"].dropna()) == {"source", "target"}
    assert set(metrics["attributes"].dropna()) == {"speed 1", "speed 2"}
    (file,) = (tmp_path / "results/runs").rglob("scores.parquet")
    clips = pandas.read_parquet(file)
    tested = clips[(clips["split"] == "test") & (clips["label"] == "normal")]
    assert tested["domain"].value_counts().to_dict() == {"source": 6, "target": 6}
    page = (tmp_path / "results/page.html").read_text()
    assert "speed 2" in page

    (tmp_path / "by_table").mkdir()
    with working_in(tmp_path / "by_table"):
        compute({"dataset": {"root": str(tmp_path / "data"), "source": "table"}, **shared, "report": NO_REPORT})
    by_table = pandas.read_parquet(tmp_path / "by_table" / file.relative_to(tmp_path))
    pandas.testing.assert_frame_equal(*(one.sort_values("path", ignore_index=True) for one in (by_table, clips)))


def test_own_recordings_at_every_depth_are_averaged_right(tmp_path):
    """Folders of normal and abnormal recordings below none, one, two and three folders, one of them called all."""
    workspace = Workspace(tmp_path)
    folders = {
        "+/+/+": ".",
        "+/all/+": "all",
        "+/press/unit_7": "press/unit 7",
        "plant_1/press/all": "plant 1/press/all",
    }
    for folder in folders.values():
        write_recordings(tmp_path / "data" / folder)
    models = ["pca", "mahalanobis"]
    config = {
        "dataset": {"source": "labelled", "root": "data"},
        "models": {model: {} for model in models},
        "metrics": QUICK,
        "report": {"tables": True, "figures": [], "page": False},
    }
    workspace.configure(config)
    assert {name for rule, name in workspace.planned() if rule == "score_clips"} == {
        f"results/runs/{model}/default/seed=42/{section}" for model in models for section in folders
    }
    with working_in(tmp_path):
        tabulate(compute(config))
    rows = pandas.read_csv(tmp_path / "results/results.csv")
    assert len(rows) == 2 * len(folders)
    assert {"/".join(row) for row in rows[["db_level", "machine_type", "machine_id"]].to_numpy()} == set(folders)
    table = pandas.read_csv(tmp_path / "results/tables/overview.csv")
    assert sorted(table["model"]) == ["mahalanobis", "pca"]
    for _, row in table.iterrows():
        # Over IDs, then machine types, then what stands in the place of SNRs.
        auc = rows[rows["model"] == row["model"]].set_index(["db_level", "machine_type"])["auc"]
        expected = (auc["+"].mean() + auc["plant_1"].mean()) / 2
        assert row["auc"] == pytest.approx(expected)
