"""DCASE task 2 in every year's true layout: what is listed, what is refused, what is downloaded."""

import hashlib
import json
import shutil

import pytest
from dcase_layout import ATTRIBUTES, TEST, TRAIN, lay_out, packed, small_dcase
from mirror import serving
from urllib3.util import Retry

from mimii.common.errors import UserError
from mimii.data import download
from mimii.data.completeness import check_dataset
from mimii.data.dcase_years import PARTS, Year, years
from mimii.data.download import download_archive, read_listing
from mimii.data.lookup import open_source
from mimii.data.split import fit_count
from mimii.planning.config import read_config

LAYOUTS = ["zipped", "unpacked", "folders"]
SHORT = Retry(total=3, backoff_factor=0.001, backoff_max=0.01, status_forcelist=download.BUSY)


def empty(seed, channels):
    return b""


def source_of(root, year, data="development", source="dcase", dcase=None, **changes):
    dataset = {"root": str(root), "source": source, "dcase": {"year": year, "data": data, **(dcase or {})}, **changes}
    return open_source(read_config({"dataset": dataset, "models": {"vae": {}}})["dataset"])


def first_type(year, part):
    return Year(year).types(part)[0]


# What is known


def test_every_year_is_known_with_its_types_and_archives():
    assert years() == list(range(2020, 2027))
    counts = {2020: (6, 6), 2021: (7, 7), 2022: (7, 7), 2023: (7, 7), 2024: (7, 9), 2025: (7, 8), 2026: (7, 5)}
    for year in years():
        facts = Year(year)
        assert tuple(len(facts.types(part)) for part in PARTS) == counts[year]
        names = [archive.name for part in PARTS for type in facts.types(part) for archive in facts.archives(part, type)]
        assert len(set(names)) == len(names) == counts[year][0] + 2 * counts[year][1]
        for part in PARTS:
            for machine in facts.types(part):
                assert all(facts.part_of(machine, id) == part for id in facts.ids(part, machine))


def test_archives_and_sections_have_their_published_names():
    assert [archive.name for archive in Year(2020).archives("evaluation", "fan")] == [
        "eval_data_train_fan.zip",
        "eval_data_test_fan.zip",
    ]
    assert Year(2020).ids("evaluation", "ToyCar") == ["id_05", "id_06", "id_07"]
    assert (
        Year(2021).archives("development", "fan")[0].place == "dev_data_fan.zip of https://zenodo.org/records/4562016"
    )
    assert Year(2024).archives("evaluation", "RoboticArm")[0].name == "eval_data_RoboticArm_train_r2.zip"
    assert Year(2026).archives("development", "ToyCar")[0].name == "dev_ToyCar_r2.zip"


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("section_00_source_train_normal_0000_car_A2_spd_28V_mic_1_noise_1.wav", "car_A2_spd_28V_mic_1_noise_1"),
        ("section_00_source_train_normal_0000_weight15_BckgF.wav", "weight15_BckgF"),
        ("section_00_target_test_anomaly_0049_noAttribute.wav", ""),
        ("section_00_target_test_anomaly_0049_.wav", ""),
        ("section_00_target_test_anomaly_0049.wav", ""),
        ("section_00_target_test_anomaly_0049_vel_21_.wav", "vel_21"),
    ],
)
def test_attributes_are_what_stands_after_the_number(name, attributes):
    parsed = Year(2026).parse(name)
    assert (parsed.id, parsed.attributes) == ("section_00", attributes)
    assert parsed.domain in name
    assert parsed.split in name
    assert Year(2020).parse(name) is None


@pytest.mark.parametrize("name", ["normal_id_00_00000000.wav", "x.wav", "section_00.wav", "section_00_0000.WAV.txt"])
def test_names_of_another_kind_are_none(name):
    assert Year(2023).parse(name) is None


