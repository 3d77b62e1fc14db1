"""Embeddings of pretrained networks, by the code that loads real ones: tiny networks of random weights of each kind,
saved here. Nothing is said of how well they detect.
"""

import json
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from small_benchmark import Benchmark
from workspace import REPOSITORY

from mimii import load_detector
from mimii.common.errors import UserError
from mimii.common.fingerprints import features_code
from mimii.data.lookup import open_source
from mimii.data.sections import Section
from mimii.features.checkpoints import Checkpoint
from mimii.features.extraction import extract_features
from mimii.features.file import read_clips, read_table
from mimii.features.settings import frame_count, resolve_features

pytestmark = pytest.mark.slow
transformers = pytest.importorskip("transformers", reason="the optional package transformers is not installed")

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
CONVOLUTIONS = {"conv_dim": [8] * 7, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
SECTION = "6dB/fan/id_00"


def save_ast(folder):
    config = transformers.ASTConfig(**SMALL)
    transformers.ASTForAudioClassification(config).save_pretrained(folder)  # as AST is published: with a classifier
    transformers.ASTFeatureExtractor().save_pretrained(folder)


def save_clap(folder, *, fusion=False):
    audio = {"patch_embeds_hidden_size": 8, "depths": [1] * 4, "num_attention_heads": [1] * 4, "hidden_size": 64}
    audio |= {"enable_fusion": True, "fusion_type": "aff_2d", "fusion_num_hidden_layers": 1} if fusion else {}
    text = {**SMALL, "vocab_size": 50}
    transformers.ClapModel(transformers.ClapConfig(audio_config=audio, text_config=text)).save_pretrained(folder)
    prepare = transformers.ClapFeatureExtractor(truncation="fusion" if fusion else "rand_trunc")
    prepare.save_pretrained(folder)


def save_wavlm(folder):
    transformers.WavLMModel(transformers.WavLMConfig(**SMALL, **CONVOLUTIONS)).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)


def save_hubert(folder):
    transformers.HubertModel(transformers.HubertConfig(**SMALL, **CONVOLUTIONS)).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)


def save_whisper(folder):
    towers = {f"{part}_{key}": 2 for part in ("encoder", "decoder") for key in ("layers", "attention_heads")}
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    sizes = {"d_model": 16, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "vocab_size": 60}
    config = transformers.WhisperConfig(**towers, **tokens, **sizes)
    transformers.WhisperForConditionalGeneration(config).save_pretrained(folder)
    transformers.WhisperFeatureExtractor().save_pretrained(folder)


SAVE = {"ast": save_ast, "clap": save_clap, "wavlm": save_wavlm, "hubert": save_hubert, "whisper": save_whisper}
# Values of an embedding: of the whole network and of its first layer; and how many bands it tells apart.
WIDTH = {"ast": (16, 16, 12), "clap": (64, 16, 2), "wavlm": (16, 16, 1), "hubert": (16, 16, 1), "whisper": (16, 16, 1)}
RATES = {"ast": 16000, "clap": 48000, "wavlm": 16000, "hubert": 16000, "whisper": 16000}


@pytest.fixture(scope="module", params=SAVE)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory):
    folder = tmp_path_factory.mktemp(kind)
    SAVE[kind](folder)
    return folder


def settings_of(folder, **settings):
    name = Checkpoint.at(folder).read_name()
    return resolve_features({"extractor": "audio_transformer", "checkpoint": name, **settings})


def extractor(folder, **settings):
    from mimii.features.audio_transformer import Extractor

    return Extractor(settings_of(folder, **settings), checkpoint=folder)


def sound(seconds, rate, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate)).astype(np.float32)


def test_frames_are_finite_and_as_many_as_planning_says(kind, folder):
    embed = extractor(folder)
    assert embed.sample_rate == RATES[kind]
    clips = [sound(seconds, embed.sample_rate) for seconds in (0.1, 0.7, 2, 10)]
    for clip, frames in zip(clips, embed.frames(clips), strict=True):
        assert frames.shape == (frame_count(embed.settings, len(clip), embed.sample_rate), WIDTH[kind][0])
        assert frames.dtype == np.float32
        assert np.isfinite(frames).all()


