"""The part of the configuration that is of conflicts."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from pydantic import StrictStr, field_validator

from sparkclean.config.sections import Config, Section, setting
from sparkclean.config.values import Positive, Switch

#: Key of the table of trusted labels, which a training names.
TEST = "train.test"


class ConflictsSection(Section):
    """How `sparkclean conflicts` finds the same example with different labels."""

    columns: StrictStr | list[StrictStr] = setting(
        description="Content column, or a list of them: rows with equal values are the same "
        "example.",
        result=True,
    )
    fold: Switch = setting(
        False,
        description="true: texts are the same if they differ only in Unicode form, upper case or "
        "blanks.",
        result=True,
    )
    split: StrictStr | None = setting(
        None,
        description="Split column, such as train and test: the same content in several splits is a "
        "leak.",
        result=True,
    )
    max_ids: Positive = setting(
        20, description="Largest number of record ids that a row of conflicts lists.", result=True
    )
    suspects: StrictStr | None = setting(
        None,
        description="Suspects of an audit (its output.suspects): conflicts then say what the audit "
        "makes of each row.",
    )
    audit: StrictStr | None = setting(
        None,
        description="Run id of that audit. null: the newest one of input.table in "
        "conflicts.suspects.",
        result=True,
    )

    may_be_null: ClassVar[bool] = True
    if_null: ClassVar[str] = "name the content columns, for instance conflicts: {columns: [text]}"

    @field_validator("columns")
    @classmethod
    def _list(cls, columns: str | list[str]) -> list[str]:
        """Make a list of one name, which is the same configuration."""
        return [columns] if isinstance(columns, str) else columns

    @property
    def content_columns(self) -> tuple[str, ...]:
        """Columns of the content."""
        return tuple(self.columns)

    def findings(self, config: Config) -> list[str]:
        """Find columns that are none, or have two meanings, and settings without effect."""
        findings = []
        if not self.columns:
            findings.append("conflicts.columns: [] names no column; name at least one")
        findings += [
            f"conflicts.columns: {name!r} is named {count} times; name it once"
            for name, count in Counter(self.columns).items()
            if count > 1
        ]
        keys = {config.columns.label: "columns.label"} | dict.fromkeys(
            () if config.columns.is_numbered else config.columns.id_columns, "columns.id"
        )
        findings += [
            f"conflicts.columns: {name!r} is also {keys[name]}; the content is what people label"
            for name in dict.fromkeys(self.columns)
            if name in keys
        ]
        if self.split is not None and self.split in {*keys, *self.columns}:
            meaning = keys.get(self.split, "among conflicts.columns")
            findings.append(
                f"conflicts.split: {self.split!r} is also {meaning}; each column has one meaning"
            )
        if self.audit is not None and self.suspects is None:
            findings.append(
                f"conflicts.audit: {self.audit!r} has no effect without conflicts.suspects; name "
                "the suspects of that audit"
            )
        return findings


def trusted_table(config: Config) -> str | None:
    """Give the table of trusted labels, where the configuration names one."""
    named = {key: table for part in config.sections() for key, table in part.tables().items()}
    return named.get(TEST)