# Recordings that are there


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("year", years())
def test_every_year_is_read_with_its_split_labels_domains_and_attributes(tmp_path, year, part, layout):
    machine = first_type(year, part)
    archives, labels = small_dcase(year, [machine], part=part, content=empty)
    lay_out(tmp_path, archives, layout)
    if part == "evaluation":
        (tmp_path / Year(year).labels_file).write_text(labels)
    source = source_of(tmp_path, year, part)
    (section,) = source.sections()
    assert section.path == f"dcase{year}/{machine}/{Year(year).ids(part, machine)[0]}"
    source.check(section)
    clips = source.clips(section)
    kinds = [(clip.split, clip.label, clip.domain) for clip in clips]
    if year == 2020:
        assert (
            kinds
            == [("train", "normal", None)] * 22 + [("test", "normal", None)] * 8 + [("test", "abnormal", None)] * 8
        )
        return
    for domain in ("source", "target"):
        assert kinds.count(("train", "normal", domain)) == TRAIN[domain]
        for label in ("normal", "abnormal"):
            assert kinds.count(("test", label, domain)) == TEST
    trained = {clip.attributes for clip in clips if clip.split == "train"}
    assert trained == {text.strip("_") for text in ATTRIBUTES} - {"noAttribute"}


@pytest.mark.parametrize("year", [2021, 2024])
def test_clips_have_the_same_paths_in_every_layout(tmp_path, year):
    archives, _ = small_dcase(year, ["fan", "ToyCar"], content=empty)
    found = set()
    for layout in LAYOUTS:
        lay_out(tmp_path / layout, archives, layout)
        source = source_of(tmp_path / layout, year)
        found.add(tuple(clip for section in source.sections() for clip in source.clips(section)))
    assert len(found) == 1


def test_both_ends_of_the_training_clips_hold_both_domains(tmp_path):
    archives, _ = small_dcase(2024, ["fan"], content=empty)
    lay_out(tmp_path, archives, "unpacked")
    source = source_of(tmp_path, 2024)
    train = [clip for clip in source.clips(source.sections()[0]) if clip.split == "train"]
    fitted, held_out = train[: fit_count(len(train), 0.2)], train[fit_count(len(train), 0.2) :]
    assert {clip.domain for clip in fitted} == {clip.domain for clip in held_out} == {"source", "target"}


def test_development_and_evaluation_data_are_chosen_and_may_lie_together(tmp_path):
    for part in PARTS:
        archives, labels = small_dcase(2022, ["fan"], part=part, content=empty)
        lay_out(tmp_path, archives, "unpacked")
    (tmp_path / "eval_data_list_2022.csv").write_text(labels)
    for data, ids in (
        ("development", ["section_00"]),
        ("evaluation", ["section_03"]),
        ("all", ["section_00", "section_03"]),
    ):
        assert [section.id for section in source_of(tmp_path, 2022, data).sections()] == ids


def test_where_the_baseline_unpacks_to_is_found(tmp_path):
    archives, _ = small_dcase(2023, ["fan"], content=empty)
    lay_out(tmp_path / "dev_data/raw", archives, "unpacked")
    assert len(source_of(tmp_path, 2023).sections()) == 1


def test_real_clips_are_whole_in_an_archive_and_out_of_it(tmp_path):
    archives, _ = small_dcase(2026, ["fan"])
    for layout in LAYOUTS:
        lay_out(tmp_path / layout, archives, layout)
        said = []
        assert check_dataset(source_of(tmp_path / layout, 2026, machines=["fan"]), said.append) == 0
        assert said[0] == "dcase2026/fan/section_00: 38 normal, 16 abnormal: can be run"


def test_recordings_that_come_with_an_archive_and_are_not_of_the_task_are_passed_over(tmp_path):
    archives, _ = small_dcase(2025, ["fan"], content=empty)
    archives["dev_fan.zip"]["fan/supplemental/section_00_machine_0001_.wav"] = b""
    archives["dev_fan.zip"]["fan/attributes_00.csv"] = b"file_name,d1p,d1v\n"
    for layout in LAYOUTS:
        lay_out(tmp_path / layout, archives, layout)
        source = source_of(tmp_path / layout, 2025)
        assert len(source.clips(source.sections()[0])) == 54


