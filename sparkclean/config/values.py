"""Kinds of values that a key of the configuration takes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as text; the environment gives nothing but text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _plain(value: Any) -> Any:
    """Notebooks give numpy's integers and booleans, too."""
    return value.item() if getattr(value, "shape", None) == () else value


# bounds stand before the validator: behind it they are missing in the JSON schema
Number = Annotated[float, Field(strict=True), BeforeValidator(_number)]
NotNegative = Annotated[float, Field(strict=True, ge=0.0), BeforeValidator(_number)]
Fraction = Annotated[float, Field(strict=True, ge=0.0, le=1.0), BeforeValidator(_number)]
Tolerance = Annotated[float, Field(strict=True, ge=0.0, le=0.5), BeforeValidator(_number)]
#: Integers: of at least 1, of at least 2, and what a generator of random numbers takes.
Positive = Annotated[int, Field(strict=True, ge=1), BeforeValidator(_plain)]
Several = Annotated[int, Field(strict=True, ge=2), BeforeValidator(_plain)]
Seed = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1), BeforeValidator(_plain)]
Count = Annotated[int, Field(strict=True, ge=0), BeforeValidator(_plain)]
Switch = Annotated[bool, Field(strict=True), BeforeValidator(_plain)]
Label = Annotated[StrictBool | StrictInt | StrictStr, BeforeValidator(_plain)]


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Setting = Annotated[
    StrictStr, BeforeValidator(_text), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
