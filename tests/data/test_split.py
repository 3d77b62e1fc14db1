import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mimii.common.errors import UserError
from mimii.data.split import AS_MANY, check_counts, fit_count, in_order, split_normal

names = st.lists(st.text(min_size=1, max_size=12), unique=True, max_size=60)


@given(names, st.integers(0, 80), st.randoms(use_true_random=False))
def test_every_normal_clip_is_in_one_part_whatever_the_order(names, abnormal, random):
    train, test = split_normal(names, abnormal)
    assert sorted(train + test) == sorted(names)
    assert len(test) == min(abnormal, len(names))
    assert all(first < later for first in test for later in train)
    random.shuffle(names)
    assert split_normal(names, abnormal) == (train, test)


@given(names, st.integers(1, 4))
def test_names_of_one_domain_are_in_their_own_order_and_each_end_has_its_share_of_several(names, several):
    assert in_order(names, {}) == in_order(names, dict.fromkeys(names, "target")) == sorted(names)
    domains = {name: "target" if number % (several + 1) == 0 else None for number, name in enumerate(names)}
    ordered = in_order(names, domains)
    assert sorted(ordered) == sorted(names)
    share = sum(domain == "target" for domain in domains.values()) / max(1, len(names))
    for count in range(len(names)):
        assert abs(sum(domains[name] == "target" for name in ordered[:count]) - share * count) <= 1


def test_a_split_of_domains_tests_and_trains_on_both():
    domains = {
        f"{domain}/{number}": domain for domain, count in (("source", 30), ("target", 10)) for number in range(count)
    }
    train, test = split_normal(list(domains), 8, AS_MANY, domains)
    assert [test.count(name) for name in test] == [1] * 8
    assert sum(domains[name] == "target" for name in test) == 2
    assert {domains[name] for name in train[-5:]} == {"source", "target"}


def test_split_is_the_protocols():
    names = [f"{number:08d}.wav" for number in range(1011)]  # fan id_00: 1,011 normal, 407 abnormal
    train, test = split_normal(names[::-1], 407)
    assert (len(train), len(test)) == (604, 407)
    assert test == names[:407]


@given(st.integers(0, 5000), st.floats(0, 0.99))
def test_fit_count_leaves_the_validation_share(n, val_split):
    assert 0 <= fit_count(n, val_split) <= n
    assert fit_count(n, 0) == n


def test_fit_count_rounds_down():
    assert [fit_count(604, 0.1), fit_count(74, 0.1), fit_count(10, 0.1)] == [543, 66, 9]


@pytest.mark.parametrize("tenths", range(10))
def test_fit_count_is_exact_where_the_share_is(tenths):
    """So ten clips, which every section has, leave one to fit on whatever val_split may be."""
    for clips in range(10, 1000, 10):
        assert fit_count(clips, tenths / 10) == clips * (10 - tenths) // 10


@pytest.mark.parametrize("counts", [(9, 1, 1), (10, 0, 0), (0, 0, 0), (10, 0, 1)])
def test_too_few_clips_are_refused_with_counts(counts):
    train, normal, abnormal = counts
    with pytest.raises(
        UserError, match=rf"section S: {train} training, {normal} normal test and {abnormal} abnormal"
    ) as e:
        check_counts("S", *counts, "Do this")
    assert str(e.value).endswith("Do this")


def test_just_enough_clips_pass():
    check_counts("S", 10, 1, 1, "")


@pytest.mark.parametrize(
    ("normal", "abnormal", "setting", "tested"),
    [
        (42, 42, AS_MANY, 42),
        (42, 42, 13, 13),
        (42, 42, 0.3, 13),
        (5, 1, 0.01, 1),
        (5, 9, 7, 5),
        (100, 2, 20, 20),
    ],
)
def test_how_many_normal_clips_are_tested_is_a_setting(normal, abnormal, setting, tested):
    names = [f"{number:03d}" for number in range(normal)]
    assert split_normal(names, abnormal, setting) == (names[tested:], names[:tested])


@given(st.integers(0, 200), st.integers(0, 200))
def test_what_is_proposed_is_enough_to_train_and_test(normal, abnormal):
    tested = min(normal, abnormal)
    assume(normal - tested < 10 or not tested)
    with pytest.raises(UserError, match=r"Add some\.") as refused:
        check_counts("S", normal - tested, tested, abnormal, "Add some.", settable=True)
    proposal = re.search(r"dataset.split: (\d+) would train on (\d+) of", str(refused.value))
    assert (proposal is not None) == (normal > 10 and abnormal > 0)
    if proposal:
        check_counts("S", int(proposal[2]), int(proposal[1]), abnormal, "")
        assert int(proposal[1]) + int(proposal[2]) == normal


def test_42_normal_and_42_abnormal_clips_are_not_the_end():
    with pytest.raises(UserError, match=r"dataset.split: 13 would train on 29 of the 42 normal clips"):
        check_counts("S", 0, 42, 42, "", settable=True)