# What is missing or wrong


def test_a_missing_list_of_labels_is_named_with_its_source(tmp_path):
    for year, address in (
        (2020, "zenodo.org/records/3951620"),
        (2024, "dcase2023_task2_baseline_ae"),
        (2026, "evaluator"),
    ):
        root = tmp_path / str(year)
        machine = first_type(year, "evaluation")
        archives, labels = small_dcase(year, [machine], part="evaluation", content=empty)
        lay_out(root, archives, "unpacked")
        source = source_of(root, year, "evaluation")
        with pytest.raises(UserError, match=rf"neither eval_data_list.*csv nor .* is in .*{address}"):
            source.check(source.sections()[0])
        (root / Year(year).labels_file).write_text(labels.splitlines()[0] + "\n")
        with pytest.raises(UserError, match="has no labels of"):
            source.check(source.sections()[0])
        (root / Year(year).labels_file).write_text("\n".join(labels.splitlines()[:-1]))
        with pytest.raises(UserError, match="has no label of it"):
            source.check(source.sections()[0])


def test_a_label_that_changes_changes_the_fingerprint(tmp_path):
    archives, labels = small_dcase(2024, ["3DPrinter"], part="evaluation", content=empty)
    lay_out(tmp_path, archives, "unpacked")
    seen = set()
    for text in (labels, labels.replace("anomaly", "normal", 1), labels.replace("_target_test", "_source_test", 1)):
        (tmp_path / "eval_data_list_2024.csv").write_text(text)
        source = source_of(tmp_path, 2024, "evaluation")
        seen.add(source.fingerprint(source.sections()[0]))
    assert len(seen) == 3


def test_labels_as_the_evaluators_have_them(tmp_path):
    archives, labels = small_dcase(2026, ["ToyDrone"], part="evaluation", content=empty)
    lay_out(tmp_path, archives, "unpacked")
    rows = [line.split(",") for line in labels.splitlines()[1:]]
    for folder, word in (("ground_truth_data", "anomaly"), ("ground_truth_domain", "target")):
        (tmp_path / folder).mkdir()
        lines = [f"{name},{int(word in labelled)}" for name, labelled in rows]
        (tmp_path / folder / "ground_truth_ToyDrone_section_00_test.csv").write_text("\n".join(lines))
    source = source_of(tmp_path, 2026, "evaluation")
    found = [clip for clip in source.clips(source.sections()[0]) if clip.split == "test"]
    (tmp_path / "eval_data_list_2026.csv").write_text(labels)
    source = source_of(tmp_path, 2026, "evaluation")
    listed = [clip for clip in source.clips(source.sections()[0]) if clip.split == "test"]
    assert [(c.path, c.label, c.domain) for c in found] == [(c.path, c.label, c.domain) for c in listed]
    (tmp_path / "eval_data_list_2026.csv").unlink()
    (tmp_path / "ground_truth_domain/ground_truth_ToyDrone_section_00_test.csv").unlink()
    with pytest.raises(UserError, match=r"ground_truth_domain.* does not say the domain of section_00_0000.wav"):
        source_of(tmp_path, 2026, "evaluation").check(source.sections()[0])
    (tmp_path / "ground_truth_data/ground_truth_ToyDrone_section_00_test.csv").write_text("section_00_0000.wav,yes\n")
    with pytest.raises(UserError, match=r"line 1: expected the name of a recording and 0 or 1"):
        source_of(tmp_path, 2026, "evaluation").check(source.sections()[0])


def as_evaluator(root, machine, rows, files):
    """Write ground_truth_data and _domain of (published, labelled) names; files: name of each by its published name."""
    for folder, word in (("ground_truth_data", "anomaly"), ("ground_truth_domain", "target")):
        (root / folder).mkdir()
        for name, labelled in rows:
            with (root / folder / f"ground_truth_{machine}_{files(name)}_test.csv").open("a") as file:
                file.write(f"{name},{int(word in labelled)}\n")


