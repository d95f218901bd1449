"""Categories and dates: one number of an example each, of which a model sees some columns.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_MONTHS, _WEEKDAYS = 12, 7
#: 1970-01-01, the day 0, was a Thursday; weeks begin on Monday.
_FIRST_WEEKDAY = 3


@dataclass(frozen=True)
class Encoding:
    """Which numbers of an example stand for a category, and which for a day.

    Attributes
    ----------
    first : int
        Numbers before them.
    sizes : tuple of int
        Values of each category; its number is the place of the value, NaN for any other.
    dates : int
        Days since 1970-01-01, behind the categories.
    """

    first: int = 0
    sizes: tuple[int, ...] = ()
    dates: int = 0

    def __bool__(self) -> bool:
        return bool(self.sizes or self.dates)

    def width(self, num_numbers: int) -> int:
        """Count the columns that a model sees of the D numbers of an example."""
        of_dates = self.dates * (1 + _MONTHS + _WEEKDAYS)  # and the day itself
        return num_numbers - len(self.sizes) + sum(self.sizes) + of_dates

    def split(
        self, numbers: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Tell quantities from marks.

        Parameters
        ----------
        numbers : ndarray of float64, shape (N, D)

        Returns
        -------
        quantities : ndarray of float64, shape (N, Q)
            The other numbers, then year and day of each date; NaN where missing.
        marks : ndarray of float64, shape (N, M)
            A column for each value of each category, then the months and weekdays of each date: 1
            where it is the example's. All 0 for a value that is missing or not among them.
        """
        if not self:
            return numbers, np.empty((len(numbers), 0))
        middle = self.first + len(self.sizes)
        last = middle + self.dates
        codes, days = numbers[:, self.first : middle].T, numbers[:, middle:last].T
        quantities = [numbers[:, : self.first], numbers[:, last:]]
        marks = [_marks(code, size) for code, size in zip(codes, self.sizes, strict=True)]
        for day in days:
            year, month, weekday = _of_days(day)
            quantities.append(np.column_stack([year, day]))
            marks += [_marks(month, _MONTHS), _marks(weekday, _WEEKDAYS)]
        return np.hstack(quantities), np.hstack(marks)


#: Of features that are neither.
NO_ENCODING = Encoding()


def _marks(codes: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    # rounded, as the trial of an estimator moves all numbers a little
    return np.equal(np.rint(codes)[:, None], np.arange(size)).astype(np.float64)


def _of_days(
    days: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give year, month (0 to 11) and weekday (0 to 6) of days; NaN where missing."""
    known = ~np.isnan(days)
    found = np.full((3, len(days)), np.nan)
    whole = np.rint(days[known]).astype(np.int64)
    dates = whole.astype("datetime64[D]")
    months = dates.astype("datetime64[M]").astype(np.int64)
    found[0, known] = 1970 + months // _MONTHS
    found[1, known] = months % _MONTHS
    found[2, known] = (whole + _FIRST_WEEKDAY) % _WEEKDAYS
    return found[0], found[1], found[2]


def as_texts(column: pa.Array) -> pa.Array:
    """Write the values of a column as those of a category are written, and as Spark writes them.

    Parameters
    ----------
    column : pyarrow.Array
        Of texts, whole numbers or booleans.

    Returns
    -------
    pyarrow.StringArray

    Raises
    ------
    pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError
        If it is none of these.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):  # pandas has no whole numbers beside missing ones
        column = pc.if_else(pc.is_nan(column), None, column).cast(pa.int64())
    return column.cast(pa.string())


def read_codes(column: pa.Array, values: Sequence[str]) -> NDArray[np.float64]:
    """Give the places of a category's values.

    Parameters
    ----------
    column : pyarrow.Array
        As `as_texts` takes it.
    values : sequence of str

    Returns
    -------
    ndarray of float64, shape (N,)
        NaN for null, and for a value that is not among them.
    """
    places = pc.index_in(as_texts(column), value_set=pa.array(values, pa.string()))
    return _with_nan(places)


def read_days(column: pa.Array) -> NDArray[np.float64]:
    """Give dates, or moments by their day in UTC, as days since 1970-01-01.

    Parameters
    ----------
    column : pyarrow.Array
        Of dates or timestamps; one without a time zone counts as it is written.

    Returns
    -------
    ndarray of float64, shape (N,)
        NaN for null.

    Raises
    ------
    pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError
        If it holds other files.
    """
    kind = column.type
    if pa.types.is_timestamp(kind):
        # not by a cast to dates, which refuses moments that are not midnight
        units = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
        moments = column.cast(pa.int64())
        days = np.floor_divide(moments.fill_null(0).to_numpy(), 86_400 * units)
        return np.where(column.is_null().to_numpy(zero_copy_only=False), np.nan, days)
    if not pa.types.is_date(kind):
        raise pa.ArrowInvalid(f"no date: {kind}")
    return _with_nan(column.cast(pa.date32()).cast(pa.int32()))


def _with_nan(column: pa.Array) -> NDArray[np.float64]:
    nan = pa.scalar(float("nan"), pa.float64())
    found = column.cast(pa.float64()).fill_null(nan)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.float64)
