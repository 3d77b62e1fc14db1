"""A model's file of arrays and plain values: what is written is read, and nothing else is."""

import json
import zipfile

import numpy as np
import pytest

from mimii.detectors.array_file import read_arrays, write_arrays

ABOUT = {"model": "pca", "settings": {"frames": None, "share": 0.1, "vector": "mean", "whiten": True}, "seed": 2**60}
ARRAYS = {
    "learnt/components": np.asfortranarray(np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)),
    "learnt/levels": np.int64(8),
    "clip_statistics/mean": np.linspace(-1, 1, 3),
    "learnt/empty": np.zeros((0, 4), np.int32),
}


@pytest.fixture
def file(tmp_path):
    write_arrays(tmp_path / "model.npz", ABOUT, ARRAYS)
    return tmp_path / "model.npz"


def test_what_is_written_is_read(file):
    about, arrays = read_arrays(file)
    assert (about, list(arrays)) == (ABOUT, list(ARRAYS))
    for name, array in arrays.items():
        assert (array.dtype, array.shape) == (ARRAYS[name].dtype, ARRAYS[name].shape)
        np.testing.assert_array_equal(array, ARRAYS[name])
    # Products of matrices differ in the last bits with the order of values in memory.
    assert arrays["learnt/components"].flags.f_contiguous


def test_numpy_reads_it_too(file):
    with np.load(file, allow_pickle=False) as loaded:
        assert json.loads(loaded["about.json"]) == ABOUT
        np.testing.assert_array_equal(loaded["learnt/components"], ARRAYS["learnt/components"])


def test_objects_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_arrays(tmp_path / "model.npz", ABOUT, {"learnt/forest": object()})


def test_whatever_byte_is_changed_nothing_else_is_read(file):
    """Names and the values that zipfile never looks at aside, which change no array."""
    content, refused = file.read_bytes(), 0
    for place in range(len(content)):
        for flipped in (content[place] ^ 1, content[place] ^ 0x80):
            file.write_bytes(content[:place] + bytes([flipped]) + content[place + 1 :])
            try:
                about, arrays = read_arrays(file)
            except ValueError:
                refused += 1
                continue
            assert about == ABOUT
            expected = [array.tolist() for array in ARRAYS.values()]
            assert all(array.tolist() in expected for array in arrays.values())
    assert refused > len(content)


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_part_of_a_file_is_refused(file, length):
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(ValueError):  # noqa: PT011 - whoever reads a model says what is wrong
        read_arrays(file)


def rewritten(file, compression=zipfile.ZIP_STORED, **changed):
    """The file with entries changed."""
    with zipfile.ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()} | changed
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def test_a_small_file_cannot_fill_the_memory(file):
    with zipfile.ZipFile(file) as archive:
        entry = archive.read("clip_statistics/mean.npy")
    vast = entry.replace(b"(3,), }" + 10 * b" ", b"(30000000000,), }")
    assert vast != entry
    rewritten(file, **{"clip_statistics/mean.npy": vast})
    with pytest.raises(ValueError):  # noqa: PT011
        read_arrays(file)
    rewritten(file, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="is compressed"):
        read_arrays(file)


def test_a_missing_file_is_named_as_such(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "model.npz")
