"""Which clips a model trains on and which it is tested on: whole clips, by name, never by chance."""

from collections.abc import Iterable, Mapping, Sequence

from mimii.common.errors import UserError

MIN_ABNORMAL = 1
MIN_TRAINING = 10
AS_MANY = "as_many_as_abnormal"
PROPOSED_SHARE = 0.3  # of the normal clips, for the test

Tested = float | str  # AS_MANY; a number of clips, 1 or more; or a share, below 1


def count_tested(normal: int, abnormal: int, tested: Tested) -> int:
    """How many of a section's normal clips are test clips, by the setting `dataset.split`."""
    if isinstance(tested, str):
        return abnormal
    return int(tested) if tested >= 1 else max(1, round(normal * tested))


def in_order(names: Iterable[str], domains: Mapping[str, str | None]) -> list[str]:
    """Clips by name; those of several domains mixed, so that any stretch of them holds its share of each domain.

    By name alone the first and the last, which are tested and held out, might all be of one domain.
    """
    ordered = sorted(names)
    places: dict[str, float] = {}
    for domain in {domains.get(name) for name in ordered}:
        own = [name for name in ordered if domains.get(name) == domain]
        places.update({name: (number + 0.5) / len(own) for number, name in enumerate(own)})
    return sorted(ordered, key=lambda name: (places[name], name))


def split_normal(
    names: Sequence[str], abnormal: int, tested: Tested = AS_MANY, domains: Mapping[str, str | None] | None = None
) -> tuple[list[str], list[str]]:
    """Split the normal clips of a section: the first `in_order` are for the test, as many as there are abnormal ones.

    names: the normal clips, in any order. abnormal: number of abnormal clips, all of which are test clips. tested: the
    setting `dataset.split`. domains: of the clips that have one.
    Returns (training names, test names), both in order. Where more are to be tested than there are, none is left for
    training.
    """
    ordered = in_order(names, domains or {})
    count = count_tested(len(ordered), abnormal, tested)
    return ordered[count:], ordered[:count]


def fit_count(n_train: int, val_split: float) -> int:
    """How many of `n_train` training clips are fitted on; the rest, the last of them, is held out for validation."""
    # Rounded first: a tenth of 10 clips is 1, though 10 * (1 - 0.9) is a little less in floating point.
    return int(round(n_train * (1 - val_split), 9))


def check_counts(
    section: object, train: int, test_normal: int, test_abnormal: int, what_to_do: str, *, settable: bool = False
) -> None:
    """Raise UserError where a section has too few clips to train a model or to compute an AUC.

    section: what the message calls the section. what_to_do: the message's last sentence. settable: whether
    `dataset.split` decides how many normal clips are tested, so that another value may help.
    """
    if train >= MIN_TRAINING and test_abnormal >= MIN_ABNORMAL and test_normal >= 1:
        return
    normal = train + test_normal
    proposal = ""
    if settable and normal > MIN_TRAINING and test_abnormal >= MIN_ABNORMAL:
        tested = min(max(1, round(normal * PROPOSED_SHARE)), normal - MIN_TRAINING)
        proposal = f"dataset.split: {tested} would train on {normal - tested} of the {normal} normal clips. Or: "
    raise UserError(
        f"section {section}: {train} training, {test_normal} normal test and {test_abnormal} abnormal clips; "
        f"at least {MIN_TRAINING}, 1 and {MIN_ABNORMAL} are needed "
        f"(as many normal clips are kept for the test as there are abnormal ones, where dataset.split does not say "
        f"otherwise). {proposal}{what_to_do}"
    )
