import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from mimii.arrow import float_lists, numbers, strings

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)


@settings(deadline=None)
@given(st.lists(st.none() | text, max_size=30))
def test_strings_are_arrows(values):
    array = strings(values)
    array.validate(full=True)
    assert array.equals(pa.array(values, pa.string()))


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False) | st.integers(-(2**31), 2**31), max_size=30))
def test_numbers_are_arrows(values):
    for of in (np.array(values, np.float64), np.array(values, np.float64)[::2], np.arange(len(values), dtype=np.int32)):
        array = numbers(of)
        array.validate(full=True)
        assert array.equals(pa.array(of))


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(0, 9), max_size=30))
def test_float_lists_are_arrows(sizes):
    values = [None if size is None else np.arange(4 * size, dtype=np.float32).reshape(size, 4) for size in sizes]
    array = float_lists(values, pa.list_(pa.float32()))
    array.validate(full=True)
    flat = [None if value is None else value.ravel().tolist() for value in values]
    assert array.equals(pa.array(flat, pa.list_(pa.float32())))
