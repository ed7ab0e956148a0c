"""An HTML page of sentences with their entities in colour: one file, no script, nothing fetched; for any script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape

from onomast.data.input_file import write_chunks
from onomast.sentence import Sentence, Span
from onomast.tags import Style

# Light fills on which black text has a contrast of 9 or more; a border of the same hue.
_HUES = (210, 30, 130, 350, 270, 55, 180, 315, 95, 240, 10, 160)
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff]")
_STYLE = """
:root { color-scheme: light; }
body { font: 1rem/1.9 system-ui, "Noto Sans", sans-serif; margin: 0; color: #111; background: #fff;
  display: flex; flex-direction: column; min-height: 100vh; }
main { order: 1; max-width: 50rem; margin: 0 auto; padding: 1rem; width: 100%; box-sizing: border-box; }
header { order: 0; position: sticky; top: 0; background: #fff; border-bottom: 1px solid #ccc; padding: .5rem 1rem; }
header ul { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem .8rem; margin: 0; padding: 0; }
p { margin: 0 0 .8rem; overflow-wrap: anywhere; }
mark { color: inherit; border-radius: .3em; padding: .1em .25em; border: 1px solid; }
mark b { font-size: .68em; font-weight: 600; margin-inline-start: .4em; unicode-bidi: isolate; }
small { color: #595959; margin-inline-start: .6em; unicode-bidi: isolate; }
u { text-decoration: underline dotted #767676; }
@media print { header { position: static; } }
"""


def write_html(sentences: Iterable[Sentence], path: str, _style: Style) -> None:
    """One paragraph a sentence, entities marked and named (never by colour alone); a legend with counts on top.

    Tokens that are not annotated are dotted. The page is for reading: there is no reader for it.
    """
    write_chunks(path, _chunks(sentences))


def _chunks(sentences: Iterable[Sentence]) -> Iterator[str]:
    counts: dict[str, int] = {}
    number = 0
    yield '<!DOCTYPE html>\n<html lang="und">\n<head>\n<meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Entities</title>\n'
    yield f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
    for sentence in sentences:
        number += 1
        for span in sentence.spans:
            counts[span.label] = counts.get(span.label, 0) + 1
        yield _paragraph(sentence, {label: index for index, label in enumerate(counts)})
    yield "</main>\n<header>\n"
    # Only now are all labels known; the style sheet puts the legend on top.
    entries = [
        f'<li><mark style="{_fill(index)}">{_safe(label)}</mark> {counts[label]:,}</li>'
        for index, label in enumerate(counts)
    ]
    total = f"{number:,} sentence{'' if number == 1 else 's'}"
    yield f"<ul><li>{total}</li>{''.join(entries)}</ul>\n</header>\n</body>\n</html>\n"


def _paragraph(sentence: Sentence, numbers: dict[str, int]) -> str:
    language = f' lang="{_safe(sentence.language)}"' if sentence.language else ""
    parts = []
    position = 0
    for span in sentence.spans:
        parts.append(_words(sentence, position, span.start))
        parts.append(_gap(sentence, span.start))
        parts.append(_mark(sentence, span, numbers))
        position = span.end
    parts.append(_words(sentence, position, len(sentence)))
    about = [_safe(text) for text in (sentence.label, sentence.source) if text]
    note = f"<small>{' · '.join(about)}</small>" if about else ""
    return f'<p dir="auto"{language}>{"".join(parts)}{note}</p>\n'


def _mark(sentence: Sentence, span: Span, numbers: dict[str, int]) -> str:
    confidence = sentence.span_confidence(span)
    title = "" if confidence is None else f' title="confidence {confidence:.2f}"'
    words = "".join(
        (_gap(sentence, index) if index > span.start else "") + _safe(sentence.tokens[index])
        for index in range(span.start, span.end)
    )
    return f'<mark style="{_fill(numbers[span.label])}"{title}><bdi>{words}</bdi><b>{_safe(span.label)}</b></mark>'


def _words(sentence: Sentence, start: int, end: int) -> str:
    """Tokens outside entities, each with the white space before it."""
    said = []
    for index in range(start, end):
        word = _safe(sentence.tokens[index])
        unknown = sentence.tags is not None and sentence.tags[index] is None
        said.append(_gap(sentence, index) + (f"<u>{word}</u>" if unknown else word))
    return "".join(said)


def _gap(sentence: Sentence, index: int) -> str:
    """What stands between a token and the one before it: a space, where the original text is not known."""
    if index == 0:
        return ""
    if sentence.offsets is None:
        return " "
    between = (sentence.offsets[index - 1][1], sentence.offsets[index][0])
    if sentence.text is None:
        return " " if between[1] > between[0] else ""
    return _safe(sentence.text[between[0] - sentence.text_start : between[1] - sentence.text_start])


def _fill(number: int) -> str:
    """Colours of the label with this number; after twelve labels they come round again, paler."""
    hue, pale = _HUES[number % len(_HUES)], min(4, number // len(_HUES))
    return f"background:hsl({hue} 80% {86 + 2 * pale}%);border-color:hsl({hue} 50% 45%)"


def _safe(text: str) -> str:
    """Escaped, and without the control characters that HTML forbids and the surrogates that UTF-8 cannot hold."""
    return escape(_FORBIDDEN.sub("\ufffd", text))
