"""The summary at the end of a run."""

from __future__ import annotations

from typing import Any

import pytest

from sparkclean.jobs.audit.summary import summarise
from sparkclean.numbers.intervals import wilson_interval as noise_interval
from tests.unit.findings import make_columns, make_findings

JOINT = [[900, 80, 20], [10, 480, 10], [0, 0, 100]]
SUSPECTS = [[0, 60, 15], [5, 0, 5], [0, 0, 0]]
CLASSES = ("cat", "dog", "owl")


def suspect(**changes: Any) -> dict[str, Any]:
    row = {
        "rank": 1,
        "id": 17,
        "given_label": "cat",
        "suggested_label": "dog",
        "self_confidence": 0.01234,
        "label_quality": 0.56789,
    }
    return row | changes


def lines_of(
    *,
    top: list[Any] | None = None,
    classes: tuple[Any, ...] = CLASSES,
    **options: Any,
) -> list[str]:
    findings = make_findings(JOINT, SUSPECTS, **options)
    return str(summarise(findings, make_columns(classes), top or [])).splitlines()


def section(lines: list[str], title: str) -> list[str]:
    start = next(i for i, line in enumerate(lines) if line.startswith(title))
    end = next((i for i in range(start, len(lines)) if not lines[i]), len(lines))
    return lines[start + 1 : end]


def test_summary_is_laid_out_so() -> None:
    text = "\n".join(lines_of(rejected=50, top=[suspect()]))
    low, high = noise_interval(120, 1600)
    assert (
        text
        == f"""
rows               1,650
rejected              50
suspects              85   5.31% of the audited rows
noise              7.50%   estimated, 95 % interval at least {low:.2%} to {high:.2%}; \
biased when the model is weak or classes overlap

most confused (given -> probably)
           cat -> dog                  80 estimated, 60 suspects
           cat -> owl                  20 estimated, 15 suspects
           dog -> cat                  10 estimated, 5 suspects
           dog -> owl                  10 estimated, 5 suspects

worst classes
           cat   label quality 0.900   75 suspects of 1,000
           dog   label quality 0.960   10 suspects of 500
           owl   label quality 1.000   0 suspects of 100

top 1 suspects
  rank  id  given  suggested  self_confidence  label_quality
     1  17    cat        dog           0.0123         0.5679

warnings
  few examples"""
    )


def test_summary_counts_rows_rejected_and_suspects() -> None:
    lines = [line.split() for line in lines_of(rejected=50)]
    assert ["rows", "1,650"] in lines
    assert ["rejected", "50"] in lines
    assert ["suspects", "85", "5.31%", "of", "the", "audited", "rows"] in lines


def test_summary_says_the_noise_and_how_sure_it_is() -> None:
    (line,) = (line for line in lines_of() if line.startswith("noise"))
    # 120 of 1,600
    assert line.split()[1] == "7.50%"
    low, high = noise_interval(120, 1600)
    assert f"{low:.2%} to {high:.2%}" in line
    assert "biased when the model is weak" in line


def test_summary_shows_the_most_confused_pairs_first() -> None:
    pairs = [line.split() for line in section(lines_of(), "most confused")]
    assert pairs == [
        ["cat", "->", "dog", "80", "estimated,", "60", "suspects"],
        ["cat", "->", "owl", "20", "estimated,", "15", "suspects"],
        ["dog", "->", "cat", "10", "estimated,", "5", "suspects"],
        ["dog", "->", "owl", "10", "estimated,", "5", "suspects"],
    ]


def test_summary_shows_no_more_than_five_pairs_and_classes() -> None:
    size = 7
    joint = [[90 if i == j else 1 for j in range(size)] for i in range(size)]
    findings = make_findings(joint, [[0] * size] * size)
    lines = str(summarise(findings, make_columns(tuple(range(size))), [])).splitlines()
    assert len(section(lines, "most confused")) == 5
    assert len(section(lines, "worst classes")) == 5


def test_summary_without_noise_shows_no_pairs() -> None:
    findings = make_findings([[5, 0], [0, 5]], [[0, 0], [0, 0]])
    text = str(summarise(findings, make_columns(("a", "b")), []))
    assert "most confused" not in text
    assert "0.00%" in text


def test_summary_shows_the_worst_classes_first() -> None:
    classes = [line.split() for line in section(lines_of(), "worst classes")]
    assert [cells[0] for cells in classes] == ["cat", "dog", "owl"]
    assert classes[0][1:4] == ["label", "quality", "0.900"]
    assert classes[0][4:] == ["75", "suspects", "of", "1,000"]
    assert classes[2][3] == "1.000"


def test_summary_leaves_out_classes_that_nobody_is_given() -> None:
    findings = make_findings([[9, 1, 0], [0, 10, 0], [0, 0, 0]], [[0] * 3] * 3)
    lines = str(summarise(findings, make_columns(CLASSES), [])).splitlines()
    assert [line.split()[0] for line in section(lines, "worst classes")] == ["cat", "dog"]


def test_summary_shows_the_top_suspects_as_a_table() -> None:
    lines = lines_of(top=[suspect(), suspect(rank=2, id=1234567, given_label="owl")])
    table = section(lines, "top 2 suspects")
    assert [line.split() for line in table] == [
        ["rank", "id", "given", "suggested", "self_confidence", "label_quality"],
        ["1", "17", "cat", "dog", "0.0123", "0.5679"],
        ["2", "1234567", "owl", "dog", "0.0123", "0.5679"],
    ]
    assert len({len(line) for line in table}) == 1


def test_summary_shows_every_column_of_a_record_id() -> None:
    findings = make_findings(JOINT, SUSPECTS)
    columns = make_columns(CLASSES, ids=("day", "row"))
    row = suspect(day="2026-01-01", row=3)
    lines = str(summarise(findings, columns, [row])).splitlines()
    head, line = section(lines, "top 1 suspects")
    assert head.split()[:3] == ["rank", "day", "row"]
    assert line.split()[:3] == ["1", "2026-01-01", "3"]


def test_summary_without_suspects_has_no_table() -> None:
    assert not [line for line in lines_of() if line.startswith("top")]


@pytest.mark.parametrize("label", ["two\nlines", "tab\tand\rmore\x1b[31m", "x" * 5000])
def test_summary_keeps_a_label_on_its_line(label: str) -> None:
    labels = (label, "dog", "owl")
    lines = lines_of(classes=labels, top=[suspect(given_label=label, id=label)])
    assert len(section(lines, "top 1 suspects")) == 2
    assert len(section(lines, "worst classes")) == 3
    assert all(line.isprintable() and len(line) < 200 for line in lines)


@pytest.mark.parametrize("classes", [(0, 1, 2), (False, True, None)])
def test_summary_of_labels_that_are_no_text(classes: tuple[Any, ...]) -> None:
    assert str(classes[0]) in "\n".join(lines_of(classes=classes))


@pytest.mark.parametrize(
    ("wrong", "total", "low", "high"),
    [
        # Wilson's interval as in Brown, Cai, DasGupta (2001)
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (1, 100, 0.0018, 0.0545),
        (0, 0, 0.0, 1.0),
    ],
)
def test_noise_interval_is_wilsons(wrong: int, total: int, low: float, high: float) -> None:
    assert noise_interval(wrong, total) == pytest.approx((low, high), abs=5e-5)


def test_noise_interval_gets_narrower_with_more_rows() -> None:
    widths = [high - low for low, high in (noise_interval(n, 10 * n) for n in (10, 1000, 10**6))]
    assert widths == sorted(widths, reverse=True)
