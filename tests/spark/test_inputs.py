"""Every layout and type of input that is promised: one answer, that of numpy, for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.ml.linalg import DenseVector, SparseVector, VectorUDT
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sparkclean
from sparkclean.commands.demo import flip_labels
from sparkclean.errors import ConfigError, InputError
from sparkclean.learning.robust_classifier import RobustClassifier
from tests.spark.answers import dyadic_data, frame_of, hash_of_arrays

ROWS, K = 120, 4
#: Two passes and no window: cheap. Its hash holds thresholds, both joints and all suspects.
CHEAP = "predicted_neq_given"
GIVEN, PROBS = dyadic_data(ROWS, K)


@pytest.fixture(scope="module")
def plain(spark: SparkSession) -> Iterator[DataFrame]:
    frame = frame_of(spark, GIVEN, PROBS).coalesce(1).cache()
    yield frame
    frame.unpersist()


def hash_of(frame: DataFrame, **options: Any) -> str:
    with sparkclean.audit(frame, **({"filter_by": CHEAP} | options)) as result:
        return result.compute_result_hash()


def warnings_of(frame: DataFrame) -> str:
    with sparkclean.audit(frame, filter_by=CHEAP) as result:
        return "\n".join(result.warnings)


# -- layouts of the probabilities --------------------------------------------------------------


def entries(label: str = "k", keep: str = "true") -> str:
    """SQL of the probabilities as (label, prob) structs, last class first."""
    structs = f"transform(pred_probs, (p, k) -> struct({label} AS label, p AS prob))"
    return f"reverse(filter({structs}, e -> {keep}))"


LAYOUTS = {
    "array_float": "cast(pred_probs AS array<float>)",
    "array_decimal": "cast(pred_probs AS array<decimal(7,6)>)",
    "map": f"map_from_entries({entries()})",
    "map_of_text": f"map_from_entries({entries('string(k)')})",
    "map_of_floats": f"cast(map_from_entries({entries()}) AS map<smallint, float>)",
    "map_without_zeros": f"map_from_entries({entries(keep='e.prob > 0')})",
    "top_k": entries(),
    "top_k_of_text_without_zeros": entries("string(k)", "e.prob > 0"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_audit_any_layout_has_the_hash_of_arrays(plain: DataFrame, layout: str) -> None:
    frame = plain.withColumn("pred_probs", F.expr(LAYOUTS[layout]))
    classes = range(K) if layout.startswith(("map", "top_k")) else None
    with sparkclean.audit(frame, filter_by=CHEAP, classes=classes) as result:
        assert result.compute_result_hash() == hash_of_arrays(GIVEN, PROBS, CHEAP)
        assert result.num_suspects > 10
        assert result.warnings == ()


@pytest.mark.parametrize("kind", ["dense", "sparse", "mixed"])
def test_audit_spark_ml_vectors_have_the_hash_of_arrays(
    spark: SparkSession, plain: DataFrame, kind: str
) -> None:
    def vector(i: int) -> DenseVector | SparseVector:
        if kind == "dense" or (kind == "mixed" and i % 2):
            return DenseVector(PROBS[i])
        there = np.flatnonzero(PROBS[i])
        return SparseVector(K, there, PROBS[i][there])

    schema = StructType([*plain.schema.fields[:2], StructField("pred_probs", VectorUDT())])
    rows = [(i, int(GIVEN[i]), vector(i)) for i in range(ROWS)]
    assert hash_of(spark.createDataFrame(rows, schema)) == hash_of_arrays(GIVEN, PROBS, CHEAP)


@pytest.mark.parametrize(
    "types",
    [["double"] * K, ["float", "double", "decimal(7,6)", "decimal(20,10)"]],
    ids=["doubles", "mixed"],
)
def test_audit_separate_columns_have_the_hash_of_arrays(plain: DataFrame, types: list[str]) -> None:
    names = [f"p.{k} of `{kind}`" for k, kind in enumerate(types)]
    columns = [
        F.get("pred_probs", F.lit(k)).cast(kind).alias(name)
        for k, (name, kind) in enumerate(zip(names, types, strict=True))
    ]
    frame = plain.select(columns[3], "id", *columns[:3], "label")
    assert hash_of(frame, pred_probs=names) == hash_of_arrays(GIVEN, PROBS, CHEAP)


def test_audit_one_hot_integers_have_the_hash_of_arrays(spark: SparkSession) -> None:
    one_hot = np.eye(K)[PROBS.argmax(axis=1)]
    frame = frame_of(spark, GIVEN, one_hot)
    whole = frame.withColumn("pred_probs", F.expr("cast(pred_probs AS array<tinyint>)"))
    assert hash_of(whole) == hash_of_arrays(GIVEN, one_hot, CHEAP)


@pytest.mark.parametrize("layout", ["map", "top_k"])
def test_audit_two_best_classes_alone_count_the_rest_as_0(plain: DataFrame, layout: str) -> None:
    third, second = np.sort(PROBS, axis=1)[:, -3:-1].T
    clear = np.flatnonzero(second > third)
    two = np.where(PROBS[clear] >= second[clear, None], PROBS[clear], 0.0)
    sql = entries(keep=f"e.prob >= sort_array(pred_probs)[{K - 2}]")
    sql = sql if layout == "top_k" else f"map_from_entries({sql})"
    frame = plain.where(F.col("id").isin(clear.tolist())).withColumn("pred_probs", F.expr(sql))
    ids = [[i] for i in clear.tolist()]
    wanted = hash_of_arrays(GIVEN[clear], two, CHEAP, ids=ids, row_sum_tolerance=0.5)
    assert hash_of(frame, classes=range(K)) == wanted
    assert (two.sum(axis=1) < 0.99).sum() > ROWS / 4


def test_audit_top_k_that_cannot_be_spread_is_rejected(spark: SparkSession) -> None:
    good = [(0, 0.75), (2, 0.25)]
    bad: list[tuple[Any, str]] = [
        ([(0, 0.5), (9, 0.5)], "pred_probs_wrong_length"),
        ([(0, 0.5), (0, 0.5)], "pred_probs_wrong_length"),
        ([(0, 0.5), None], "pred_probs_wrong_length"),
        ([(None, 0.5), (1, 0.5)], "pred_probs_wrong_length"),
        ([(0, 0.75), (1, 0.75)], "pred_probs_row_sum"),
        ([(0, 0.75), (1, None)], "pred_probs_not_finite"),
        ([(0, 1.5)], "pred_probs_out_of_range"),
        ([], "pred_probs_null"),
        (None, "pred_probs_null"),
    ]
    rows = [(i, i % 3, found) for i, (found, _) in enumerate(bad)]
    rows += [(100 + i, i % 3, good) for i in range(30)]
    schema = "id int, label int, pred_probs array<struct<label: int, prob: float>>"
    frame = spark.createDataFrame(rows, schema).coalesce(1)
    with sparkclean.audit(
        frame, classes=range(3), filter_by=CHEAP, max_rejected_fraction=0.5
    ) as result:
        rejected = {row["id"]: row["reason"] for row in result.rejected.collect()}
    assert rejected == {i: reason for i, (_, reason) in enumerate(bad)}


@pytest.mark.parametrize("layout", ["array", "map", "top_k"])
def test_audit_thousand_classes_have_the_hash_of_arrays(
    spark: SparkSession, tmp_path: Path, layout: str
) -> None:
    # more rows than one chunk of 1,000 classes, fewer than an Arrow batch: chunks are slices
    rows, classes = 2500, 1000
    rng = np.random.default_rng(1)
    given, rival = rng.integers(0, classes, rows), rng.integers(0, classes - 1, rows)
    rival += rival >= given
    own = rng.integers(1, 64, rows) / 64
    probs = np.zeros((rows, classes), np.float32)
    probs[np.arange(rows), given] = own
    probs[np.arange(rows), rival] = 1 - own
    if layout == "array":
        column = pa.array(list(probs))
    else:
        pairs = zip(given.tolist(), own.tolist(), rival.tolist(), strict=True)
        column = pa.array(
            [[(g, p), (r, 1 - p)] for g, p, r in pairs], pa.map_(pa.int32(), pa.float32())
        )
    table = pa.table({"id": np.arange(rows), "label": given, "pred_probs": column})
    pq.write_table(table, tmp_path / "table.parquet")
    frame = spark.read.parquet(str(tmp_path))
    if layout == "top_k":
        frame = frame.withColumn("pred_probs", F.map_entries("pred_probs"))
    found = hash_of(frame, classes=range(classes))
    assert found == hash_of_arrays(given, probs.astype(np.float64), CHEAP)


# -- labels and classes ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tinyint", "smallint", "bigint", "float", "double", "string"])
def test_audit_any_type_of_label_has_the_hash_of_arrays(plain: DataFrame, kind: str) -> None:
    frame = plain.withColumn("label", F.col("label").cast(kind))
    classes = [str(k) for k in range(K)] if kind == "string" else None
    with sparkclean.audit(frame, filter_by=CHEAP, classes=classes) as result:
        assert result.compute_result_hash() == hash_of_arrays(GIVEN, PROBS, CHEAP, classes=classes)
        assert dict(result.suspects.dtypes)["suggested_label"] == kind
        assert dict(result.classes.dtypes)["class"] == kind
        assert result.classes.count() == K
        said = "only whole numbers match a class" in " ".join(result.warnings)
        assert said == (kind in ("float", "double"))


def test_audit_labels_that_are_no_whole_numbers_are_rejected(plain: DataFrame) -> None:
    odd = {3: 0.5, 4: float("nan"), 5: float("inf"), 6: -1.0}
    label = F.col("label").cast("double")
    for i, value in odd.items():
        label = F.when(F.col("id") == i, F.lit(value)).otherwise(label)
    with sparkclean.audit(
        plain.withColumn("label", label), filter_by=CHEAP, max_rejected_fraction=0.1
    ) as result:
        rejected = {row["id"]: row["given_label"] for row in result.rejected.collect()}
    assert {i: float(text) for i, text in rejected.items()} == pytest.approx(odd, nan_ok=True)


@pytest.mark.parametrize("classes", [None, [True, False]], ids=["default", "reversed"])
def test_audit_boolean_labels_have_the_hash_of_arrays(
    spark: SparkSession, classes: list[bool] | None
) -> None:
    given, probs = dyadic_data(ROWS, 2, seed=2)
    order = classes or [False, True]
    kept = [order[g] for g in given]
    frame = frame_of(spark, np.array(kept), probs).withColumn("label", F.col("label") == 1)
    assert hash_of(frame, classes=classes) == hash_of_arrays(given, probs, CHEAP, classes=order)


@pytest.mark.parametrize("order", [[2, 0, 3, 1], [-7, 2**40, 0, 5], ["ß", "", "a,'\"\n`", "日本"]])
def test_audit_classes_stand_in_the_order_of_the_probabilities(
    spark: SparkSession, plain: DataFrame, order: list[Any]
) -> None:
    text = isinstance(order[0], str)
    named = spark.createDataFrame(
        list(enumerate(order)), f"label int, name {'string' if text else 'bigint'}"
    )
    frame = plain.join(F.broadcast(named), "label").select("id", "name", "pred_probs")
    with sparkclean.audit(frame, label="name", filter_by=CHEAP, classes=order) as result:
        wanted = hash_of_arrays(GIVEN, PROBS, CHEAP, classes=order)
        assert result.compute_result_hash() == wanted
        for row in result.suspects.collect():
            assert row["given_label"] == order[GIVEN[row["id"]]]
            assert row["suggested_label"] == order[PROBS[row["id"]].argmax()]


def test_audit_class_that_does_not_fit_the_label_column_says_so(spark: SparkSession) -> None:
    probs = np.full((10, 200), 1 / 200)
    frame = frame_of(spark, np.arange(10), probs)
    frame = frame.withColumn("label", F.col("label").cast("tinyint"))
    with pytest.raises(ConfigError, match=r"number 129 of 200 .*'label'.*tinyint"):
        sparkclean.audit(frame)


def test_audit_class_of_nobody_and_class_of_one_row_are_named(spark: SparkSession) -> None:
    given, probs = dyadic_data(ROWS, 5, seed=3)
    given = np.where(np.isin(given, (1, 2)), 0, given)
    given[17] = 2
    probs[3] = [1 + 5e-5, -5e-7, 0.0, 0.0, 0.0]
    frame = frame_of(spark, given, probs)
    with sparkclean.audit(frame, filter_by="prune_by_noise_rate") as result:
        assert result.compute_result_hash() == hash_of_arrays(given, probs, "prune_by_noise_rate")
        examples = {row["class"]: row["examples"] for row in result.classes.collect()}
        said = "\n".join(result.warnings)
    assert examples == dict(enumerate(np.bincount(given).tolist()))
    assert (examples[1], examples[2]) == (0, 1)
    assert "1 classes have no examples: 1" in said
    assert "1 classes have fewer than 5 examples: 2 (1)" in said
    assert "1 rows held values slightly outside [0, 1]; they were clipped" in said


def test_audit_in_sample_probabilities_are_warned_of(spark: SparkSession) -> None:
    probs = np.where(np.eye(K, dtype=bool)[GIVEN], 1 - 3 / 4096, 1 / 4096)
    assert "look in-sample" in warnings_of(frame_of(spark, GIVEN, probs))


#: Models that learn wrong labels by heart.
FITTING = {
    "forest": RandomForestClassifier(50, random_state=0),
    "hidden layer": make_pipeline(
        StandardScaler(),
        RobustClassifier("cross_entropy", hidden_units=32, alpha=1e-4, tol=1e-3, random_state=0),
    ),
}


@pytest.mark.parametrize("model", FITTING)
def test_audit_in_sample_probabilities_of_a_model_are_warned_of_and_others_not(
    spark: SparkSession, model: str
) -> None:
    images, true = load_digits(return_X_y=True)
    given = flip_labels(true, 10)
    in_sample = FITTING[model].fit(images, given).predict_proba(images)
    assert "look in-sample" in warnings_of(frame_of(spark, given, in_sample))
    held_out = cross_val_predict(FITTING[model], images, given, cv=3, method="predict_proba")
    assert "look in-sample" not in warnings_of(frame_of(spark, given, held_out))


def test_audit_permuted_columns_are_warned_of(spark: SparkSession) -> None:
    said = warnings_of(frame_of(spark, GIVEN, PROBS[:, [1, 0, 2, 3]]))
    assert "look permuted: 2 labels" in said
    assert "0 -> 1, 1 -> 0" in said


# -- record ids --------------------------------------------------------------------------------

_PREFIXES = ("Z", "a", "ä", "", " ", "\N{CJK UNIFIED IDEOGRAPH-65E5}", "\uffff", "\U0001f600")
IDS: dict[str, tuple[str, list[Any]]] = {
    "bigint": ("bigint", [-(2**63) + i for i in range(60)] + [2**63 - 60 + i for i in range(60)]),
    # by bytes: capitals first, and what UTF-16 writes with surrogates last
    "text": ("string", sorted((f"{p}{i}" for i in range(15) for p in _PREFIXES), key=str.encode)),
}
#: Every row ties with every other of its class; a quota cuts between them.
ALIKE = np.tile([30 / 64, 16 / 64, 10 / 64, 8 / 64], (ROWS, 1))


@pytest.mark.parametrize("kind", ["tinyint", "smallint", "int"])
def test_audit_integer_ids_of_any_width_have_the_hash_of_arrays(
    plain: DataFrame, kind: str
) -> None:
    frame = plain.withColumn("id", (F.col("id") - 60).cast(kind))
    with sparkclean.audit(frame, filter_by=CHEAP) as result:
        ids = [[i - 60] for i in range(ROWS)]
        assert result.compute_result_hash() == hash_of_arrays(GIVEN, PROBS, CHEAP, ids=ids)
        assert dict(result.suspects.dtypes)["id"] == kind


@pytest.mark.parametrize("kind", IDS)
def test_audit_ties_go_by_record_id(spark: SparkSession, kind: str) -> None:
    id_type, ids = IDS[kind]
    frame = frame_of(spark, GIVEN, ALIKE, ids=ids, id_type=id_type)
    options = {"filter_by": "prune_by_class", "frac_noise": 0.5}
    with sparkclean.audit(frame.orderBy(F.desc("id")).repartition(3), **options) as result:
        wanted = hash_of_arrays(GIVEN, ALIKE, ids=[[i] for i in ids], **options)
        assert result.compute_result_hash() == wanted
        rows = result.suspects.orderBy("rank").collect()
        assert dict(result.suspects.dtypes)["id"] == id_type
    places = [(row["label_quality"], ids.index(row["id"])) for row in rows]
    assert places == sorted(places)
    assert 10 < len(places) < 60


def test_audit_composite_ids_go_left_to_right(spark: SparkSession) -> None:
    ids = [(shard, i) for shard in ("Z", "a", "ä") for i in range(-20, 20)]
    rows = [(*ids[i], int(GIVEN[i]), ALIKE[i].tolist()) for i in range(ROWS)]
    frame = spark.createDataFrame(rows, "shard string, n int, label int, pred_probs array<double>")
    options = {"filter_by": "both", "frac_noise": 0.5}
    shuffled = frame.orderBy("n", F.desc("shard")).repartition(3)
    with sparkclean.audit(shuffled, id=["shard", "n"], **options) as result:
        assert result.compute_result_hash() == hash_of_arrays(GIVEN, ALIKE, ids=ids, **options)
        assert result.suspects.columns[:2] == ["shard", "n"]


@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "low_normalized_margin"])
def test_audit_rows_all_alike_have_the_hash_of_arrays(spark: SparkSession, filter_by: str) -> None:
    frame = frame_of(spark, GIVEN, ALIKE).orderBy(F.desc("id")).repartition(3)
    assert hash_of(frame, filter_by=filter_by) == hash_of_arrays(GIVEN, ALIKE, filter_by)


def test_audit_ids_with_a_collation_are_refused(plain: DataFrame) -> None:
    frame = plain.withColumn("id", F.expr("cast(id AS string) COLLATE UNICODE_CI"))
    with pytest.raises(InputError, match="string collate UNICODE_CI; a record id is an integer"):
        sparkclean.audit(frame)


def test_audit_duplicate_id_among_rejected_rows_fails(spark: SparkSession) -> None:
    probs = PROBS.copy()
    probs[[7, 8]] = np.nan
    ids = [7 if i == 8 else i for i in range(ROWS)]
    frame = frame_of(spark, GIVEN, probs, ids=ids)
    with pytest.raises(InputError, match="1 record ids in 'id' stand in 2 rows: 7"):
        sparkclean.audit(frame, max_rejected_fraction=1.0)


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("a.b", "the `label`", "p ,;{}()="),
        ("ä.`.ß", "日本", "\N{GRINNING FACE}"),
        ("given", "own", "kind"),
        ("__label", "__probs", "__id_0"),
        ("__rows", "__place", "__bucket"),
        ("ID", "Rank_", "class"),
    ],
    ids=lambda names: names[0],
)
def test_audit_any_column_name_has_the_hash_of_arrays(
    plain: DataFrame, names: tuple[str, str, str]
) -> None:
    frame = plain.toDF(*names)
    options = {"id": names[0], "label": names[1], "pred_probs": names[2]}
    with sparkclean.audit(frame, filter_by=CHEAP, **options) as result:
        assert result.compute_result_hash() == hash_of_arrays(GIVEN, PROBS, CHEAP)
        assert result.suspects.columns[0] == names[0]
        assert result.suspects.count() == result.num_suspects


# -- settings of the session -------------------------------------------------------------------


@contextmanager
def settings(spark: SparkSession, values: dict[str, str]) -> Iterator[None]:
    before = {key: spark.conf.get(key) for key in values}
    for key, value in values.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, value in before.items():
            spark.conf.set(key, value)


@pytest.mark.parametrize(
    ("partitions", "adaptive", "ansi"),
    [("1", "true", "true"), ("7", "false", "true"), ("7", "true", "false")],
)
def test_audit_any_shuffle_has_the_hash_of_arrays(
    spark: SparkSession, partitions: str, adaptive: str, ansi: str
) -> None:
    values = {
        "spark.sql.shuffle.partitions": partitions,
        "spark.sql.adaptive.enabled": adaptive,
        "spark.sql.ansi.enabled": ansi,
    }
    with settings(spark, values):
        frame = frame_of(spark, GIVEN, ALIKE).repartition(5)
        assert hash_of(frame, filter_by="both") == hash_of_arrays(GIVEN, ALIKE, "both")
