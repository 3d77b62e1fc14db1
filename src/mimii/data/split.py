"""Which clips a model trains on and which it is tested on: whole clips, by name, never by chance."""

from collections.abc import Sequence

from mimii.common.errors import UserError

MIN_ABNORMAL = 1
MIN_TRAINING = 10


def split_normal(names: Sequence[str], abnormal: int) -> tuple[list[str], list[str]]:
    """Split the normal clips of a section: as many for the test as there are abnormal ones, the first by name.

    names: the normal clips, in any order. abnormal: number of abnormal clips, all of which are test clips.
    Returns (training names, test names), both sorted. With fewer normal than abnormal clips none is left for training.
    """
    ordered = sorted(names)
    return ordered[abnormal:], ordered[:abnormal]


def fit_count(n_train: int, val_split: float) -> int:
    """How many of `n_train` training clips are fitted on; the rest, the last by name, is held out for validation."""
    # Rounded first: a tenth of 10 clips is 1, though 10 * (1 - 0.9) is a little less in floating point.
    return int(round(n_train * (1 - val_split), 9))


def check_counts(section: object, train: int, test_normal: int, test_abnormal: int, what_to_do: str) -> None:
    """Raise UserError where a section has too few clips to train a model or to compute an AUC.

    section: what the message calls the section. what_to_do: the message's last sentence.
    """
    if train >= MIN_TRAINING and test_abnormal >= MIN_ABNORMAL and test_normal >= 1:
        return
    raise UserError(
        f"section {section}: {train} training, {test_normal} normal test and {test_abnormal} abnormal clips; "
        f"at least {MIN_TRAINING}, 1 and {MIN_ABNORMAL} are needed "
        f"(as many normal clips are kept for the test as there are abnormal ones). {what_to_do}"
    )
