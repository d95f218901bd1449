"""A chart as a picture in a page: drawn by vl-convert, cleaned, in the colours of the page."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree as ET  # of pictures that vl-convert has drawn

from sparkclean.plots.palette import VARIABLES

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


def draw_svg(chart: Any, name: str) -> tuple[str, int]:
    """Draw a chart.

    Parameters
    ----------
    chart : altair.Chart
    name : str
        Begins the ids of the picture, so that those of two pictures in a page differ.

    Returns
    -------
    svg : str
        One element ``svg``, hidden from readers of screens: the page says what it shows.
    width : int
        In pixels.

    Notes
    -----
    No data are loaded for it: a chart that names an address instead of rows fails.
    """
    import vl_convert  # noqa: PLC0415

    spec = chart.to_dict() if hasattr(chart, "to_dict") else chart
    text = vl_convert.vegalite_to_svg(json.dumps(spec), allowed_base_urls=[])
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
