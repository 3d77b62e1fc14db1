"""Kinds of faults: what a dataset says of its abnormal clips."""

import numpy as np
from numpy.typing import NDArray

MOST_KINDS = 30  # more are no kinds but single clips


def clips_of_kinds(
    abnormal: NDArray[np.bool_], attributes: NDArray[np.str_ | np.object_]
) -> dict[str, NDArray[np.bool_]]:
    """The abnormal clips of each kind together with all normal ones: (clips,) each, by the kind's attributes.

    abnormal, attributes: (clips,); "" where the dataset says nothing. Empty where there are more than `MOST_KINDS`.
    """
    kinds = sorted({*attributes[abnormal]} - {""})
    return {str(kind): ~abnormal | (attributes == kind) for kind in kinds if len(kinds) <= MOST_KINDS}
