"""Every kind of bad input gets one message that names the file or the key: the table of docs/errors.md, row by row.

The benchmark runs in this process, stage by stage, on two tiny sections of noise.
"""

import ast
import os
import shutil
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from checkpoint_files import write_checkpoint
from small_benchmark import RATE, SECTION, STAGES, Benchmark, make_benchmark, noise, working_in

from mimii.common.errors import UserError
from mimii.data.recordings import Clip
from mimii.data.sections import Section
from mimii.features.file import FeaturesMetadata, FeatureWriter, read_metadata
from mimii.launch.request import check_start
from mimii.planning import job_parameters
from mimii.planning.notes import notes_before_a_start
from mimii.runs.records import MetricsRecord

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "errors.md"


def without_length(path):
    """As a recorder writes it that could not know how long it would record."""
    soundfile.write(path, noise(), RATE)
    content = bytearray(path.read_bytes())
    content[40:44] = bytes(4)
    path.write_bytes(content)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder in which all stages have run."""
    folder = tmp_path_factory.mktemp("finished")
    make_benchmark(folder)
    return folder


# Ways to break things: functions of the benchmark, which run in its folder.


def text(content):
    def damage(benchmark):
        benchmark.text = content if isinstance(content, bytes) else content.encode()

    return damage


def config(**change):
    def damage(benchmark):
        benchmark.config = {**benchmark.config, **change}

    return damage


def checkpoint(spoil=None, **settings):
    """Embeddings of a pretrained network as features; `spoil` changes its folder."""

    def damage(benchmark):
        folder = write_checkpoint("ast")
        if spoil:
            spoil(folder)
        benchmark.config["features"] = {"extractor": "audio_transformer", "checkpoint": "ast", **settings}

    return damage


def made_up(**settings):
    return config(dataset={"source": "made_up", "root": "made", "made_up": settings})


def study(**declared):
    return config(studies={"rates": declared})


CLIP = "normal/00000005.wav"


def clip_path(name=CLIP):
    return Path("data", SECTION, name)


def clip(write, name=CLIP):
    """Replace a clip by what `write` writes to its path."""

    def damage(benchmark):
        clip_path(name).unlink(missing_ok=True)
        write(clip_path(name))

    return damage


def audio(samples, rate=RATE, **options):
    return clip(lambda path: soundfile.write(path, samples, rate, **options))


def cut(path, keep):
    path = Path(path)
    path.write_bytes(path.read_bytes()[:keep])


def endless(path):
    """A wav file of 2 hours, most of it a hole."""
    size = 2 * 3600 * RATE * 2
    with path.open("wb") as out:
        out.write(
            b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 32000, 2, 16)
        )
        out.write(b"data" + struct.pack("<I", size))
        out.truncate(44 + size)


def renamed(old, new):
    return lambda benchmark: Path("data", old).rename(Path("data", new))


def every_clip(subtype):
    def damage(benchmark):
        for path in sorted(Path("data").rglob("*.wav")):
            samples, rate = soundfile.read(path)
            soundfile.write(path, samples, rate, subtype=subtype)

    return damage


def odd_names(benchmark):
    for number, name in enumerate(
        ["with space.wav", 'it\'s "quoted".wav', "new\nline.wav", "Lüfter 风扇.WAV", "-rf.wav"]
    ):
        soundfile.write(clip_path(f"normal/{name}"), noise(seed=100 + number), RATE, subtype="PCM_16")


def record(name, change):
    """Another row in the run's metrics, as if the job had written it."""

    def damage(benchmark):
        path = benchmark.run / name
        metrics = MetricsRecord.read(path)
        MetricsRecord({**metrics.row, **change}, metrics.scores).write(path)

    return damage


def in_two_layouts(benchmark):
    shutil.copytree(Path("data", "6dB", "fan"), Path("data", "6_dB_fan", "fan"))


def with_channels(count):
    return audio(np.stack([noise()] * count, axis=1))


def broken_zip(benchmark):
    Path("data", "0_dB_fan.zip").write_bytes(b"PK\x03\x04 and no more")


def features_with(**metadata):
    """The features file with other metadata."""

    def damage(benchmark):
        held = read_metadata(benchmark.features_file).plain()
        held["settings"].update(metadata.pop("settings", {}))
        held.update(metadata)
        with FeatureWriter(benchmark.features_file, FeaturesMetadata.parse(held)) as writer:
            writer.add(Clip("a", "normal", "train"), np.zeros((1, 64), np.float32))

    return damage


def bomb(depth=12, width=9):
    """YAML of few lines that stands for width ** depth values."""
    lines = [f"a0: &a0 [{', '.join(['x'] * width)}]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, depth)]
    return "\n".join(lines)


def typed(ask):
    """What Snakemake asks where a path is typed: of the plan."""

    def damage(benchmark):
        benchmark.typed = ask

    return damage


def run_of(variant="default", seed="42"):
    return typed(lambda plan: job_parameters.training_job(plan, "pca", variant, seed, SECTION))


def command(*arguments, first=lambda: None):
    """A command line, typed after `first`; `RUN` stands for the run's folder."""

    def damage(benchmark):
        first()
        benchmark.arguments = [argument.replace("RUN", str(benchmark.run)) for argument in arguments]

    return damage


def written(name, content):
    return lambda: Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())


