"""The part of the configuration of `sparkclean diagnose`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from pydantic import StrictStr

from sparkclean.config.sections import Config, Section, setting
from sparkclean.config.values import Count, Fraction, Number, Tolerance

#: Keys that name a column of subjects, in the order of the output.
SUBJECT_KEYS = ("source", "annotator", "file", "time")


class DiagnoseSection(Section):
    """What `sparkclean diagnose` knows of each row besides label and probabilities."""

    source: StrictStr | None = setting(
        None, description="Column of the source of each row.", result=True
    )
    annotator: StrictStr | None = setting(
        None, description="Column of whoever labelled the row.", result=True
    )
    time: StrictStr | None = setting(
        None,
        description="Column of the time at which the row was labelled: a timestamp or a date.",
        result=True,
    )
    window_hours: Number = setting(
        24.0, description="Length of the windows of time, in hours.", result=True
    )
    file: StrictStr | None = setting(
        None, description="Column of the file or batch that the row came in.", result=True
    )
    position: StrictStr | None = setting(
        None,
        description="Column by which rows are ordered within their file, or within their source: "
        "labels are compared with those of neighbouring rows.",
        result=True,
    )
    values: list[StrictStr] = setting(
        [],
        description="Further columns whose values are looked at: a value that many wrong labels "
        "share may be a trigger.",
        result=True,
    )
    examples: Count = setting(5, description="Record ids that each row of the output lists.")
    row_sum_tolerance: Tolerance = setting(
        1e-3, description="Largest distance of a row's probability sum from 1.", result=True
    )
    max_rejected_fraction: Fraction = setting(
        0.01,
        description="Largest share of rows without a usable label or probabilities; above it the "
        "run fails.",
    )

    may_be_null: ClassVar[bool] = False

    @property
    def columns(self) -> Iterator[tuple[str, str, str]]:
        """Key, kind of subject, and column, of all columns of subjects."""
        for key in SUBJECT_KEYS:
            if getattr(self, key) is not None:
                yield f"diagnose.{key}", key, getattr(self, key)
        for name in self.values:
            yield "diagnose.values", f"value of {name}", name

    def findings(self, config: Config) -> list[str]:
        """Find columns that cannot be what they are named as."""
        found = []
        if not self.window_hours > 0:
            found.append(
                f"diagnose.window_hours: {self.window_hours:g} is no length of a window; give a "
                "number above 0"
            )
        if self.position is not None and self.file is None and self.source is None:
            found.append(
                f"diagnose.position: {self.position!r} orders the rows of a file or source, but "
                "none is named; set diagnose.file or diagnose.source"
            )
        named = [name for _, _, name in self.columns]
        found += [
            f"diagnose: column {name!r} is named {count} times; name it once"
            for name, count in Counter(named).items()
            if count > 1
        ]
        label = config.columns.label
        own = {label, *config.columns.pred_probs_columns}
        return found + [
            f"{key}: {name!r} is the column of {'labels' if name == label else 'probabilities'}; "
            "name one of sources, annotators, files, times or values"
            for key, _, name in self.columns
            if name in own
        ]