def test_layers_and_bands_are_as_asked_for(kind, folder):
    whole, first, bands = WIDTH[kind]
    clip = sound(2, RATES[kind])
    assert extractor(folder, layer=1).frames([clip])[0].shape == (4, first)
    assert extractor(folder, layer=1, bands="separate").frames([clip])[0].shape[1] >= first * bands
    (separate,) = extractor(folder, bands="separate").frames([clip])
    assert separate.shape == (4, whole * bands)
    (mean,) = extractor(folder).frames([clip])
    np.testing.assert_allclose(separate.reshape(4, bands, whole).mean(1), mean, atol=1e-5)
    with pytest.raises(UserError, match=r"layer 9, but .* lower layer"):
        extractor(folder, layer=9)


def test_a_clip_does_not_depend_on_its_company(folder, kind):
    embed = extractor(folder)
    clips = [sound(seconds, embed.sample_rate, seed) for seed, seconds in enumerate((2, 2, 1, 2))]
    alone = [embed.frames([clip])[0] for clip in clips]
    for own, together in zip(alone, embed.frames(clips), strict=True):
        assert own.tobytes() == together.tobytes()
    embed.clips_at_once = 16  # as on a GPU: the same up to the last bits
    for own, together in zip(alone, embed.frames(clips), strict=True):
        np.testing.assert_allclose(own, together, atol=1e-4)


def test_a_frame_is_of_its_own_time(kind, folder):
    """Other noise, as loud, in the last second changes the last frame alone, but for what scales a clip as a whole."""
    embed = extractor(folder, frame_seconds=1, layer=0)
    before = sound(6, embed.sample_rate)
    after = before.copy()
    after[5 * embed.sample_rate :] = sound(1, embed.sample_rate, seed=1)
    changes = np.abs(embed.frames([after])[0] - embed.frames([before])[0]).mean(1)
    assert changes.argmax() == 5
    assert changes[5] > 3 * changes[:4].max()


def test_long_clips_are_heard_to_their_end(kind, folder):
    embed = extractor(folder, frame_seconds=5)
    seconds = 2 * embed.network.most_seconds + 5
    before = sound(seconds, embed.sample_rate)
    after = before.copy()
    after[-embed.sample_rate :] = 0
    frames, changed = embed.frames([before])[0], embed.frames([after])[0]
    assert len(frames) == int(seconds / 5 + 1e-6)
    assert np.isfinite(frames).all()
    assert np.abs(frames[-1] - changed[-1]).max() > np.abs(frames[0] - changed[0]).max() == 0


def test_what_stands_for_longer_than_a_frame_is_refused(kind, folder):
    if kind in ("ast", "clap"):
        with pytest.raises(UserError, match=r"an embedding of .* stands for .* raise frame_seconds"):
            extractor(folder, frame_seconds=0.05)
    else:
        assert len(extractor(folder, frame_seconds=0.02).frames([sound(1, 16000)])[0]) == 50


def test_another_checkpoint_than_planned_is_refused(kind, folder, tmp_path):
    other = tmp_path / "other"
    SAVE[kind](other)
    from mimii.features.audio_transformer import Extractor

    with pytest.raises(UserError, match=r"not the checkpoint .* that was asked for"):
        Extractor(settings_of(folder), checkpoint=other)
    with pytest.raises(UserError, match="need the folder of that checkpoint"):
        Extractor(settings_of(folder))


def test_a_checkpoint_without_all_weights_is_refused(kind, folder, tmp_path):
    from safetensors.numpy import load_file, save_file

    part = tmp_path / "part"
    SAVE[kind](part)
    weights = load_file(part / "model.safetensors")
    encoder = [name for name in weights if "decoder" not in name and "text" not in name and "projection" not in name]
    left_out = next(
        name for name in encoder if name.endswith("weight") and "layer" in name and "classifier" not in name
    )
    save_file({name: value for name, value in weights.items() if name != left_out}, part / "model.safetensors")
    with pytest.raises(UserError, match="of the network's weights are not there"):
        extractor(part)