def test_the_evaluator_of_2021_has_a_file_for_each_domain(tmp_path):
    archives, labels = small_dcase(2021, ["fan"], part="evaluation", content=empty)
    lay_out(tmp_path, archives, "unpacked")
    rows = [line.split(",") for line in labels.splitlines()[1:]]
    as_evaluator(tmp_path, "fan", rows, lambda name: "_".join(name.split("_")[:3]))
    source = source_of(tmp_path, 2021, "evaluation")
    found = {(clip.path, clip.label, clip.domain) for clip in source.clips(source.sections()[0])}
    (tmp_path / "eval_data_list_2021.csv").write_text(labels)
    source = source_of(tmp_path, 2021, "evaluation")
    assert found == {(clip.path, clip.label, clip.domain) for clip in source.clips(source.sections()[0])}


def test_where_a_list_contradicts_the_evaluator_the_evaluator_counts(tmp_path):
    archives, labels = small_dcase(2022, ["ToyCar"], part="evaluation", content=empty)
    lay_out(tmp_path, archives, "unpacked")
    (tmp_path / "eval_data_list_2022.csv").write_text(labels)
    # The list of 2022 is known to contradict it on this machine type.
    source = source_of(tmp_path, 2022, "evaluation")
    with pytest.raises(UserError, match=r"disagree on ToyCar; copy ground_truth_data .*dcase2022_evaluator"):
        source.check(source.sections()[0])
    rows = [line.split(",") for line in labels.splitlines()[1:]]
    other = [(name, labelled) for (name, _), (_, labelled) in zip(rows, rows[::-1], strict=True)]
    for given, with_attributes in ((rows, True), (other, False)):
        as_evaluator(tmp_path, "ToyCar", given, lambda name: "_".join(name.split("_")[:2]))
        source = source_of(tmp_path, 2022, "evaluation")
        clips = {clip.path: clip for clip in source.clips(source.sections()[0]) if clip.split == "test"}
        for name, labelled in given:
            clip = clips[f"ToyCar/test/{name}"]
            assert (clip.label == "abnormal", clip.domain == "target") == ("anomaly" in labelled, "target" in labelled)
        assert any(clip.attributes for clip in clips.values()) == with_attributes
        for folder in ("ground_truth_data", "ground_truth_domain"):
            shutil.rmtree(tmp_path / folder)


def test_attributes_that_were_published_later_are_read(tmp_path):
    archives, labels = small_dcase(2024, ["AirCompressor"], part="evaluation", content=empty)
    lay_out(tmp_path, archives, "unpacked")
    (tmp_path / "eval_data_list_2024.csv").write_text(labels)
    folder = tmp_path / "ground_truth_attributes/dcase2024t2/eval_data/AirCompressor"
    folder.mkdir(parents=True)
    labelled = dict(line.split(",") for line in labels.splitlines()[1:])
    tested = next(name for name, own in labelled.items() if own.endswith("_noAttribute.wav"))
    trained = "section_00_source_train_normal_0004_noAttribute.wav"
    for split, published in (("train", trained), ("test", labelled[tested])):
        (folder / f"attributes_00_{split}_correspondence.csv").write_text(
            f"source_file_name,target_file_name\n{published.replace('noAttribute', 'fl_2_nos_0')},{published}\n"
        )
    source = source_of(tmp_path, 2024, "evaluation")
    by_path = {clip.path: clip.attributes for clip in source.clips(source.sections()[0])}
    assert by_path[f"AirCompressor/train/{trained}"] == by_path[f"AirCompressor/test/{tested}"] == "fl_2_nos_0"


@pytest.mark.parametrize(("year", "name"), [(2024, "eval_data_3DPrinter_train"), (2026, "dev_ToyCar")])
def test_an_archive_that_was_replaced_is_refused_by_name(tmp_path, year, name):
    part = "evaluation" if year == 2024 else "development"
    machine = "3DPrinter" if year == 2024 else "ToyCar"
    archives, _ = small_dcase(year, [machine], part=part, content=empty)
    lay_out(tmp_path, archives, "zipped")
    (tmp_path / f"{name}_r2.zip").rename(tmp_path / f"{name}.zip")
    with pytest.raises(UserError, match=rf"{name}.zip' was replaced .* take {name}_r2.zip of https://zenodo.org"):
        source_of(tmp_path, year, part).sections()


