"""What every row that we publish says of where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean import schema

if TYPE_CHECKING:
    from pyspark.sql import Column


@dataclass(frozen=True)
class Provenance:
    """What every output row carries.

    Attributes
    ----------
    dataset_version : str
        The version of the input that was audited.
    config_fingerprint : str
    run_id : str
    """

    dataset_version: str
    config_fingerprint: str
    run_id: str

    def columns(self) -> list[Column]:
        """Constant columns of a frame."""
        return [F.lit(value).alias(name) for name, value in self.values().items()]

    def values(self) -> dict[str, str]:
        """Constant values of a row."""
        return {name: getattr(self, name) for name, _ in schema.PROVENANCE}
