"""Any text in any script, and what has to be true of the tokens that a segmenter makes of it."""

from __future__ import annotations

import regex
from hypothesis import strategies as st

SCRIPTS = (
    "abc XYZ 019 .,;:!?'’‘\"-–…()/@#$%&_+= \t\r\n",
    "éñọ́ẹ̀ßıİ",
    "абвґ ЖЩ",
    "αβγ",
    "ابتثيمنه\u200cـ ًٌ ٫٬،؟ ١٢٣",
    "אבג״׳",
    "कखगािीुे्\u200dक्ष।",
    "తెలుగుకి్",
    "அஆகொழ்",
    "กขคงดเแโใไะัาำิีึืุู่้๊๋์ๆฯ๑๒",
    "ກຂຄເແໂໃໄະັາຳິີຶືຸູົຼຽ່້໊໋ໍ",
    "កខគ្្រាិី់៍។១",
    "ကခဂငညတနပမယရလသါာိီုူေဲံ့း္်ျြွှ၊။၁၌၍၎၏ဣ",
    "አበገ፡።፣፩",
    "中文字符。，「」東京タワーひらがな",
    "한국어각",
    "👩‍👧🇰🇪👍🏽1️⃣\ufe0f",
    "\u200b\ufeff\u00ad\u200e\u0600\u0300\u20dd\x00\x1b\u2028",
)
texts = st.one_of(
    st.text(max_size=60),
    st.lists(st.one_of(*(st.text(alphabet=script, max_size=12) for script in SCRIPTS)), max_size=8).map("".join),
)


def visible(character: str) -> bool:
    return not regex.match(r"[\s\p{Cc}\p{Cf}]", character)


def graphemes(text: str) -> set[int]:
    return {0, len(text), *(match.start() for match in regex.finditer(r"\X", text))}


def check_spans(text: str, spans: list[tuple[int, int]]) -> None:
    reached = 0
    for start, end in spans:
        assert reached <= start < end <= len(text)
        reached = end
    covered = {index for start, end in spans for index in range(start, end)}
    assert not [index for index, character in enumerate(text) if visible(character) and index not in covered]
    borders = graphemes(text)
    assert all(start in borders and end in borders for start, end in spans)
