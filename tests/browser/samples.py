"""Reports of invented data, as jobs would hand them over: to look at, and for a browser to test."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from sparkclean.plots import blocks, numbers
from sparkclean.plots.page import render_page
from sparkclean.plots.parts import (
    ORDER,
    Block,
    Card,
    Cards,
    Chart,
    Column,
    Commands,
    Example,
    Facts,
    Notice,
    ReportPart,
    Sheet,
    Table,
    Text,
)
from sparkclean.plots.thumbnails import thumbnail

HOLDS_DATA = (
    "This page holds data of the table: who may not read the table should not be sent this page."
)
PHASES = [
    {"name": "check record ids", "rows": 1797, "seconds": 1.9},
    {"name": "sample", "rows": 359, "seconds": 0.2},
    {"name": "pass 1: class sums and confident joint", "rows": 1797, "seconds": 3.4},
    {"name": "pass 2: margins of class pairs", "rows": 1797, "seconds": 0.3},
    {"name": "select suspects", "rows": 76, "seconds": 0.6},
    {"name": "write suspects", "rows": 76, "seconds": 2.1},
    {"name": "write cleaned version", "rows": 1721, "seconds": 2.8},
    {"name": "publish", "rows": None, "seconds": 0.1},
]


def pairs_and_classes(
    labels: Sequence[Any], examples: int, noise: float, seed: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Tables as an audit publishes them, of labels that are confused with a few others each."""
    rng = np.random.default_rng(seed)
    size = len(labels)
    pairs, wrong, missed = [], np.zeros(size, int), np.zeros(size, int)
    for k, label in enumerate(labels):
        others = rng.choice([j for j in range(size) if j != k], min(4, size - 1), replace=False)
        for j, share in zip(others, rng.dirichlet(np.ones(len(others)) * 0.6), strict=True):
            count = rng.poisson(share * examples * noise * rng.uniform(0.3, 1.7))
            if count:
                wrong[k] += count
                missed[j] += count
                suspects = int(count * rng.uniform(0.6, 1))
                pairs.append((label, labels[j], int(count), suspects))
    rows = [
        {
            "given_label": given,
            "true_label": true,
            "confident_joint": count,
            "calibrated_joint": count,
            "noise_rate": count / examples,
            "suspects": suspects,
        }
        for given, true, count, suspects in pairs
    ]
    rows += [
        {
            "given_label": label,
            "true_label": label,
            "confident_joint": examples - int(wrong[k]),
            "calibrated_joint": examples - int(wrong[k]),
            "noise_rate": 1 - missed[k] / examples,
            "suspects": 0,
        }
        for k, label in enumerate(labels)
    ]
    classes = [
        {
            "class": label,
            "class_index": k,
            "examples": examples,
            "threshold": float(rng.uniform(0.5, 0.9)),
            "suspects": sum(s for given, _, _, s in pairs if given == label),
            "label_noise": wrong[k] / examples,
            "inverse_label_noise": missed[k] / examples,
            "label_quality_score": 1 - wrong[k] / examples,
        }
        for k, label in enumerate(labels)
    ]
    return rows, classes