def test_clap_with_feature_fusion_draws_nothing_at_random(tmp_path):
    save_clap(tmp_path / "fused", fusion=True)
    embed = extractor(tmp_path / "fused")
    clips = [sound(2, 48000, seed) for seed in range(3)]
    embed.clips_at_once = 3
    first = embed.frames(clips)
    for own, again in zip(first, embed.frames(clips), strict=True):
        assert own.tobytes() == again.tobytes()


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for label, count in (("normal", 14), ("abnormal", 2)):
        folder = tmp_path / "data" / SECTION / label
        folder.mkdir(parents=True)
        for number in range(count):
            soundfile.write(folder / f"{number:08d}.wav", sound(1.5, 16000, number), 16000, subtype="PCM_16")
    return tmp_path / "data"


def test_features_of_a_section_are_frames_of_that_width_at_the_checkpoints_rate(kind, folder, recordings, tmp_path):
    source = open_source({"source": "folder", "root": str(recordings), "snrs": "all", "machines": "all", "ids": "all",
                          "split": "as_many_as_abnormal", "clip_seconds": None})  # fmt: skip
    settings, output = settings_of(folder), tmp_path / "features.parquet"
    extract_features(source, Section.parse(SECTION), settings, output, checkpoint=folder)
    table = read_table(output)
    assert table.metadata.settings == settings
    assert table.metadata.width == WIDTH[kind][0]
    assert {"transformers", "torch", "soxr"} <= set(table.metadata.versions)
    assert "model.safetensors" in table.metadata.checkpoint
    for name, noted in table.metadata.checkpoint.items():
        assert noted == sha256((folder / name).read_bytes()).hexdigest()
    assert Checkpoint.at(folder).name(table.metadata.checkpoint) == settings["checkpoint"]
    clips = read_clips(output, [0, 3])
    assert clips.frames.shape == (6, WIDTH[kind][0])
    assert list(clips.lengths) == [3, 3]


@pytest.mark.parametrize("models", [{"knn": {}, "mahalanobis": {}, "gmm": {}}, {"isolation_forest": {"frames": 2}},
                                    {"simple_ae": {"frames": 2, "latent": 4, "epochs": 1}}])  # fmt: skip
def test_detectors_run_on_embeddings_from_the_configuration_to_the_csv(kind, folder, recordings, tmp_path, models):
    if kind != "ast" and "knn" not in models:
        pytest.skip("what reads frames does not see which network made them")
    for name, own in models.items():
        benchmark = Benchmark()
        benchmark.config |= {
            "models": {name: own},
            "features": {"extractor": "audio_transformer", "checkpoint": str(folder)},
            "paths": {"csv": f"{name}.csv"},
        }
        benchmark.planning()
        benchmark.features()
        for stage in ("training", "scoring", "metrics", "merge"):
            getattr(benchmark, stage)()
        row = json.loads((benchmark.run / "metrics.json").read_text())["row"]
        assert row["n_mels"] is None
        assert row["sample_rate"] is None
        assert json.loads(row["features"])["checkpoint"] == Checkpoint.at(folder).read_name()
        scores = load_detector(benchmark.run, checkpoint=folder)
        clip = next((recordings / SECTION / "abnormal").iterdir())
        table = pq.read_table(benchmark.run / "scores.parquet").to_pylist()
        (own_score,) = [row["mean"] for row in table if row["path"].endswith(f"abnormal/{clip.name}")]
        assert scores.score(clip) == own_score
        with pytest.raises(UserError, match="need the folder of that checkpoint"):
            load_detector(benchmark.run)


def test_scripts_load_networks_though_jobs_hide_what_they_do_not_need(folder, kind, recordings, tmp_path):
    if kind != "ast":
        pytest.skip("how a job begins is the same for every network")
    dataset = {"source": "folder", "root": str(recordings), "snrs": "all", "machines": "all", "ids": "all",
               "split": "as_many_as_abnormal", "clip_seconds": None}  # fmt: skip
    job = {"section": SECTION, "settings": settings_of(folder), "on_bad_clip": "stop", "listed": ""}
    job["code"] = features_code("folder", "audio_transformer")
    command = [sys.executable, REPOSITORY / "scripts" / "extract_features.py", "--dataset", json.dumps(dataset)]
    command += ["--job", json.dumps(job), "--output", "features.parquet", "--record", "record.json"]
    command += ["--checkpoint", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert read_table("features.parquet").metadata.width == WIDTH[kind][0]
