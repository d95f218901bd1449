"""Categories and dates: one number in a row, several columns in a matrix."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest

from sparkclean.errors import InputError
from sparkclean.learning.encoding import NO_ENCODING, Encoding, as_texts, read_codes, read_days
from sparkclean.learning.features import Block, FeatureMatrix

NAN = float("nan")
DAYS = [
    date(1969, 12, 31),
    date(1970, 1, 1),
    date(2000, 2, 29),
    date(1582, 1, 4),
    date(9999, 12, 31),
]


def days_of(dates: list[date]) -> list[float]:
    return [float((day - date(1970, 1, 1)).days) for day in dates]


def test_split_gives_a_mark_for_each_value_and_none_for_others() -> None:
    numbers = np.array([[7.0, 0.0, 1.0, 0.5], [8.0, 2.0, NAN, NAN], [9.0, 3.0, -1.0, 1.5]])
    encoding = Encoding(1, (3, 2))
    quantities, marks = encoding.split(numbers)
    np.testing.assert_array_equal(quantities, [[7.0, 0.5], [8.0, NAN], [9.0, 1.5]])
    assert marks.tolist() == [[1, 0, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    assert encoding.width(4) == quantities.shape[1] + marks.shape[1]


def test_split_marks_a_code_that_was_moved_a_little() -> None:
    _, marks = Encoding(0, (2,)).split(np.array([[0.03], [0.98]]))
    assert marks.tolist() == [[1, 0], [0, 1]]


def test_split_gives_year_day_month_and_weekday_of_dates() -> None:
    encoding = Encoding(0, (), 1)
    quantities, marks = encoding.split(np.array([days_of(DAYS)]).T)
    assert quantities.tolist() == [
        [day.year, n] for day, n in zip(DAYS, days_of(DAYS), strict=True)
    ]
    assert marks[:, :12].argmax(axis=1).tolist() == [day.month - 1 for day in DAYS]
    assert marks[:, 12:].argmax(axis=1).tolist() == [day.weekday() for day in DAYS]
    assert marks.sum(axis=1).tolist() == [2.0] * len(DAYS)
    assert encoding.width(1) == 21


def test_split_of_a_missing_date_is_missing_numbers_and_no_marks() -> None:
    quantities, marks = Encoding(0, (), 1).split(np.array([[NAN]]))
    assert np.isnan(quantities).all()
    assert not marks.any()


def test_split_without_categories_gives_the_numbers_themselves() -> None:
    numbers = np.random.default_rng(1).standard_normal((5, 3))
    quantities, marks = NO_ENCODING.split(numbers)
    assert quantities is numbers
    assert marks.shape == (5, 0)
    assert not NO_ENCODING
    assert NO_ENCODING.width(3) == 3


@pytest.mark.parametrize(
    ("column", "values", "wanted"),
    [
        (pa.array(["b", None, "é", "a", "B", ""]), ["", "a", "b", "é"], [2, NAN, 3, 1, NAN, 0]),
        (pa.array([10, None, -1, 2], pa.int8()), ["-1", "10"], [1, NAN, 0, NAN]),
        (pa.array([True, None, False]), ["false", "true"], [1, NAN, 0]),
        (pa.array([10.0, NAN, None]), ["-1", "10"], [1, NAN, NAN]),  # as pandas has them
        (pa.array(["b", "a", None]).dictionary_encode(), ["a", "b"], [1, 0, NAN]),
        (pa.array(["x", "b"]).slice(1), ["b"], [0]),
        (pa.array(["b"]), [], [NAN]),
    ],
)
def test_read_codes_are_places_and_nan_for_others(
    column: pa.Array, values: list[str], wanted: list[float]
) -> None:
    np.testing.assert_array_equal(read_codes(column, values), wanted)


@pytest.mark.parametrize("column", [pa.array([0.5]), pa.array([[1]]), pa.array([b"\xff"])])
def test_as_texts_refuses_what_is_no_category(column: pa.Array) -> None:
    with pytest.raises((pa.ArrowInvalid, pa.ArrowNotImplementedError)):
        as_texts(column)


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_read_days_of_moments_are_those_in_utc(unit: str) -> None:
    moments = [
        datetime(1969, 12, 31, 23, 59, 59, 999000, timezone.utc),
        datetime(1970, 1, 1, tzinfo=timezone.utc),
        datetime(2024, 2, 29, 23, 30, tzinfo=timezone(timedelta(hours=-3))),
        None,
    ]
    column = pa.array(moments, pa.timestamp(unit, "UTC"))
    wanted = [*days_of([date(1969, 12, 31), date(1970, 1, 1), date(2024, 3, 1)]), NAN]
    np.testing.assert_array_equal(read_days(column), wanted)
    np.testing.assert_array_equal(read_days(column.cast(pa.timestamp(unit))), wanted)


def test_read_days_of_dates_and_refusal_of_texts() -> None:
    np.testing.assert_array_equal(read_days(pa.array([*DAYS, None])), [*days_of(DAYS), NAN])
    with pytest.raises(pa.ArrowInvalid):
        read_days(pa.array(["2024-01-01"]))


def test_feature_matrix_scales_numbers_and_leaves_marks() -> None:
    numbers = np.array([[10.0, 0.0], [20.0, 1.0], [NAN, NAN], [30.0, 1.0]])
    matrix = FeatureMatrix(Encoding(1, (2,))).fit(Block(numbers, ()))
    found = matrix.transform(Block(numbers, ()))
    deviation = np.std([10.0, 20.0, 30.0])
    np.testing.assert_allclose(found[:, 0], [-10 / deviation, 0.0, 0.0, 10 / deviation])
    assert found[:, 1:].tolist() == [[1, 0], [0, 1], [0, 0], [0, 1]]


def test_feature_matrix_beside_texts_is_sparse_with_marks() -> None:
    block = Block(np.array([[0.0], [1.0]]), (["cat sat", "dog"],))
    found = FeatureMatrix(Encoding(0, (2,))).fit(block).transform(block)
    assert found[:, :2].toarray().tolist() == [[1, 0], [0, 1]]
    assert found.shape[1] == 2 + (1 << 18)


def test_feature_matrix_for_a_dense_model_has_the_most_frequent_words() -> None:
    texts = [f"cat dog word{i}" for i in range(1200)]
    block = Block(np.zeros((1200, 0)), (texts,))
    matrix = FeatureMatrix(is_dense=True).fit(block)
    found = matrix.transform(Block(np.zeros((2, 0)), (["cat dog word3", "nothing"],)))
    assert isinstance(found, np.ndarray)
    assert found.shape == (2, 1000)
    assert np.count_nonzero(found[0]) >= 3  # cat, dog and both together
    assert not found[1].any()
    assert (FeatureMatrix(is_dense=True).fit(block).kept[0] == matrix.kept[0]).all()


def test_feature_matrix_for_a_dense_model_that_does_not_fit_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sparkclean.learning.features._DENSE_NUMBERS", 2 * 99)
    block = Block(np.zeros((2, 0)), (["cat", "dog"],))
    with pytest.raises(InputError, match=r"predict.max_train_rows: .* of 2 rows the 100 most "):
        FeatureMatrix(is_dense=True).fit(block)
    monkeypatch.setattr("sparkclean.learning.features._DENSE_NUMBERS", 2 * 100)
    assert FeatureMatrix(is_dense=True).fit(block).transform(block).shape == (2, 2)
