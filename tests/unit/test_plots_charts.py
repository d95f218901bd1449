"""Charts of published tables, of whatever kind, and the blocks of a report that hold them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa
import pytest

from sparkclean import plots
from sparkclean.errors import ConfigError
from sparkclean.plots import blocks, numbers, svg
from sparkclean.plots.svg import clean_svg, draw_charts
from tests.browser.samples import PHASES, metrics, pairs_and_classes, runs

PAIRS, CLASSES = pairs_and_classes(["cat", "dog", "cow"], 100, 0.2, 1)
METRICS = metrics(1000, 0.1, 80)


def drawn(chart: Any) -> str:
    (drawing,) = draw_charts([chart])
    text, width = drawing.svg, drawing.width
    assert text.startswith("<svg ")
    assert 100 < width < 800
    return text


def values(chart: Any) -> list[dict[str, Any]]:
    found = json.loads(chart.to_json())
    parts = found.get("layer") or found.get("vconcat") or [found]
    return list((found.get("data") or parts[0]["data"])["values"])


@pytest.mark.parametrize(
    "table",
    [
        PAIRS,
        pa.Table.from_pylist(PAIRS),
        pd.DataFrame(PAIRS),
        SimpleNamespace(num_suspects=3, pairs=pd.DataFrame(PAIRS)),
    ],
    ids=["rows", "arrow", "pandas", "result"],
)
def test_chart_takes_tables_of_any_kind(table: Any) -> None:
    assert plots.noise_matrix(table).to_dict() == plots.noise_matrix(PAIRS).to_dict()


def test_chart_takes_a_frame_of_spark_by_its_columns() -> None:
    class Frame:
        columns: ClassVar[list[str]] = list(CLASSES[0])

        def select(self, *names: str) -> Frame:
            self.names = names
            return self

        def limit(self, _: int) -> Frame:
            return self

        def collect(self) -> list[Any]:
            rows = [{name: row[name] for name in self.names} for row in CLASSES]
            return [SimpleNamespace(asDict=lambda row=row: row) for row in rows]

    assert plots.class_table(Frame()).to_dict() == plots.class_table(CLASSES).to_dict()


def test_noise_matrix_draws_the_most_confused_classes() -> None:
    labels = [f"class {k}" for k in range(80)]
    pairs, _ = pairs_and_classes(labels, 100, 0.1, 2)
    found = numbers.matrix(pairs, "estimated", 50)
    assert (len(found.labels), found.total) == (50, 80)
    assert max(row["share"] for row in found.rows if not row["same"]) == 1
    assert len(drawn(plots.noise_matrix(pairs))) < 400_000


@pytest.mark.parametrize("value", ["estimated", "suspects", "rate"])
def test_noise_matrix_draws_each_value(value: Any) -> None:
    assert "<rect" in drawn(plots.noise_matrix(PAIRS, value=value)) or "<path" in drawn(
        plots.noise_matrix(PAIRS, value=value)
    )


def test_labels_that_are_cut_to_the_same_text_stay_apart() -> None:
    texts = numbers.axis_labels(["x" * 50, "x" * 60, "x" * 50, "", None])
    assert len(set(texts.values())) == len(texts) == 4


def test_score_histogram_is_of_metrics_or_of_suspects() -> None:
    noted = numbers.quality_histogram({"metrics": json.dumps(METRICS)})
    assert noted.total == 80
    suspects = [{"label_quality": 0.01}, {"label_quality": 1.0}, {"label_quality": None}]
    counted = numbers.quality_histogram(pd.DataFrame(suspects))
    assert (counted.counts[0], counted.counts[49], counted.total) == (1, 1, 2)
    assert "cut" in drawn(plots.score_histogram(METRICS, cut=0.2))


def test_calibration_leaves_out_bins_without_rows() -> None:
    found = numbers.calibration_bins(
        {"calibration": {"rows": [0, 4], "hits": [0, 3], "confidence": [None, 0.7]}}
    )
    assert found == [numbers.CalibrationBin(4, 0.7, 0.75)]


def test_history_is_in_the_order_of_time_and_marks_what_was_not_published() -> None:
    rows = runs(6, 100, 0.1, [2])
    found = numbers.runs(pd.DataFrame(rows[::-1]))
    assert [run.run_id for run in found] == [row["original_run_id"] for row in rows]
    assert [run.published for run in found] == [True, True, False, True, True, True]
    assert "not published" in drawn(plots.history(rows))


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: plots.noise_matrix([{"given_label": 1}]), "no column true_label"),
        (lambda: plots.noise_matrix(PAIRS, value="joint"), "value=: 'joint' is unknown"),  # type: ignore[arg-type]
        (lambda: plots.history([], ["bytes"]), "values=: 'bytes' is unknown"),  # type: ignore[list-item]
        (lambda: plots.score_histogram({}), "noted no histograms"),
        (lambda: plots.self_confidence({}), "noted no histograms"),
        (lambda: plots.calibration({}), "noted no calibration bins"),
    ],
)
def test_chart_of_what_is_not_there_says_so(draw: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        draw()


def test_public_names_are_functions() -> None:
    assert dir(plots) == plots.__all__ == sorted(plots.__all__)
    assert all(callable(getattr(plots, name)) for name in plots.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = plots.nope


@pytest.mark.parametrize(
    "block",
    [
        blocks.noise_matrix(PAIRS),
        blocks.confused_pairs(PAIRS),
        blocks.class_table(CLASSES),
        blocks.score_histogram(METRICS),
        blocks.self_confidence(METRICS),
        blocks.calibration(METRICS),
        blocks.history(runs(5, 100, 0.1)),
        blocks.phases({"phases": json.dumps(PHASES)}),
    ],
)
def test_block_has_a_drawing_words_and_its_numbers(block: Any) -> None:
    drawn(block.chart)
    assert len(block.alternative) > 40
    assert block.table.rows
    assert all(len(row) == len(block.table.columns) for row in block.table.rows)


def test_block_of_nothing_is_none() -> None:
    none = [{**row, "label_noise": 0.0, "inverse_label_noise": 0.0} for row in CLASSES]
    assert blocks.noise_matrix([row for row in PAIRS if row["suspects"] == -1]) is None
    assert blocks.confused_pairs([]) is None
    assert blocks.class_table(none) is None
    assert blocks.history(runs(1, 100, 0.1)) is None
    assert blocks.phases([]) is None


# -- drawings ------------------------------------------------------------------------------------


def test_drawing_has_the_colours_of_the_page_and_ids_of_its_own() -> None:
    text = drawn(plots.self_confidence(METRICS))
    assert "var(--accent)" in text
    assert "#2563c9" not in text
    ids = {part.split('"')[0] for part in text.split(' id="')[1:]}
    assert all(name.startswith("c0-") for name in ids)


def test_drawing_writes_hostile_texts_as_texts() -> None:
    import altair as alt

    chart = alt.Chart(alt.Data(values=[{"t": "<script>hurt()</script>"}]))
    text = draw_charts([chart.mark_bar().encode(x="t:N")])[0].svg
    assert "<script" not in text
    assert "&lt;script" in text


def test_drawing_holds_no_links_images_or_scripts() -> None:
    # as a chart of a job could have them: vl-convert itself refuses most
    bad = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
      width="400" height="9" onload="hurt()"><style>*{background:url(https://x.org)}</style>
      <script>hurt()</script><a href="javascript:hurt()"><text>in a link</text></a>
      <image xlink:href="https://x.org/pixel.png"/><foreignObject><p>x</p></foreignObject>
      <g id="a" fill="url(https://x.org#a)" stroke="url(#a)" style="fill:red" onclick="hurt()">
      <text fill="#1F2328" class="x">kept &lt;b&gt;</text></g></svg>"""
    text = clean_svg(bad, "c7")[0]
    for word in ("hurt", "href", "x.org", "style", "foreignObject", "in a link", "class"):
        assert word not in text, word
    assert '<g id="c7-a" stroke="url(#c7-a)">' in text
    assert '<text fill="var(--ink)">kept &lt;b&gt;</text>' in text


def test_drawing_loads_no_data() -> None:
    import altair as alt

    chart = alt.Chart(alt.UrlData(url="https://example.org/data.json")).mark_bar()
    (drawing,) = draw_charts([chart])
    assert drawing.svg == ""
    assert "allowed" in drawing.problem.lower()


def test_drawing_that_never_ends_leaves_the_charts_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import altair as alt

    endless = svg._PROGRAM.replace(
        "    try:", "    import time; time.sleep(chart.get('sleep', 0))\n    try:"
    )
    monkeypatch.setattr(svg, "_PROGRAM", endless)
    monkeypatch.setattr(svg, "_TO_START", 20)
    monkeypatch.setattr(svg, "_FOR_EACH", 0)
    chart = alt.Chart(alt.Data(values=[{"t": 1}])).mark_bar().encode(x="t:Q")
    first, second, third = draw_charts([chart, {"sleep": 600}, chart])
    assert first.svg.startswith("<svg") or "svg" in first.svg[:20]
    assert second.problem == third.problem == "drawing took more than 20 s"
