"""Anomalous sound detection on MIMII. `load_detector` scores clips with a trained model; it is imported when used."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mimii.runs.trained import TrainedDetector, load_detector

__all__ = ["TrainedDetector", "load_detector"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from mimii.runs import trained as api

        return getattr(api, name)
    raise AttributeError(f"module 'mimii' has no attribute {name!r}")
