"""Made-up data of DCASE task 2 in every year's true layout: names, folders, archives and lists of labels."""

import io
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from mimii.data.dcase_years import Year

# Of each kind that occurs: pairs, keys fused with their values, none at all, and a name that ends in `_`.
ATTRIBUTES = ["_car_A2_spd_28V_mic_1_noise_1", "_vel_21", "_mdl_B_spd_2", "_weight15_BckgF", "_noAttribute", "_", ""]
TRAIN = {"source": 18, "target": 4}
TEST = 8  # of each label and domain


def wav(seed, channels=1, samples=4000):
    content = io.BytesIO()
    noise = np.random.default_rng(seed).normal(0, 0.1, (samples, channels))
    soundfile.write(content, noise, 16000, format="WAV", subtype="PCM_16")
    return content.getvalue()


def names(year, id, attributes=ATTRIBUTES):
    """(folder, labelled name) of each recording of a section."""
    if year == 2020:
        found = [("train", f"normal_{id}_{number:08d}.wav") for number in range(sum(TRAIN.values()))]
        return found + [
            ("test", f"{label}_{id}_{number:08d}.wav") for label in ("normal", "anomaly") for number in range(TEST)
        ]
    found = []
    for domain, count in TRAIN.items():
        for number in range(count):
            text = attributes[number % len(attributes)]
            found.append(("train", f"{id}_{domain}_train_normal_{number:04d}{text}.wav"))
        folder = f"{domain}_test" if year == 2021 else "test"
        for label in ("normal", "anomaly"):
            for number in range(TEST):
                text = "" if year == 2021 else attributes[number % len(attributes)]
                found.append((folder, f"{id}_{domain}_test_{label}_{number:04d}{text}.wav"))
    return found


def published_names(year, id, labelled):
    """The names under which the evaluation data's test clips were published, for their labelled names."""
    if year == 2020:
        return [f"{id}_{number:08d}.wav" for number in range(len(labelled))]
    if year == 2021:
        domains = [name.split("_")[2] for name in labelled]
        return [f"{id}_{domain}_test_{number:04d}.wav" for number, domain in enumerate(domains)]
    return [f"{id}_{number:04d}.wav" for number in range(len(labelled))]


def small_dcase(year, machines=("fan",), ids=None, part="development", content=wav):
    """{archive: {member: bytes}} and the list of labels, of the first section of each machine type (or `ids`)."""
    facts = Year(year)
    archives, labels = {}, []
    for machine in machines:
        labels.append(machine)
        for id in ids or facts.ids(part, machine)[:1]:
            for archive in facts.archives(part, machine):
                archives.setdefault(archive.name, {})
            of_split = {archive.split: archive.name for archive in facts.archives(part, machine)}
            recordings = names(year, id)
            tests = [name for folder, name in recordings if folder != "train"]
            public = dict(zip(tests, published_names(year, id, tests), strict=True))
            for number, (folder, name) in enumerate(recordings):
                split = "train" if folder == "train" else "test"
                own = public[name] if part == "evaluation" and split == "test" else name
                seed = [year, *f"{machine}{id}".encode(), number]
                archive = of_split.get(split, of_split.get(None))
                archives[archive][f"{machine}/{folder}/{own}"] = content(seed, facts.channels)
            if part == "evaluation":
                for name in tests:
                    labels.append(f"{public[name]},{name}" + (f",{int('anomaly' in name)}" if year == 2020 else ""))
    return archives, "\n".join(labels) + "\n"


def packed(members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def lay_out(root, archives, layout):
    """layout: zipped | unpacked (all into one folder) | folders (each archive into a folder of its name)."""
    root.mkdir(parents=True, exist_ok=True)
    for name, members in archives.items():
        if layout == "zipped":
            (root / name).write_bytes(packed(members))
            continue
        folder = root / (name.removesuffix(".zip") if layout == "folders" else "")
        for member, data in members.items():
            (folder / member).parent.mkdir(parents=True, exist_ok=True)
            (folder / member).write_bytes(data)


def with_domains(path):
    """Give every second clip of a scores.parquet the target domain."""
    table = pq.read_table(path)
    domains = pa.array(["target" if row % 2 else "source" for row in range(len(table))])
    if "domain" in table.column_names:
        table = table.drop_columns(["domain"])
    pq.write_table(table.append_column("domain", domains), path)