def test_the_missing_half_of_a_section_is_named_with_its_archive(tmp_path):
    archives, labels = small_dcase(2024, ["Scanner"], part="evaluation", content=empty)
    del archives["eval_data_Scanner_train.zip"]
    lay_out(tmp_path, archives, "zipped")
    (tmp_path / "eval_data_list_2024.csv").write_text(labels)
    source = source_of(tmp_path, 2024, "evaluation")
    with pytest.raises(UserError, match=r"train recordings .* eval_data_Scanner_train.zip of .*/11259435"):
        source.check(source.sections()[0])


def test_wrong_years_places_and_filters_are_said(tmp_path):
    with pytest.raises(UserError, match=r"dataset.dcase.year: say which year"):
        source_of(tmp_path, None)
    with pytest.raises(UserError, match=r"dataset.root: there is no folder"):
        source_of(tmp_path / "nowhere", 2023).sections()
    with pytest.raises(
        UserError, match=r"no recordings of DCASE 2023 .* dev_bearing.zip of https://zenodo.org/records/7882613"
    ):
        source_of(tmp_path, 2023).sections()
    archives, _ = small_dcase(2023, ["fan"], content=empty)
    lay_out(tmp_path, archives, "zipped")
    with pytest.raises(UserError, match=r"dataset.machines: 'ToyCar' is not in"):
        source_of(tmp_path, 2023, machines=["ToyCar"]).sections()
    lay_out(tmp_path, archives, "unpacked")
    with pytest.raises(UserError, match=r"is there twice, in .*fan/.*dev_fan.zip"):
        source_of(tmp_path, 2023).sections()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fan/train/section_00_source_train_anomaly_0000_vel_1.wav", "an anomaly among the training recordings"),
        ("fan/train/section_00_source_test_normal_0900_vel_1.wav", "a test recording in the folder train"),
        ("fan/train/section_00_0000.wav", "says neither label nor machine ID"),
        ("fan/test/normal_id_00_00000000.wav", "says neither label nor machine ID"),
        ("fan/test/section_07_source_test_normal_0000.wav", "fan has no section_07 in 2023; it has section_00"),
    ],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_recordings_out_of_place_are_refused(tmp_path, name, says, layout):
    archives, _ = small_dcase(2023, ["fan"], content=empty)
    archives["dev_fan.zip"][name] = b""
    lay_out(tmp_path, archives, layout)
    with pytest.raises(UserError, match=says):
        source_of(tmp_path, 2023).sections()


# Downloads


