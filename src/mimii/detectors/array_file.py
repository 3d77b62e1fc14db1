"""A model as one open file: numpy's npz, in it arrays and, as JSON, plain values. Nothing in it is code.

`numpy.load(file, allow_pickle=False)` reads it anywhere.
"""

import json
import os
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

ABOUT = "about.json"
# What zipfile and numpy raise for bytes that are no such file, or no more.
UNREADABLE = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, KeyError, OSError, MemoryError)


def write_arrays(path: str | os.PathLike[str], about: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write plain values, and arrays or numbers by name. Equal content makes equal bytes: no time is written."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(ABOUT), json.dumps(about))
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as entry:
                npy.write_array(entry, np.asarray(array), allow_pickle=False)


def read_arrays(path: str | os.PathLike[str]) -> tuple[Any, dict[str, NDArray[Any]]]:
    """What `write_arrays` wrote. Raises ValueError where a file is no such file, or damaged."""
    file, arrays = BytesIO(Path(path).read_bytes()), {}
    try:
        with zipfile.ZipFile(file) as archive:
            about = json.loads(archive.read(ABOUT))
            for entry in archive.infolist():
                if entry.compress_type != zipfile.ZIP_STORED:  # in memory it could be of any size
                    raise ValueError(f"{entry.filename} is compressed")
                if entry.filename != ABOUT:
                    content = BytesIO(archive.read(entry))
                    arrays[entry.filename.removesuffix(".npy")] = npy.read_array(content, allow_pickle=False)
    except UNREADABLE as error:
        raise ValueError(str(error)) from error
    return about, arrays
