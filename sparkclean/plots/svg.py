"""A chart as a picture in a page: drawn by vl-convert, cleaned, in the colours of the page."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET  # of pictures that vl-convert has drawn

from sparkclean.plots.palette import VARIABLES

_log = logging.getLogger("sparkclean")
_SVG = "http://www.w3.org/2000/svg"
#: What a picture consists of. Images, links, scripts, styles and foreign content are left out.
_ELEMENTS = {
    "svg", "g", "path", "rect", "circle", "line", "text", "tspan", "defs", "clipPath",
    "linearGradient", "stop",
}  # fmt: skip
_ATTRIBUTES = {
    "viewBox", "width", "height", "transform", "d", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy",
    "r", "rx", "ry", "id", "clip-path", "fill", "stroke", "opacity", "fill-opacity",
    "stroke-opacity", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin",
    "stroke-miterlimit", "text-anchor", "font-size", "font-weight", "font-style", "offset",
    "stop-color", "dx", "dy",
}  # fmt: skip
_COLOURS = ("fill", "stroke", "stop-color")
_LOCAL = re.compile(r"url\(#([\w-]+)\)")
_COLOUR = re.compile(r"none|transparent|#[0-9a-fA-F]{3,8}|rgba?\([\d.,% ]+\)|[a-z]+")


#: Draws the charts that stdin lists, a line of JSON for each: the picture, or why there is none.
_PROGRAM = """
import json, sys
import vl_convert
for line in sys.stdin:
    chart = json.loads(line)
    try:
        drawn = [vl_convert.vegalite_to_svg(chart, allowed_base_urls=[]), ""]
    except Exception as exc:
        drawn = ["", str(exc)]
    print(json.dumps(drawn), flush=True)
"""
#: Seconds to start, and for each chart, on a busy machine.
_TO_START, _FOR_EACH = 60, 10


@dataclass(frozen=True)
class Drawing:
    """A chart as a picture.

    Attributes
    ----------
    svg : str
        One element ``svg``, hidden from readers of screens: the page says what it shows.
    width : int
        In pixels.
    problem : str
        Why there is no picture.
    """

    svg: str
    width: int
    problem: str = ""


def draw_charts(charts: Sequence[Any]) -> list[Drawing]:
    """Draw charts.

    Parameters
    ----------
    charts : sequence of altair.Chart, or of dict

    Returns
    -------
    list of Drawing
        One for each. Ids in the n-th picture begin with ``c<n>``, so those of two pictures differ.

    Notes
    -----
    A process of its own draws them, in about a second for each: its engine (V8) has been seen to
    wait forever in a process that runs other things, and a report must never hold up a run.
    No data are loaded: a chart that names an address instead of rows has no picture.
    """
    specs: list[str] = []
    problems: dict[int, str] = {}
    for number, chart in enumerate(charts):
        try:
            spec = chart.to_dict() if hasattr(chart, "to_dict") else chart
            specs.append(json.dumps(spec))
        except Exception as exc:  # noqa: BLE001 (one chart of a job is not the whole report)
            problems[number] = str(exc)
            specs.append("{}")
    drawn = _draw(specs) if specs else []
    return [
        _drawing(text, problems.get(number, problem), f"c{number}")
        for number, (text, problem) in enumerate(drawn)
    ]


def _draw(specs: Sequence[str]) -> list[tuple[str, str]]:
    """Have another process draw; give the picture or the problem of each chart."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    why = "the process that draws has ended"
    try:
        done = subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-c", _PROGRAM],
            input="\n".join(specs).encode(),
            env=environ,
            capture_output=True,
            timeout=_TO_START + _FOR_EACH * len(specs),
            check=False,
        )
        said = done.stdout
    except subprocess.TimeoutExpired as exc:
        said, why = exc.stdout or b"", f"drawing took more than {exc.timeout:.0f} s"
    lines = [line for line in said.split(b"\n") if line.endswith(b"]")]
    drawn = [(text, problem) for text, problem in map(json.loads, lines)]
    return drawn + [("", why)] * (len(specs) - len(drawn))


def _drawing(text: str, problem: str, name: str) -> Drawing:
    if not problem:
        try:
            return Drawing(*clean_svg(text, name))
        except ET.ParseError as exc:
            problem = str(exc)
    _log.warning("a chart of the report could not be drawn: %s", problem)
    return Drawing("", 0, problem)


def clean_svg(text: str, name: str) -> tuple[str, int]:
    """Keep of a picture what a page may hold: shapes and texts, in the colours of the page.

    Parameters
    ----------
    text : str
        SVG.
    name : str
        Begins the ids of the picture.

    Returns
    -------
    svg : str
    width : int
        In pixels.
    """
    root = ET.fromstring(text)  # noqa: S314 (vl-convert wrote it, without entities)
    clean = _clean(root, name)
    width = float(clean.get("width", "400"))
    clean.set("aria-hidden", "true")
    clean.set("focusable", "false")
    return ET.tostring(clean, encoding="unicode").replace("\n", " "), round(width)


def _clean(element: ET.Element, name: str) -> ET.Element:
    tag = element.tag.rpartition("}")[2]
    clean = ET.Element(tag)
    for key, value in element.attrib.items():
        if key in _ATTRIBUTES:
            kept = _value(key, value, name)
            if kept is not None:
                clean.set(key, kept)
    clean.text = element.text if tag in ("text", "tspan") else None
    for child in element:
        if isinstance(child.tag, str) and child.tag.rpartition("}")[2] in _ELEMENTS:
            inner = _clean(child, name)
            inner.tail = child.tail if tag == "text" else None
            clean.append(inner)
    return clean


def _value(key: str, value: str, name: str) -> str | None:
    if key == "id":
        return f"{name}-{value}"
    local = _LOCAL.fullmatch(value.strip())
    if local:
        return f"url(#{name}-{local[1]})"
    if "url" in value or "var" in value:
        return None
    if key in _COLOURS:
        if not _COLOUR.fullmatch(value):
            return None
        variable = VARIABLES.get(value.lower())
        return f"var({variable})" if variable else value
    return value