def metrics(rows: int, noise: float, suspects: int, seed: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    wrong = int(rows * noise * 1.6)

    def counts(a: float, b: float, n: int) -> list[int]:
        return np.histogram(rng.beta(a, b, n), bins=50, range=(0, 1))[0].tolist()

    sizes = np.histogram(rng.beta(7, 1.1, rows), bins=15, range=(0, 1))[0]
    middle = (np.arange(15) + 0.5) / 15
    hits = (sizes * np.clip(middle * (1 - noise) - 0.01, 0, 1)).astype(int)
    return {
        "noise_rate": noise,
        "histograms": {
            "self_confidence": {
                "score": "self_confidence",
                "of": "audited",
                "agreed": counts(7, 1.1, rows - wrong),
                "disagreed": counts(0.7, 3.2, wrong),
            },
            "label_quality": {
                "score": "self_confidence",
                "of": "suspects",
                "agreed": [0] * 50,
                "disagreed": counts(0.8, 9, suspects),
            },
        },
        "calibration": {
            "rows": sizes.tolist(),
            "hits": hits.tolist(),
            "confidence": [float(m) if n else None for m, n in zip(middle, sizes, strict=True)],
        },
    }


def runs(count: int, rows: int, noise: float, refused: Sequence[int] = ()) -> list[dict[str, Any]]:
    rng = np.random.default_rng(7)
    found = []
    for i in range(count):
        size = rows + 4 * i
        share = noise * rng.uniform(0.85, 1.15) * (3.2 if i in refused else 1)
        found.append(
            {
                "original_run_id": f"2026-11-{i + 1:02}",
                "job": "audit",
                "status": "gate_failed" if i in refused else "published",
                "finished_at": f"2026-11-{i + 1:02} 04:1{i % 10}:00",
                "suspects": int(size * share),
                "rows": size,
                "seconds": 11.5 + float(rng.normal(0, 0.6)),
                "metrics": {"noise_rate": share},
            }
        )
    return found


# -- the sections of a report --------------------------------------------------------------------


def present(*found: Block | None) -> tuple[Block, ...]:
    return tuple(block for block in found if block is not None)


def top(
    facts: Sequence[tuple[str, str]], verdict: Notice, *more: Block, run: str = "2026-11-30"
) -> ReportPart:
    lines = [
        ("Look at suspects with their texts", "sparkclean show out/demo/suspects --with '*'"),
        ("See which versions there are", "sparkclean versions out/demo/cleaned"),
        ("Go back to the version before", f"sparkclean revert out/demo/cleaned --to {run}"),
    ]
    caveat = Text(
        "The noise is estimated from the model's probabilities. The interval is at least this "
        "wide; a weak model or overlapping classes bias the estimate."
    )
    found = (verdict, Facts(facts, big=True), caveat, *more, Commands(lines))
    return ReportPart("top", "Result", found, ORDER["top"])


def suspects(cards: Sequence[Card], total: int) -> ReportPart:
    groups: dict[str, list[Card]] = {}
    for card in cards:
        groups.setdefault(f"given {card.given}, looks like {card.suggested}", []).append(card)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    found = present(Cards(cards[:50], total), Sheet(ordered) if cards else None)
    return ReportPart("suspects", "Suspects", found, ORDER["suspects"])


def sections(
    pairs: Sequence[Mapping[str, Any]],
    classes: Sequence[Mapping[str, Any]],
    numbers_of_run: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
) -> Iterator[ReportPart]:
    found = numbers.classes(classes)
    yield ReportPart(
        "classes",
        "Classes",
        present(blocks.class_table(classes), blocks.classes_table(found)),
        ORDER["classes"],
    )
    matrix = blocks.noise_matrix(pairs)
    yield ReportPart(
        "pairs",
        "Pairs of classes",
        present(matrix, blocks.confused_pairs(pairs)) or (Text("No classes are confused."),),
        ORDER["pairs"],
    )
    yield ReportPart(
        "scores",
        "Scores",
        present(
            blocks.score_histogram(numbers_of_run, cut=0.24),
            blocks.self_confidence(numbers_of_run),
            blocks.calibration(numbers_of_run),
        ),
        ORDER["scores"],
    )
    yield ReportPart(
        "changed",
        "What changed",
        (
            Table(
                (
                    Column("number"),
                    Column("before", numeric=True),
                    Column("now", numeric=True),
                    Column("change", numeric=True),
                ),
                [("rows", 1793, 1797, 4), ("suspects", 71, 76, 5), ("rejected", 0, 0, 0)],
                "Against run 2026-11-29, the last that was published",
                sortable=False,
            ),
        ),
        ORDER["changed"],
    )
    drawn = blocks.history(history)
    if drawn:
        yield ReportPart("history", "History", (drawn,), ORDER["history"])
    yield origin()


def origin() -> ReportPart:
    facts = [
        ("table", "s3a://lake/examples"),
        ("version", "42 (Delta Lake)"),
        ("configuration", "1bd4fad1ee8cc6bf"),
        ("result hash", "e2daece0041224a1018b619cb9da0d8b0718a45e71594ea899d35fd9b2c58414"),
        ("sparkclean", "0.1.0"),
        ("Spark", "4.1.4"),
    ]
    command = "sparkclean audit --config conf/demo.yaml --run-id 2026-11-30"
    found = present(
        Facts(facts), blocks.phases(PHASES), Commands([("Make this result again", command)])
    )
    return ReportPart("origin", "Where it came from", found, ORDER["origin"])


PASSED = Notice("All 3 gates passed. The cleaned version is published.", "info", "Published")


def card(
    number: int, given: str, suggested: str, bars: Sequence[tuple[str, float]], example: Example
) -> Card:
    facts = [("rank", str(number + 1)), ("quality", f"{bars[0][1]:.4f}")]
    return Card(f"id {1000 + 7 * number}", given, suggested, bars, facts, example)


# -- digits, texts -------------------------------------------------------------------------------


def digits() -> str:
    from sklearn.datasets import load_digits

    data = load_digits()
    rng = np.random.default_rng(3)
    cards = []
    # of few pairs, so that the contact sheet has groups
    wanted = [(3, 8), (1, 7), (9, 4), (5, 6), (8, 1), (2, 3)]
    for number in range(76):
        given, true = wanted[int(rng.choice(6, p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05]))]
        row = int(rng.choice(np.flatnonzero(data.target == true)))
        low = float(rng.uniform(0, 0.003) * (number + 1))
        high = float(rng.uniform(0.62, 0.85))
        picture = thumbnail(data.data[row])
        assert picture is not None
        fields = [("scanned", "2026-03-14"), ("writer", f"w{row % 43:02}")]
        example = Example(images=[("pixels", picture)], fields=fields)
        bars = [(str(given), low), (str(true), high), (str((true + 2) % 10), 1 - low - high)]
        cards.append(card(number, str(given), str(true), bars, example))
    pairs, classes = pairs_and_classes(list(range(10)), 180, 0.05, 4)
    facts = [
        ("rows", "1,797"),
        ("rejected", "0"),
        ("suspects", "76"),
        ("estimated noise", "4.8 %"),
        ("95 % interval", "3.9 to 5.9 %"),
    ]
    parts = [
        top(facts, PASSED),
        suspects(cards, 76),
        *sections(pairs, classes, metrics(1797, 0.048, 76), runs(14, 1745, 0.042, [8])),
    ]
    return render_page("Audit of digits, run 2026-11-30", parts, notes=[HOLDS_DATA])