@pytest.fixture
def zenodo(monkeypatch):
    """A server with the evaluation data of a machine type of 2024 and the listings of their records."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    archives, labels = small_dcase(2024, ["ToyCircuit"], part="evaluation", content=lambda seed, channels: bytes(2000))
    files = {}
    for archive in Year(2024).archives("evaluation", "ToyCircuit"):
        content = packed(archives[archive.name])
        files[f"{archive.record}/{archive.name}"] = content
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        listed = [{"key": archive.name, "size": len(content), "checksum": f"md5:{md5}", "links": {}}]
        files[f"api/{archive.record}"] = json.dumps({"id": archive.record, "files": listed}).encode()
    with serving(files) as mirror:
        mirror.labels = labels
        yield mirror


@pytest.fixture
def downloading(zenodo, tmp_path):
    (tmp_path / "eval_data_list_2024.csv").write_text(zenodo.labels)
    host = zenodo.address.removesuffix("/{archive}")
    dcase = {"download": True, "address": f"{host}/{{record}}/{{archive}}", "listing": f"{host}/api/{{record}}"}
    return source_of(tmp_path, 2024, "evaluation", dcase=dcase, machines=["ToyCircuit"])


def fetch(source, tmp_path):
    for name in source.all_archive_names():
        download_archive(
            source.published_archive(name), tmp_path, source.address(name), retries=SHORT, say=lambda line: None
        )


def test_the_needed_archives_are_downloaded_by_record_number_and_checked(downloading, zenodo, tmp_path):
    (section,) = downloading.sections()
    downloading.check(section)
    assert zenodo.requests == []
    before = downloading.fingerprint(section)
    zenodo.drops = 2
    fetch(downloading, tmp_path)
    assert [clip.split for clip in downloading.clips(section)].count("test") == 4 * TEST
    assert downloading.fingerprint(section) == before
    asked = list(zenodo.requests)
    fetch(downloading, tmp_path)
    assert zenodo.requests == asked  # neither archives nor listings are asked for again
    (tmp_path / "eval_data_ToyCircuit_test.zip").write_bytes(b"other")
    with pytest.raises(UserError, match="corrupted or was replaced"):
        source_of(tmp_path, 2024, "evaluation", dcase={"download": True}, machines=["ToyCircuit"]).clips(section)


@pytest.mark.parametrize(
    "content", [b"", b"<html>busy</html>", b"{}", b"[]", b'{"files": [{"key": "x"}]}', b'{"files": "x"}']
)
def test_what_is_no_listing_is_refused_and_asked_for_again(downloading, zenodo, tmp_path, content):
    right = zenodo.files["api/11259435"]
    zenodo.files["api/11259435"] = content
    with pytest.raises(UserError, match=r"api/11259435: what the server sent is no listing of a Zenodo record"):
        downloading.published_archive("eval_data_ToyCircuit_train.zip")
    zenodo.files["api/11259435"] = right
    assert downloading.published_archive("eval_data_ToyCircuit_train.zip").size > 0


def test_a_listing_without_md5_or_without_the_archive_is_refused(downloading, zenodo, tmp_path):
    listing = json.loads(zenodo.files["api/11259435"])
    listing["files"][0]["checksum"] = "sha256:abc"
    zenodo.files["api/11259435"] = json.dumps(listing).encode()
    with pytest.raises(UserError, match="no listing"):
        downloading.published_archive("eval_data_ToyCircuit_train.zip")
    listing["files"] = []
    zenodo.files["api/11259435"] = json.dumps(listing).encode()
    with pytest.raises(UserError, match=r"does not list eval_data_ToyCircuit_train.zip"):
        downloading.published_archive("eval_data_ToyCircuit_train.zip")


def test_a_busy_or_dropping_server_is_asked_again_for_the_listing(zenodo, tmp_path):
    address = zenodo.address.replace("{archive}", "api/11259435")
    zenodo.refusals, zenodo.drops = [503, 429], 1
    found = read_listing(address, tmp_path / "listing.json", retries=SHORT, say=lambda line: None)
    assert list(found) == ["eval_data_ToyCircuit_train.zip"]
    zenodo.refusals = [503] * 100
    with pytest.raises(UserError, match="given up after 3 tries"):
        read_listing(address, tmp_path / "again.json", retries=SHORT, say=lambda line: None)
    zenodo.refusals = [404]
    with pytest.raises(UserError, match="the server answers 404"):
        read_listing(address, tmp_path / "again.json", retries=SHORT, say=lambda line: None)


def test_bytes_that_do_not_match_the_listing_are_refused_and_removed(downloading, zenodo, tmp_path):
    name = "eval_data_ToyCircuit_train.zip"
    content = zenodo.files[f"11259435/{name}"]
    zenodo.files[f"11259435/{name}"] = content[:-1] + b"?"
    with pytest.raises(UserError, match="is not the published archive"):
        fetch(downloading, tmp_path)
    assert not (tmp_path / name).exists()


def test_downloads_of_evaluation_data_need_the_labels_before_they_start(zenodo, tmp_path):
    source = source_of(tmp_path, 2024, "evaluation", dcase={"download": True}, machines=["ToyCircuit"])
    with pytest.raises(UserError, match=r"eval_data_list_2024.csv"):
        source.check(source.sections()[0])
