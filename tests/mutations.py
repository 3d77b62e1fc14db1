"""Configurations that are nearly right: a valid one, changed at random places."""

import copy
from datetime import date

from hypothesis import strategies as st

from mimii.detectors.declaration import model_declaration, model_names
from mimii.features.settings import feature_declarations

VALID = {
    "dataset": {
        "source": "made_up",
        "root": "dataset",
        "snrs": "all",
        "machines": ["fan"],
        "ids": "all",
        "on_bad_clip": "skip",
        "made_up": {
            "snrs": ["6dB", "min6dB"],
            "machines": ["fan", "valve"],
            "ids": ["id_00"],
            "normal_clips": 40,
            "abnormal_clips": 5,
            "seconds": 2.5,
            "channels": 2,
            "seed": 3,
        },
    },
    "features": {"n_mels": 32, "channel": "mean", "f_max": None},
    "settings": {"epochs": 3, "frames": 7, "learning_rate": "1e-3"},
    "models": {"simple_ae": {"hidden": [32, 16], "latent": 4}, "vae": None, "isolation_forest": {}, "pca": {}},
    "seeds": [42, 7],
    "studies": {
        "rates": {"model": "vae", "vary": {"learning_rate": [0.01, 0.001], "n_mels": [64, 32]}},
        "listed": {"model": ["simple_ae", "pca"], "set": {"val_split": 0.2}, "variants": [{"frames": 3}, {}]},
    },
    "external_scores": {},
    "scoring": {"top_k": 5},
    "metrics": {"bootstrap_samples": 200, "confidence": 0.9, "max_fpr": 0.2},
    "report": {"tables": True, "figures": []},
    "compute": {"device": "cpu", "threads": 1},
    "paths": {"results": "out", "features": "out/features", "runs": "out/runs", "csv": None},
}
# Words that mean something somewhere.
WORDS = sorted(
    {
        *(
            "all",
            "folder",
            "made_up",
            "zenodo",
            "mean",
            "auto",
            "cuda:1",
            "6dB",
            "../x",
            "/",
            ".",
            "..",
            "~",
            "",
            " ",
            "a b",
        ),
        *(
            "{model}",
            "-x",
            "on",
            "null",
            "1e-3",
            "nan",
            "1_0",
            "0x10",
            "x" * 300,
            "a\nb",
            "\x00",
            "é",
            "风",
            "A",
            "$(ls)",
        ),
        *VALID,
        *model_names(),
        *feature_declarations(),
        *model_declaration("vae").settings,
    }
)
text = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
scalars = st.one_of(
    text,
    st.none(),
    st.booleans(),
    st.integers(-3, 100),
    st.integers(),
    st.sampled_from([10**19, 10**400, -(2**63), 0.1, 1e308, 5e-324]),
    st.floats(),
    st.dates(date(2000, 1, 1), date(2030, 1, 1)),
    st.binary(max_size=3),
)
keys = st.one_of(text, text, text, st.integers(-1, 3), st.booleans(), st.none())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=8,
)


def places(value, path=()):
    """Every place in nested lists and mappings, as a path of keys."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


@st.composite
def mutated(draw):
    """The valid configuration with some things replaced, removed, added, exchanged or wrapped."""
    config = copy.deepcopy(VALID)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 4]))):
        if not isinstance(config, dict) or not config:
            break
        *path, last = draw(st.sampled_from([path for path in places(config) if path]))
        parent = config
        for key in path:
            parent = parent[key]
        kind = draw(st.sampled_from(["replace", "remove", "add", "copy", "wrap"]))
        if kind == "replace":
            parent[last] = draw(values)
        elif kind == "remove":
            del parent[last]
        elif kind == "add":
            if isinstance(parent, dict):
                parent[draw(keys)] = draw(values)
            else:
                parent.append(draw(values))
        elif kind == "copy":
            value = config
            for key in draw(st.sampled_from(list(places(config)))):
                value = value[key]
            parent[last] = copy.deepcopy(value)
        else:
            parent[last] = [parent[last]]
    return config


def leads_outside(config):
    """The root of the whole disk would be searched for recordings: for minutes."""
    dataset = config.get("dataset") if isinstance(config, dict) else None
    root = dataset.get("root") if isinstance(dataset, dict) else None
    return isinstance(root, str) and (root.startswith("/") or ".." in root)