TEXTS = [
    ("sci.space", "sci.electronics", "I need a circuit that turns 12 V from a car battery into a "
     "clean 5 V at 2 A. The usual 7805 gets too hot.\n\nIs a switching regulator worth the trouble "
     "here, and which one can be had in small numbers?"),
    ("rec.autos", "rec.motorcycles", "My VFR has 60,000 km on it and still starts at the first "
     "touch. Chain and sprockets every 20,000, oil every 5,000.\n> What tyres do you ride?\nSport "
     "tourers, they last two summers."),
    ("talk.religion.misc", "alt.atheism", "The argument assumes what it wants to show. If every "
     "thing needs a cause, then so does the first one; if one thing needs none, why not the world "
     "itself?"),
    ("comp.graphics", "comp.windows.x", "xterm dies with BadAlloc as soon as I open the fourth "
     "window. The server has 16 MB. Does anybody know a resource that limits the saved lines?"),
    ("misc.forsale", "sci.med", "After three weeks of antibiotics the cough is still there at "
     "night. The doctor speaks of an asthma that comes with exercise. Has anyone had this?"),
]  # fmt: skip


def texts() -> str:
    rng = np.random.default_rng(5)
    cards = []
    for number in range(60):
        given, true, body = TEXTS[number % len(TEXTS)]
        low, high = float(rng.uniform(0, 0.02)), float(rng.uniform(0.6, 0.95))
        example = Example(
            texts=[("text", f"{body}\n\n-- \npost {number}")],
            links=[("source", f"https://example.org/posts/{number}?lang=en")],
            fields=[("posted", "1993-04-17"), ("characters", f"{len(body)}")],
        )
        bars = [(given, low), (true, high), ("sci.crypt", (1 - low - high) / 2)]
        cards.append(card(number, given, true, bars, example))
    labels = sorted({x for given, true, _ in TEXTS for x in (given, true)} | {"sci.crypt"})
    pairs, classes = pairs_and_classes(labels, 970, 0.11, 6)
    facts = [
        ("rows", "11,314"),
        ("rejected", "17"),
        ("suspects", "1,204"),
        ("estimated noise", "10.9 %"),
        ("95 % interval", "10.3 to 11.5 %"),
    ]
    parts = [
        top(facts, PASSED),
        suspects(cards, 1204),
        *sections(pairs, classes, metrics(11314, 0.109, 1204), runs(5, 11290, 0.1)),
    ]
    return render_page("Audit of lake.news.posts, run 2026-11-30", parts, notes=[HOLDS_DATA])


