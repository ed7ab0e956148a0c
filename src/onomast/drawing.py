"""Entities in colour for notebooks: HTML with inline styles, legible on light and dark pages."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from html import escape

_HUES = {"PER": 25, "PERSON": 25, "LOC": 163, "GPE": 163, "ORG": 300, "DATE": 78, "TIME": 78, "MISC": 215}


def hue_of(label: str) -> int:
    """The colour angle of a label (degrees, OKLCH): the same on every page, in every notebook and picture."""
    known = _HUES.get(label.upper())
    return round(137.508 * (zlib.crc32(label.encode("utf-8", "replace")) % 1000)) % 360 if known is None else known


def marked_html(text: str, spans: Iterable[tuple[int, int, str, float | None]]) -> str:
    """A paragraph with its spans (start, end, label, confidence; in characters of `text`, in order) marked."""
    parts, position = [], 0
    for start, end, label, confidence in spans:
        title = "" if confidence is None else f' title="confidence {confidence:.2f}"'
        colour = f"oklch(0.7 0.13 {hue_of(label)} / 0.35)"
        style = f"background: {colour}; color: inherit; border-radius: 4px; padding: 2px 4px"
        name = f'<small style="opacity: 0.7; margin-inline-start: 4px">{escape(label)}</small>'
        parts += [escape(text[position:start])]
        parts += [f'<mark style="{style}"{title}><bdi>{escape(text[start:end])}</bdi>{name}</mark>']
        position = end
    body = "".join([*parts, escape(text[position:])])
    return f'<p dir="auto" style="line-height: 1.9; white-space: pre-wrap">{body}</p>'
