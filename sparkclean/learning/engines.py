"""The engines by their names in ``predict.engine``."""

from __future__ import annotations

from sparkclean.learning.engine import Engine


def open_engine(name: str) -> type[Engine]:
    """Choose the engine of a name: ``sklearn`` or ``spark-ml``."""
    if name == "spark-ml":
        from sparkclean.learning.spark_ml.engine import SparkMLEngine  # noqa: PLC0415 (pyspark.ml)

        return SparkMLEngine
    from sparkclean.learning.sklearn_engine import SklearnEngine  # noqa: PLC0415

    return SklearnEngine