# -- large, refused, empty -----------------------------------------------------------------------


def large() -> str:
    """1,000 classes and 100,000 suspects, more cards and texts than a page holds."""
    rng = np.random.default_rng(8)
    labels = [f"n{rng.integers(10**7, 10**8)} class {k:03}" for k in range(1000)]
    noise = rng.integers(0, 256, (300, 24, 24, 3))
    cards = []
    for number in range(300):
        k = int(rng.integers(999))
        picture = thumbnail(noise[number])
        assert picture is not None
        example = Example(
            texts=[("caption", "a photo of something, as somebody has described it. " * 40)],
            images=[("image", picture)],
            fields=[(f"column {c}", "value " * 30) for c in range(60)],
        )
        bars = [(labels[k], 0.01), (labels[k + 1], 0.83)]
        cards.append(card(number, labels[k], labels[k + 1], bars, example))
    pairs, classes = pairs_and_classes(labels, 1281, 0.08, 9)
    facts = [
        ("rows", "1,281,167"),
        ("rejected", "0"),
        ("suspects", "100,000"),
        ("estimated noise", "7.8 %"),
        ("95 % interval", "7.7 to 7.8 %"),
    ]
    overlap = Text("Classes that are confused with each other stand in groups in the table below.")
    parts = [
        top(facts, PASSED),
        suspects(cards, 100_000),
        *sections(pairs, classes, metrics(1_281_167, 0.078, 100_000), runs(60, 1_281_000, 0.08)),
        ReportPart("overlap", "Overlapping classes", (overlap,), 26),
    ]
    return render_page("Audit of lake.images.train, run 2026-11-30", parts, notes=[HOLDS_DATA])


def refused() -> str:
    verdict = Notice(
        "Gate max_suspects_fraction: 14.2 % of the rows are suspects, at most 10 % may be. "
        "Nothing is published; the outputs of this run are staged.",
        "error",
        "Gate failed",
    )
    gates = Table(
        (
            Column("gate"),
            Column("limit", numeric=True),
            Column("found", numeric=True),
            Column("verdict"),
        ),
        [
            ("max_suspects_fraction", 0.1, 0.142, "closed"),
            ("max_noise_rate", 0.2, 0.151, "open"),
            ("min_examples_left_per_class", 1, 131, "open"),
        ],
        "Gates",
        sortable=False,
    )
    warning = Notice(
        "The model predicts class 4 for 38 % of the rows, though 10 % have that label.",
        "warning",
        "Doubtful predictions",
    )
    facts = [
        ("rows", "1,797"),
        ("rejected", "12"),
        ("suspects", "255"),
        ("estimated noise", "15.1 %"),
        ("95 % interval", "13.5 to 16.8 %"),
    ]
    pairs, classes = pairs_and_classes(list(range(10)), 180, 0.15, 11)
    parts = [
        top(facts, verdict, gates, warning),
        suspects([], 0),
        *sections(pairs, classes, metrics(1797, 0.151, 255), runs(6, 1780, 0.05, [5])),
    ]
    return render_page("Audit of digits, run 2026-11-30", parts)