def cut_row():
    Path("bad.csv").write_text(Path("results/results.csv").read_text().rsplit(",", 3)[0] + "\n")


def with_mark():
    Path("bad.csv").write_bytes(b"\xef\xbb\xbf" + Path("results/results.csv").read_bytes())


def own_csv(benchmark):
    Path("mine.csv").write_text("patient,age\n1,70\n")
    benchmark.config = {**benchmark.config, "paths": {"csv": "mine.csv"}}


def linked_csv(benchmark):
    Path("link").symlink_to(f"data/{SECTION}")
    benchmark.config = {**benchmark.config, "paths": {"csv": "link/all.csv"}}


@dataclass(frozen=True)
class Kind:
    """Bad input: what it is, how it comes about, and the stage whose message says `says`; None: it works.

    before: the stage before which it comes about, where that is not planning.
    """

    what: str
    damage: Callable
    says: str | None
    stage: str = "planning"
    before: str = "planning"


def command_row(what, damage, says):
    """A row of which a command says what is wrong."""
    return Kind(what, damage, says, "command", before="command")


OK = None
TABLE = {
    "The configuration's file": [
        Kind(
            "YAML syntax error", text("dataset: [1\nmodels: {}"), "config.yaml, line 2: while parsing a flow sequence"
        ),
        Kind("a tab for indentation", text("dataset:\n\troot: data"), "config.yaml, line 2: while scanning"),
        Kind(
            "a key twice",
            text("dataset: {root: data}\nmodels: {pca: {}}\nmodels: {vae: {}}"),
            "line 3: key 'models' stands twice, first in line 2",
        ),
        Kind(
            "a nested key twice",
            text("models:\n  vae: {}\n  vae: {beta: 2}"),
            "line 3: key 'vae' stands twice, first in line 2",
        ),
        Kind("an empty file", text(""), "config.yaml: holds no key"),
        Kind("only comments", text("# models: {}\n"), "config.yaml: holds no key"),
        Kind(
            "a list at the top",
            text("- dataset\n- models"),
            "config.yaml: expected keys such as dataset and models, found list",
        ),
        Kind("not UTF-8", text(b"dataset: {root: \xe9}"), "config.yaml: not a text in UTF-8"),
        Kind("an alias without anchor", text("dataset: *data"), "config.yaml, line 1: found undefined alias"),
        Kind(
            "a tag that would run Python",
            text("dataset: !!python/object/apply:os.system [ls]"),
            "config.yaml, line 1: the tag !!python/object/apply:os.system is not possible",
        ),
        Kind("a value within itself", text("dataset: &d {root: *d}"), "nested too deeply, or in itself"),
        Kind("a set", text("dataset: !!set {root}"), "config.yaml, line 1: the tag !!set is not possible"),
        Kind(
            "two merge keys",
            text("dataset:\n  <<: &a {root: data}\n  <<: {ids: all}"),
            "line 3: key '<<' stands twice, first in line 2",
        ),
        Kind("010, which YAML reads as 8", text("seeds: [010]"), "line 1: YAML reads 010 as a number of base 8"),
        Kind("1:30, which YAML reads as 90", text("seeds: [1:30]"), "line 1: YAML reads 1:30 as a number of base 60"),
        Kind("aliases of aliases of aliases", text(bomb()), "with its aliases it stands for more than 1000000 values"),
        Kind(
            "a number of 5,000 digits",
            text("seeds: [" + "9" * 5000 + "]"),
            "config.yaml: cannot be read as YAML: Exceeds the limit",
        ),
    ],
    "Keys and values of the configuration": [
        Kind("no `dataset`", text("models: {pca: {}}"), "top level: 'dataset' is a required property"),
        Kind("no `models`", text("dataset: {root: data}"), "top level: 'models' is a required property"),
        Kind("no model", config(models={}), "models: {} should be non-empty"),
        Kind("unknown key", config(metric={}), "top level: unknown key 'metric'; did you mean 'metrics'?"),
        Kind("unknown nested key", config(dataset={"rot": "data"}), "dataset: unknown key 'rot'; did you mean 'root'?"),
        Kind("unknown model", config(models={"vea": {}}), "models: unknown model 'vea'; did you mean 'vae'?"),
        Kind(
            "unknown setting of a model",
            config(models={"vae": {"bta": 1}}),
            "models.vae: unknown setting 'bta'; did you mean 'beta'?",
        ),
        Kind(
            "unknown common setting",
            config(settings={"epoch": 3}),
            "settings: unknown setting 'epoch'; did you mean 'epochs'?",
        ),
        Kind(
            "unknown feature setting",
            config(features={"n_mel": 64}),
            "features: unknown setting 'n_mel'; did you mean 'n_mels'?",
        ),
        Kind(
            "unknown source",
            config(dataset={"root": "data", "source": "foldr"}),
            "dataset.source: unknown value 'foldr'; did you mean 'folder'?",
        ),
        Kind("unknown choice", config(features={"padding": "wrap"}), "features.padding: 'wrap' is not one of"),
        Kind("a key that is gone", config(metrics={"pooling": "max"}), "there is no key 'pooling' any more"),
        Kind("unknown device", config(compute={"device": "gpu"}), "compute.device: 'gpu' does not match"),
        Kind(
            "a text where a number belongs",
            config(features={"n_mels": "many"}),
            "features.n_mels: 'many' is not of type 'integer'",
        ),
        Kind("a list where keys belong", config(features=[64]), "features: [64] is not of type 'object'"),
        Kind("a text where a list belongs", config(seeds="42"), "seeds: '42' is not a list of whole numbers"),
        Kind(
            "nothing where a value belongs",
            config(seeds=None),
            "seeds: holds nothing; give it a value, or leave the key out",
        ),
        Kind(
            "true for 1", config(models={"vae": {"epochs": True}}), "models.vae.epochs: True is not of type 'integer'"
        ),
        Kind(
            "a fraction for a whole number",
            config(models={"vae": {"epochs": 1.5}}),
            "models.vae.epochs: 1.5 is not of type 'integer'",
        ),
        Kind(
            "too small", config(models={"vae": {"epochs": -1}}), "models.vae.epochs: -1 is less than the minimum of 0"
        ),
        Kind(
            "too large", config(features={"n_mels": 5000}), "features.n_mels: 5000 is greater than the maximum of 512"
        ),
        Kind(
            "NaN",
            text("dataset: {root: data}\nmodels: {vae: {learning_rate: .nan}}"),
            "models.vae.learning_rate: nan is not a finite number",
        ),
        Kind(
            "infinity",
            text("dataset: {root: data}\nmodels: {pca: {}}\nmetrics: {max_fpr: .inf}"),
            "metrics.max_fpr: inf is not a finite number",
        ),
        Kind("a number beyond 64 bits", config(seeds=[10**30]), "seeds.0: a number of 100 bits is too large"),
        Kind(
            "a key that is a number",
            text("dataset: {root: data}\nmodels: {1: {}}"),
            "models: key 1 is not a text; put it into quotes",
        ),
        Kind(
            "a key that YAML takes for true",
            text("dataset: {root: data}\nmodels: {yes: {}}"),
            "models: key True is not a text",
        ),
        Kind(
            "a key in other letters",
            config(modèles={}),
            "top level: unknown key 'modèles'; did you mean 'models'?",
        ),
        Kind(
            "a date",
            text("dataset: {root: data, ids: [2024-01-31]}\nmodels: {pca: {}}"),
            "dataset.ids.0: datetime.date(2024, 1, 31) is a date; put it into quotes",
        ),
        Kind(
            "a control character",
            config(dataset={"root": "da\nta"}),
            "dataset.root: 'da\\nta' is longer than 1000 characters, or holds a control character",
        ),
        Kind(
            "`1e-3`, which YAML takes for a text", text("dataset: {root: data}\nmodels: {pca: {val_split: 1e-1}}"), OK
        ),
        Kind("seeds twice", config(seeds=[1, 1]), "seeds: [1, 1] has non-unique elements"),
        Kind("a negative seed", config(seeds=[-1]), "seeds.0: -1 is less than the minimum of 0"),
        Kind(
            "several errors",
            config(seeds=[-1], models={"vea": {}}, features={"n_mel": 1}, extra=1),
            "the configuration has 4 error(s)",
        ),
    ],
    "Contradictions": [
        Kind(
            "hop_length above n_fft",
            config(features={"hop_length": 2048}),
            "features: hop_length 2048 exceeds n_fft 1024",
        ),
        Kind(
            "f_min above f_max",
            config(features={"f_min": 500, "f_max": 100}),
            "features: f_min 500 Hz is not below the upper edge 100 Hz",
        ),
        Kind(
            "f_max above half the sample rate",
            config(features={"f_max": 9000}),
            "features: f_max 9000 Hz is above half of sample_rate",
        ),
        Kind(
            "more mel bands than frequencies",
            config(features={"n_mels": 256, "n_fft": 256, "hop_length": 128}),
            "mel bands (the first is band 0) hold no frequency",
        ),
        Kind(
            "a folder's name that means normal and abnormal",
            config(dataset={"root": "data", "labelled": {"normal": ["ok"], "abnormal": ["faulty", "OK"]}}),
            "dataset.labelled: ok stands in both normal and abnormal; leave one out",
        ),
        Kind(
            "an ensemble of a model that is not configured",
            config(ensembles={"both": {"members": ["pca", "kn"]}}),
            "ensembles.both.members: unknown configured model 'kn'",
        ),
        Kind(
            "an ensemble of a variant that is not configured",
            config(ensembles={"both": {"members": ["pca", "pca/components=8"]}}),
            "ensembles.both.members: unknown configured variant 'pca/components=8'; did you mean 'pca/components=4'?",
        ),
        Kind(
            "an ensemble of external scores that standardises",
            config(external_scores={"mine": "x"}, ensembles={"both": {"members": ["pca", "mine"]}}),
            "ensembles.both: external scores have no held-out clips to standardise by; set how: rank",
        ),
        Kind(
            "a setting of another extractor",
            config(features={"checkpoint": "ast"}),
            "features: checkpoint is no setting of the extractor log_mel; leave it out",
        ),
        Kind(
            "embeddings without a checkpoint",
            config(features={"extractor": "audio_transformer"}),
            "features: extractor audio_transformer needs a checkpoint; set checkpoint",
        ),
        Kind("a checkpoint's folder that is not there", checkpoint(shutil.rmtree), "ast: no such folder"),
        Kind(
            "a checkpoint that is a pickle",
            checkpoint(lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin")),
            "holds no model.safetensors, and pytorch_model.bin is a pickle, which could run code when it is loaded",
        ),
        Kind(
            "a checkpoint of an unknown kind",
            checkpoint(lambda folder: (folder / "config.json").write_text('{"model_type": "beats"}')),
            "ast: the network's model_type is 'beats'; known are audio-spectrogram-transformer, clap",
        ),
        Kind(
            "a layer that a checkpoint does not have",
            checkpoint(layer=13),
            "features: layer 13, but ast has 12 layers; lower layer",
        ),
        Kind(
            "a bottleneck that lets the input through",
            config(models={"pca": {"frames": 2, "components": 33}}),
            "models.pca: components 33 is more than a quarter of a window's 128 values (frames 2 x n_mels 64)",
        ),
        Kind(
            "the same in one variant of a study",
            study(model="vae", vary={"n_mels": [64, 8]}),
            "studies.rates: latent 16 is more than a quarter of a window's 40 values (frames 5 x n_mels 8)",
        ),
        Kind(
            "a width that its heads do not divide",
            config(models={"attention_ae": {"heads": 5}}),
            "models.attention_ae: width 64 is not a multiple of heads 5",
        ),
        Kind(
            "noise on what is not standardised",
            config(models={"denoising_ae": {}}, settings={"standardize": False}),
            "models.denoising_ae: noise 0.3 needs standardize, which is false",
        ),
        Kind(
            "the best epoch, without validation clips",
            config(models={"vae": {"best_epoch": True, "val_split": 0}}),
            "models.vae: best_epoch true needs val_split, which is 0.0",
        ),
        Kind(
            "early stopping, without validation clips",
            config(models={"vae": {"early_stopping_patience": 5}}, settings={"val_split": 0}),
            "models.vae: early_stopping_patience 5 needs val_split, which is 0.0",
        ),
        Kind(
            "a sequence of one frame",
            config(models={"lstm_ae": {"frames": 1}}),
            "models.lstm_ae.frames: 1 is less than the minimum of 2",
        ),
        Kind("a study without a model", study(vary={"beta": [1]}), "studies.rates: 'model' is a required property"),
        Kind("a study that changes nothing", study(model="vae"), "studies.rates: changes nothing"),
        Kind(
            "a study over nothing",
            study(model="vae", vary={"beta": []}),
            "studies.rates.vary.beta: [] should be non-empty",
        ),
        Kind(
            "a study that is a grid and a list",
            study(model="vae", vary={"beta": [1]}, variants=[{}]),
            "studies.rates: `vary` (a grid) and `variants` (a list) exclude each other",
        ),
        Kind(
            "a study that fixes what it varies",
            study(model="vae", vary={"beta": [1]}, set={"beta": 2}),
            "studies.rates: beta is both in `vary` and in `set`",
        ),
        Kind(
            "a study over another model's setting",
            study(model="vae", vary={"trees": [1]}),
            "studies.rates: unknown setting 'trees'",
        ),
        Kind(
            "a study of millions",
            study(model="vae", vary={k: list(range(1, 200)) for k in ("epochs", "frames", "latent")}),
            "studies.rates.vary: a grid of 7880599 variants; at most 10000 are possible",
        ),
        Kind(
            "studies that differ in case",
            config(
                studies={
                    "a": {"model": "pca", "set": {"components": 3}},
                    "A": {"model": "pca", "set": {"components": 2}},
                }
            ),
            "studies: a and A differ in upper and lower case alone",
        ),
        Kind(
            "a study named like a path",
            config(studies={"../a": {"model": "pca", "set": {"components": 3}}}),
            "studies: '../a' does not match",
        ),
        Kind(
            "external scores named like a model",
            config(external_scores={"vae": "scores"}),
            "external_scores.vae: a model of this benchmark has that name",
        ),
        Kind(
            "external scores that are not there",
            config(external_scores={"mine": "scores"}),
            "external_scores.mine: scores/6dB/fan/id_00.csv, .parquet or anomaly_score_fan_id_00_test.csv is needed",
        ),
        Kind("a brace in a path", config(paths={"results": "out{model}"}), "paths.results: 'out{model}' holds a brace"),
        Kind("`~` in a path", config(dataset={"root": "~/data"}), "dataset.root: '~/data' starts with '~'"),
        Kind("a path like an option", config(paths={"runs": "-r"}), "paths.runs: '-r' starts with '-'"),
        Kind("a name that no file system takes", config(paths={"runs": "r" * 300}), "is longer than 255 bytes"),
        Kind(
            "the CSV of everything among those of models",
            config(paths={"csv": "results/models/all.csv"}),
            "paths.csv: is among the CSVs of models",
        ),
    ],
    "Where files are written": [
        Kind("a CSV of another ending", config(paths={"csv": "all.txt"}), "paths.csv: 'all.txt' does not end in .csv"),
        Kind(
            "a recording for a CSV",
            config(paths={"csv": f"data/{SECTION}/{CLIP}"}),
            "paths.csv: lies in dataset.root, among the recordings",
        ),
        Kind("a CSV among the recordings, by a link", linked_csv, "paths.csv: lies in dataset.root"),
        Kind("a CSV among the runs", config(paths={"csv": "results/runs/a.csv"}), "paths.csv: lies in paths.runs"),
        Kind("a CSV in the workflow's code", config(paths={"csv": "src/a.csv"}), "paths.csv: lies in src/"),
        Kind("a CSV that is somebody else's", own_csv, "paths.csv: 'mine.csv' was not written by this workflow"),
        Kind(
            "results among the recordings", config(paths={"results": "data/out"}), "paths.results: lies in dataset.root"
        ),
    ],
    "Typed paths": [
        Kind("NaN in a variant", run_of("components=NaN"), "components: nan is not a finite number"),
        Kind("a setting that is not there", run_of("bta=1"), "unknown setting 'bta'"),
        Kind("a seed with a zero before it", run_of(seed="042"), "seed=042 is written seed=42"),
        Kind("a seed beyond 32 bits", run_of(seed="4294967296"), "seed=4294967296: 4294967296 is greater than"),
        Kind(
            "figures of a model that is not configured",
            typed(lambda plan: plan.base_run("vae", Section.parse(SECTION))),
            "unknown configured model 'vae'; known: pca",
        ),
        Kind(
            "the CSV of a model that is not configured",
            typed(lambda plan: job_parameters.merge_job(plan, model="vae")),
            "unknown configured model 'vae'; known: pca",
        ),
        Kind("an empty target", typed(lambda plan: check_start(1, [""])), "an empty target: name a file or a rule"),
        Kind("no core", typed(lambda plan: check_start(0, [])), "--cores: expected a number of at least 1, or all"),
    ],
    "The dataset as a whole": [
        Kind("no such folder", config(dataset={"root": "nowhere"}), "dataset.root: there is no folder 'nowhere'"),
        Kind(
            "a folder without recordings", lambda b: shutil.rmtree("data/6dB"), "dataset.root: no recordings in 'data'"
        ),
        Kind(
            "made-up: windows longer than the recordings",
            config(
                dataset={"source": "made_up", "root": "made", "made_up": {"seconds": 1}}, models={"pca": {"frames": 40}}
            ),
            "pca, frames=40: frames 40 is more than the 32 frames of a recording",
        ),
        Kind(
            "MIMII itself: a microphone that it has not",
            config(dataset={"source": "zenodo", "root": "archives"}, features={"channel": 8}),
            "features: channel 8, counted from 0, but the recordings have 8",
        ),
        Kind(
            "MIMII itself: another sample rate",
            config(dataset={"source": "zenodo", "root": "archives"}, features={"sample_rate": 8000}),
            "features: sample_rate 8000 Hz, but the recordings have 16000 Hz; set resample: true",
        ),
        Kind(
            "made-up: frames longer than the recordings",
            config(
                dataset={"source": "made_up", "root": "made", "made_up": {"seconds": 0.5}}, features={"n_fft": 16384}
            ),
            "features: half of n_fft 16384 is more than the 8000 samples of a recording",
        ),
        Kind(
            "a filter that is one name",
            config(dataset={"root": "data", "snrs": "6dB"}),
            "dataset.snrs: '6dB' is not all or a list of names",
        ),
        Kind(
            "a filter with a name that is not there",
            config(dataset={"root": "data", "machines": ["fann"]}),
            "dataset.machines: 'fann' is not in 'data' (did you mean 'fan'?)",
        ),
        Kind(
            "filters with several names that are not there",
            config(dataset={"root": "data", "snrs": ["0dB"], "machines": ["fann"]}),
            "dataset.machines: 'fann' is not in 'data'",
        ),
        Kind(
            "no such folder, and an unknown model",
            config(dataset={"root": "nowhere"}, models={"vea": {}}),
            "the configuration has 2 error(s)",
        ),
        Kind(
            "a wrong name in a filter, and a wrong setting",
            config(dataset={"root": "data", "ids": ["id_07", "id_09"]}, models={"pca": {"frames": 0}}),
            "the configuration has 3 error(s)",
        ),
        Kind(
            "a filter that is a path",
            config(dataset={"root": "data", "ids": ["../id_00"]}),
            "dataset.ids.0: '../id_00' is not a name of letters",
        ),
        Kind(
            "an empty section",
            lambda b: Path("data/6dB/fan/id_02").mkdir(),
            "section 6dB/fan/id_02 (in 'data'): 0 training, 0 normal test and 0 abnormal clips",
        ),
        Kind(
            "only abnormal clips",
            lambda b: shutil.rmtree(f"data/{SECTION}/normal"),
            "0 training, 0 normal test and 2 abnormal clips; at least 10, 1 and 1 are needed",
        ),
        Kind(
            "only normal clips",
            lambda b: shutil.rmtree(f"data/{SECTION}/abnormal"),
            "12 training, 0 normal test and 0 abnormal clips; at least 10, 1 and 1",
        ),
        Kind("`Normal` for `normal`", renamed(f"{SECTION}/normal", f"{SECTION}/Normal"), "rename it to 'normal'"),
        Kind(
            "a section's name with a space",
            renamed(SECTION, "6dB/fan/id 00"),
            "section name 'id 00': only letters, digits",
        ),
        Kind(
            "sections that differ in case",
            lambda b: shutil.copytree("data/6dB/fan", "data/6dB/Fan"),
            "differ in upper and lower case alone: rename one folder",
        ),
        Kind("a section in two layouts", in_two_layouts, "section 6dB/fan/id_00 is there twice"),
        Kind("an archive that is none", broken_zip, "0_dB_fan.zip"),
        Kind(
            "a broken symbolic link",
            clip(lambda path: path.symlink_to("gone.wav")),
            "00000005.wav' leads nowhere or cannot be read (No such file or directory)",
        ),
        Kind(
            "a link that leads to itself",
            clip(lambda path: path.symlink_to(path.name)),
            "00000005.wav' leads nowhere or cannot be read (Too many levels of symbolic links)",
        ),
        Kind(
            "folders that link in a circle",
            lambda b: Path("data/6dB/loop").symlink_to(".."),
            "leads back to a folder that it lies in",
        ),
        Kind("a folder named .wav", clip(lambda path: path.mkdir()), "00000005.wav' is not a file"),
        Kind(
            "a name that is not UTF-8",
            clip(lambda path: Path(os.fsdecode(bytes(path.with_name("x")) + b"\xff.wav")).touch()),
            "the name is not valid UTF-8",
        ),
        Kind("names with spaces, quotes, new lines, other letters", odd_names, OK),
        Kind(
            "made-up: an SNR that cannot be made",
            made_up(snrs=["loud"]),
            "dataset.made_up.snrs.0: 'loud' is not an SNR that can be made up",
        ),
        Kind(
            "made-up: an unknown machine",
            made_up(machines=["fann"]),
            "dataset.made_up.machines.0: unknown value 'fann'; did you mean 'fan'?",
        ),
        Kind(
            "made-up: too few clips",
            made_up(normal_clips=12, abnormal_clips=5),
            "7 training, 5 normal test and 5 abnormal clips; at least 10",
        ),
        Kind(
            "made-up: into a folder of real recordings",
            config(dataset={"source": "made_up", "root": "data", "made_up": {"snrs": ["6dB"], "machines": ["fan"]}}),
            "dataset.root: data/6dB/fan/id_00 holds something that was not made up",
        ),
    ],
    "Recordings": [
        Kind(
            "truncated",
            lambda b: cut(clip_path(), 4000),
            "00000005.wav: truncated, 4044 bytes are missing at the end",
            "features",
        ),
        Kind("of zero length", clip(lambda path: path.touch()), "00000005.wav: an empty file", "features"),
        Kind("a header without samples", audio(noise(0)), "00000005.wav: holds no samples", "features"),
        Kind(
            "a text named wav",
            clip(lambda path: path.write_text("hello")),
            "00000005.wav: not a readable recording",
            "features",
        ),
        Kind("another format named wav", audio(noise(), format="FLAC"), OK),
        Kind("a recorder's header without the length", clip(without_length), OK),
        Kind("a pipe in its place", clip(os.mkfifo), "00000005.wav' is not a file"),
        Kind(
            "a pipe in the place of an archive",
            lambda b: os.mkfifo("data/6_dB_fan.zip"),
            "archive 'data/6_dB_fan.zip' is not a file",
        ),
        Kind("24 bits", every_clip("PCM_24"), OK),
        Kind("32-bit float", every_clip("FLOAT"), OK),
        Kind(
            "3 channels where channel 5 is asked for",
            lambda b: [config(features={"channel": 5})(b), with_channels(3)(b)],
            "00000005.wav: has 3 channel(s), so there is no channel 5",
            "features",
        ),
        Kind(
            "NaN samples",
            audio(np.full(4000, np.nan), subtype="FLOAT"),
            "00000005.wav: NaN or infinite samples (the first is number 0)",
            "features",
        ),
        Kind("clipping", audio(np.clip(20 * noise(), -1, 1), subtype="PCM_16"), OK),
        Kind(
            "another sample rate",
            audio(noise(), 8000),
            "00000005.wav: 8000 Hz, but features.sample_rate is 16000 Hz",
            "features",
        ),
        Kind(
            "mixed sample rates, resampled",
            lambda b: [config(features={"resample": True})(b), audio(noise(), 8000)(b)],
            "section 6dB/fan/id_00: mixed sample rates (13 clip(s) of 16000 Hz, 1 clip(s) of 8000 Hz)",
            "features",
        ),
        Kind(
            "a test clip among the training clips, under another name",
            lambda benchmark: soundfile.write(
                clip_path("normal/copy.flac"), *soundfile.read(clip_path("normal/00000000.wav")), subtype="PCM_16"
            ),
            "normal/00000000.wav: holds the same as the training clip 6dB/fan/id_00/normal/copy.flac, so it would be ",
            "features",
        ),
        Kind(
            "silence, of which one clip is like another",
            lambda benchmark: [
                soundfile.write(clip_path(f"normal/{name}.wav"), noise() * 0, RATE) for name in ("00000000", "silent")
            ],
            OK,
        ),
        Kind("shorter than half a frame", audio(noise(500)), "00000005.wav: too short", "features"),
        Kind(
            "shorter than a window",
            audio(noise(1100)),
            "1 clip(s) are shorter than a window of 5 frames, the first: 6dB/fan/id_00/normal/00000005.wav",
            "training",
        ),
        Kind(
            "two hours long",
            clip(endless),
            "00000005.wav: 115200000 samples long; a clip has at most 16777216",
            "features",
        ),
        Kind(
            "vanishing during the run",
            lambda b: clip_path().unlink(),
            "00000005.wav: cannot be read (No such file or directory)",
            "features",
            before="features",
        ),
    ],
    "Training": [
        Kind(
            "settings with which a network does not learn",
            config(models={"simple_ae": {"learning_rate": 1, "standardize": False, "batch_size": 8, "epochs": 20}}),
            "training has diverged; lower learning_rate (now 1.0) or set standardize: true",
            "training",
        ),
    ],
    "Files of the workflow": [
        Kind(
            "features truncated",
            lambda b: cut(b.features_file, 5000),
            "id_00.parquet: damaged features file",
            "training",
            before="training",
        ),
        Kind(
            "features of zero length",
            lambda b: cut(b.features_file, 0),
            "id_00.parquet: damaged features file",
            "training",
            before="training",
        ),
        Kind(
            "features missing",
            lambda b: b.features_file.unlink(),
            "id_00.parquet: features are missing",
            "training",
            before="training",
        ),
        Kind(
            "another parquet file as features",
            lambda b: pq.write_table(pa.table({"a": [1]}), b.features_file),
            "id_00.parquet: not a features file",
            "training",
            before="training",
        ),
        Kind(
            "features of other settings",
            features_with(settings={"n_mels": 32}),
            "id_00.parquet: features of something else (n_mels is 32, not 64)",
            "training",
            before="training",
        ),
        Kind(
            "features of another section",
            features_with(section="0dB/fan/id_00"),
            "features of something else (section is '0dB/fan/id_00', not '6dB/fan/id_00')",
            "training",
            before="training",
        ),
        Kind(
            "features of other settings after training",
            features_with(settings={"power": 1.0}),
            "features of something else (power is 1.0, not 2.0)",
            "scoring",
            before="scoring",
        ),
        Kind(
            "model truncated",
            lambda b: cut(b.run / "model.npz", 100),
            "model.npz: damaged (not the file that training wrote: its checksum differs)",
            "scoring",
            before="scoring",
        ),
        Kind(
            "training record truncated",
            lambda b: cut(b.run / "training.json", 100),
            "training.json: damaged",
            "scoring",
            before="scoring",
        ),
        Kind(
            "training record with NaN",
            lambda b: (b.run / "training.json").write_text('{"training_loss": NaN}'),
            "training.json: damaged (holds NaN, so the run failed)",
            "scoring",
            before="scoring",
        ),
        Kind(
            "clip scores truncated",
            lambda b: cut(b.run / "scores.parquet", 100),
            "scores.parquet: damaged",
            "metrics",
            before="metrics",
        ),
        Kind(
            "scoring record missing",
            lambda b: (b.run / "scoring.json").unlink(),
            "scoring.json: missing",
            "metrics",
            before="metrics",
        ),
        Kind(
            "metrics truncated",
            lambda b: cut(b.run / "metrics.json", 100),
            "metrics.json: damaged",
            "merge",
            before="merge",
        ),
        Kind(
            "metrics missing",
            lambda b: (b.run / "metrics.json").unlink(),
            "metrics.json is missing",
            "merge",
            before="merge",
        ),
        Kind(
            "features of other code",
            features_with(code="old"),
            "6dB/fan/id_00.parquet was made by other code than the present one",
            "merge",
            before="merge",
        ),
        Kind(
            "metrics of another run",
            record("metrics.json", {"seed": 7}),
            "seed is 7, the path says 42",
            "merge",
            before="merge",
        ),
        Kind(
            "metrics of other code",
            record("metrics.json", {"training_code": "old"}),
            "training was done by other code than the present one",
            "merge",
            before="merge",
        ),
        Kind(
            "results.csv changed by hand",
            lambda b: Path("results/results.csv").write_text(
                Path("results/results.csv").read_text().replace(",42,", ",43,", 1)
            ),
            "results.csv: was changed after it was merged",
            "summary",
            before="summary",
        ),
        Kind(
            "another CSV in the place of results.csv",
            lambda b: (Path("results/results.record.json").unlink(), Path("results/results.csv").write_text("model\n")),
            "results.csv: lacks the columns",
            "summary",
            before="summary",
        ),
        Kind(
            "results.csv with a text for a number",
            lambda b: (
                Path("results/results.record.json").unlink(),
                Path("results/results.csv").write_text(
                    Path("results/results.csv").read_text().replace(",42,", ",many,", 1)
                ),
            ),
            "results.csv: column",
            "summary",
            before="summary",
        ),
    ],
    "Commands": [
        *(
            command_row(f"{name}, for {verb}", command(verb, *files, first=written("bad.csv", content)), says)
            for name, content, says in (
                ("an empty file", "", "bad.csv: lacks the columns"),
                ("a CSV of something else", "patient,age\n1,70\n", "bad.csv: lacks the columns"),
                ("a file of zeros", bytes(100), "bad.csv: "),
                ("a file that is no text", b"\xff\xfe\x00model,\x80", "bad.csv: no results CSV"),
            )
            for verb, files in (("summary", ["bad.csv"]), ("compare", ["results/results.csv", "bad.csv"]))
        ),
        command_row(
            "no such file, for summary",
            command("summary", "none.csv"),
            "none.csv: cannot be read",
        ),
        command_row("a folder, for summary", command("summary", "data"), "data: cannot be read"),
        command_row(
            "no such file, for compare",
            command("compare", "results/results.csv", "none.csv"),
            "none.csv: cannot be read",
        ),
        command_row(
            "a row cut short",
            command("summary", "bad.csv", first=cut_row),
            "bad.csv: rows and header differ in length",
        ),
        command_row("a CSV with a byte order mark", command("summary", "bad.csv", first=with_mark), OK),
        command_row("a folder of recordings, for score", command("score", "RUN", "data"), OK),
        command_row(
            "a model's file for its folder",
            command("score", "RUN/model.npz", f"data/{SECTION}/{CLIP}"),
            "model.npz: is a file; give the folder of the run",
        ),
        command_row(
            "a run that is none",
            command("score", "data", f"data/{SECTION}/{CLIP}"),
            "scoring.json: missing; give the folder of a finished run",
        ),
        command_row(
            "a folder without recordings, for score",
            command("score", "RUN", "results/runs"),
            "results/runs: holds no recording",
        ),
        command_row(
            "a recording shorter than a window, for score",
            lambda b: [audio(noise(1100))(b), command("score", "RUN", str(clip_path()))(b)],
            "shorter than a window of 5",
        ),
    ],
}
KINDS = [kind for kinds in TABLE.values() for kind in kinds]
NOTES = "Said before a start that nothing stops"
NOTED = [
    Kind(
        "a classifier with few sections to tell apart",
        config(models={"id_classifier": {}}),
        "id_classifier (train_per: snr) tells sections apart, and learns little from fewer than 8: 1 in 6dB.",
    ),
    Kind(
        "the same of one machine type",
        config(models={"id_classifier": {"train_per": "machine_type"}}),
        "more classes of a section; with train_per: snr it has the sections of all machines",
    ),
    Kind("runs of other recordings", renamed(f"{SECTION}/{CLIP}", f"{SECTION}/normal/a.wav"), "1 of the runs in"),
]


def contents(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.what)
def test_bad_input_is_said_once_clearly_and_early(kind, finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True, symlinks=True)
    with working_in(tmp_path):
        benchmark = Benchmark()
        last = STAGES.index(kind.stage if kind.says or kind.before == "command" else "metrics")
        first = STAGES.index(kind.before)
        # What follows the damage runs; what comes before it is there.
        if first:
            benchmark.planning()
        kind.damage(benchmark)
        before = contents("results")
        for stage in STAGES[first:last]:
            getattr(benchmark, stage)()
        if kind.says is None:
            getattr(benchmark, STAGES[last])()
            return
        with pytest.raises(UserError) as raised:
            getattr(benchmark, STAGES[last])()
        message = str(raised.value)
        assert kind.says in message
        # Nothing is lost, and nothing half written is left.
        after = contents("results")
        assert {path: after.get(path) for path in before} == before or first != last
        assert not [path for path in after if path.suffix == ".tmp"]


@pytest.mark.parametrize("kind", NOTED, ids=lambda kind: kind.what)
def test_what_stops_nothing_is_said_before_the_start(kind, finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True, symlinks=True)
    with working_in(tmp_path):
        benchmark = Benchmark()
        benchmark.planning()
        assert notes_before_a_start(benchmark.plan) == []
        kind.damage(benchmark)
        benchmark.planning()
        (note,) = notes_before_a_start(benchmark.plan)
    assert kind.says in note


def test_a_table_of_at_least_forty_kinds():
    assert len(KINDS) >= 40
    assert len({kind.what for kind in KINDS}) == len(KINDS)


def as_markdown():
    """The tables of docs/errors.md."""
    lines = []
    for title, kinds in {**TABLE, NOTES: NOTED}.items():
        lines += [f"## {title}", "", "| what | noticed | message |", "|---|---|---|"]
        for kind in kinds:
            says = (
                "none: it works"
                if kind.says is None
                else f"`{kind.says.replace('|', chr(92) + '|').replace('`', chr(39))}`"
            )
            lines.append(f"| {kind.what} | {kind.stage if kind.says else ''} | {says} |")
        lines.append("")
    return "\n".join(lines)


def test_the_document_has_this_table():
    """To write it anew: PYTHONPATH=src python tests/stages/test_bad_input.py"""
    assert as_markdown() in DOCUMENT.read_text()


def test_a_clip_that_may_not_be_read_is_named(finished):
    """Root may read everything, so that root becomes nobody here, in a folder that nobody may enter and write."""
    with tempfile.TemporaryDirectory() as folder, working_in(folder):
        shutil.copytree(finished / "data", "data")
        Path("results").mkdir()
        for path in (Path(folder), Path("results")):
            path.chmod(0o777)
        benchmark = Benchmark()
        benchmark.planning()
        clip_path().chmod(0)
        if os.geteuid() == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(UserError, match=r"00000005.wav: cannot be read \(Permission denied\)"):
                benchmark.features()
        finally:
            if os.getuid() == 0:
                os.seteuid(0)


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").glob("*.py")), ids=lambda path: path.name)
def test_every_script_ends_with_the_message_alone(script):
    nodes = list(ast.walk(ast.parse(script.read_text())))
    contexts = {ast.unparse(item.context_expr) for node in nodes if isinstance(node, ast.With) for item in node.items}
    handled = {ast.unparse(node.type) for node in nodes if isinstance(node, ast.ExceptHandler) and node.type}
    assert "exit_on_user_error()" in contexts or "UserError" in handled


if __name__ == "__main__":
    print(as_markdown())