def empty() -> str:
    facts = [("rows", "240"), ("rejected", "0"), ("suspects", "0"), ("estimated noise", "0.0 %")]
    _, classes = pairs_and_classes(["cat", "dog"], 120, 0.0, 12)
    pairs: list[dict[str, Any]] = []
    none = metrics(240, 0.0, 0)
    del none["calibration"]
    parts = list(sections(pairs, classes, none | _calibrated(), runs(1, 240, 0.0)))
    return render_page("Audit of pets", [top(facts, PASSED), suspects([], 0), *parts])


def _calibrated() -> dict[str, Any]:
    return {"calibration": {"rows": [0] * 15, "hits": [0] * 15, "confidence": [None] * 15}}


# -- hostile -------------------------------------------------------------------------------------

SCRIPT = "<script>window.hurt=1</script>"
IMAGE = '"><img src=x onerror="window.hurt=1">'
TURNED = "safe\u202etxt.exe\u2066\u200b"
CLOSING = "</title></style></svg></script><script>window.hurt=1</script>"
JINJA = "{{ 7 * 191 }}{% for x in y %}"
LONG = "A" * 1_000_000
ZALGO = "z" + "\u0301" * 4000
TEXTS_OF_THE_HOSTILE = (SCRIPT, IMAGE, TURNED, CLOSING, JINJA, LONG, ZALGO, "\x00\x1b[2J\ud800")


@cache
def bomb() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(buffer, "PNG")
    return buffer.getvalue()


SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="window.hurt=1"><script>hurt=1</script></svg>'
)
URLS = (
    "javascript:window.hurt=1",
    "data:text/html,<script>hurt=1</script>",
    "https://bank.example@evil.example/",
    'https://example.org/"onmouseover="window.hurt=1',
    "https://example.org/\u202egpj.exe",
    "file:///etc/passwd",
    "https://example.org/fine?a=1&b=<2>",
)


def hostile() -> str:
    import altair as alt

    labels = list(TEXTS_OF_THE_HOSTILE)
    pairs, classes = pairs_and_classes(labels, 100, 0.2, 13)
    cards = []
    for number, text in enumerate(labels):
        pictures = [(text, picture) for value in (SVG, bomb()) if (picture := thumbnail(value))]
        example = Example(
            texts=[(text, text)],
            images=pictures,
            links=[(text, URLS[number % len(URLS)])],
            fields=[(text, text)],
        )
        other = labels[number - 1]
        bars = [(text, 0.1), (other, float("nan"))]
        cards.append(Card(text, text, other, bars, [(text, text)], example, text))
    image = alt.Chart(alt.Data(values=[{"u": "https://example.org/pixel.png"}]))
    charts = [
        Chart(drawn, text, Table((Column(text),), [(text,)], text))
        for drawn, text in (
            (image.mark_image(url="https://example.org/pixel.png"), SCRIPT),
            (image.mark_bar(href="javascript:window.hurt=1").encode(x="u:N", href="u:N"), IMAGE),
            (alt.Chart(alt.UrlData(url="https://example.org/data.json")).mark_bar(), CLOSING),
        )
    ]
    facts = [(text, text) for text in labels]
    parts = [
        top(facts, Notice(SCRIPT, "error", IMAGE), Facts(facts), run=IMAGE),
        suspects(cards, 8),
        *sections(pairs, classes, metrics(800, 0.2, 80), runs(3, 800, 0.2)),
        ReportPart('"><script>hurt=1</script>', SCRIPT, charts),
        ReportPart("top", CLOSING, [Commands([(text, text) for text in labels])]),
    ]
    return render_page(CLOSING, parts, notes=labels)


SAMPLES: dict[str, Callable[[], str]] = {
    "digits": digits,
    "texts": texts,
    "large": large,
    "refused": refused,
    "empty": empty,
    "hostile": hostile,
}
