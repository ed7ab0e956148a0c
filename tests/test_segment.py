"""Raw text: spans that cover the text, in any script."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from onomast.data.tokenize import LONGEST, SEGMENTERS, segment, sentences, tokenize
from onomast.errors import MissingExtra, OnomastError
from text_checks import check_spans, texts


@settings(max_examples=200)
@given(texts)
def test_tokens_cover_the_text_in_order_and_split_no_grapheme(text: str) -> None:
    check_spans(text, tokenize(text))


@pytest.mark.parametrize("name", sorted(set(SEGMENTERS) - {"thai-words", "uax29"}))
@settings(max_examples=100, deadline=None)
@given(text=texts)
def test_every_segmenter_covers_the_text(name: str, text: str) -> None:
    check_spans(text, SEGMENTERS[name](text))


@pytest.mark.parametrize(("name", "library"), [("thai-words", "pythainlp"), ("uax29", "uniseg")])
@settings(max_examples=100, deadline=None)
@given(text=texts)
def test_segmenters_of_other_libraries_cover_the_text(name: str, library: str, text: str) -> None:
    pytest.importorskip(library)
    check_spans(text, SEGMENTERS[name](text))


@settings(max_examples=200, deadline=None)
@given(texts)
def test_sentences_cover_the_text_and_are_made_of_whole_tokens(text: str) -> None:
    spans = sentences(text)
    check_spans(text, spans)
    tokens = tokenize(text)
    assert {start for start, _ in spans} <= {start for start, _ in tokens}
    assert {end for _, end in spans} <= {end for _, end in tokens}
    assert not any(set(text[start:end]) & set("\n\r\u2028\u2029") for start, end in spans)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(["aa", "b.", "12", " ", "ก", " ก ", "中", "न "]), min_size=600, max_size=1500).map("".join)
)
def test_sentences_are_bounded(text: str) -> None:
    pieces = segment(text)
    assert all(1 <= len(tokens) <= LONGEST for tokens in pieces)
    assert [span for tokens in pieces for span in tokens] == tokenize(text)


def test_a_long_sentence_is_cut_at_a_space() -> None:
    text = "(" * 3 + "neno, " * 700
    first = sentences(text)[0]
    assert text[first[1]] == " "
    assert sentences("中" * 1200) == [(0, 500), (500, 1000), (1000, 1200)]


PLAIN = """Asha alizaliwa mwaka 1964 ng'ombe O’Brien l·l snake_case x2 Łódź Ђорђе щит'я Ωμέγα 3,5 1.200,50 السلامُ
    عليكم ١٢٫٥ كتابٌ می\u200cخواهم שלום צה"ל հայերեն ქართული አዲስ አበባ हिन्दी नई తెలుగు বাংলা ਪੰਜਾਬੀ தமிழ் 한국어 ( ) , ; ? !
    “ ” « » — ። ፣ ، ؟ । café naïve ß Ǆ e\u0301te\u0301 co\u00adop"""
PLAIN_WORDS = st.lists(st.sampled_from(PLAIN.split()), max_size=12)


@settings(max_examples=100, deadline=None)
@given(PLAIN_WORDS, st.sampled_from([" ", "  ", "\t"]))
def test_words_of_plain_text_are_those_of_uax_29(words: list[str], blank: str) -> None:
    pytest.importorskip("uniseg")
    text = blank.join(words)
    assert tokenize(text) == SEGMENTERS["uax29"](text)


def cut(segmenter: str, text: str) -> list[str]:
    return [text[start:end] for start, end in SEGMENTERS[segmenter](text)]


@pytest.mark.parametrize(
    ("segmenter", "text", "tokens"),
    [
        ("unicode", "Ng'ombe 1,200.50 waliuzwa saa 10:30.", "Ng'ombe|1,200.50|waliuzwa|saa|10:30|."),
        ("unicode", "‘Yan siyasa da 'ya'yansu, 'yar Jami’a.", "‘Yan|siyasa|da|'ya'yansu|,|'yar|Jami’a|."),
        ("unicode", "Alisema 'ndiyo' kwa Matiang'i", "Alisema|'|ndiyo|'|kwa|Matiang'i"),
        ("unicode", "Guinea-Bissau – COVID-19 (2019-2020)", "Guinea-Bissau|–|COVID-19|(|2019-2020|)"),
        ("unicode", "U.S. p.m. node.js Kenya.Rais wa.", "U.S.|p.m.|node.js|Kenya|.|Rais|wa|."),
        ("unicode", "https://habari.co.ke/a?b=1. asha@posta.or.tz, #Mombasa @asha_01", None),
        ("unicode", "km/h 1/2 50% $5 -3 ... !! --", "km|/|h|1/2|50|%|$|5|-|3|...|!!|--"),
        ("unicode", "अध्यक्ष ने १२.५ कहा। क्\u200dष", "अध्यक्ष|ने|१२.५|कहा|।|क्\u200dष"),
        ("unicode", "አበበ፡በ2015፣ወደ አዲስ አበባ ሄደ።", "አበበ|፡|በ2015|፣|ወደ|አዲስ|አበባ|ሄደ|።"),
        ("unicode", "سافرَ إلى «بغداد»، ١٢٫٥ كم؟", "سافرَ|إلى|«|بغداد|»|،|١٢٫٥|كم|؟"),
        ("unicode", "می\u200cخواهم", "می\u200cخواهم"),
        ("unicode", "王小明去了東京タワー。", "王|小|明|去|了|東|京|タワー|。"),
        ("unicode", "ကျွန်တော်သည် သင်္ဘောဖြင့် ၁၅ ရက်။", "ကျွန်|တော်|သည်|သင်္ဘော|ဖြင့်|၁၅|ရက်|။"),
        ("clusters", "ကျွန်တော်သည် သင်္ဘော", "ကျွ|န်|တော်|သ|ည်|သ|င်္ဘော"),
        ("unicode", "เขากินข้าวที่เกาะสมุยวันศุกร์", "เขา|กิ|น|ข้า|ว|ที่|เกาะ|ส|มุ|ย|วัน|ศุกร์"),
        ("unicode", "เมืองเพชรเดินเรียน ๑๒๓ ๆ", "เมือ|ง|เพ|ช|ร|เดิน|เรีย|น|๑๒๓|ๆ"),
        ("unicode", "ຢູ່ວຽງຈັນ", "ຢູ່|ວຽງ|ຈັນ"),
        ("unicode", "ខ្ញុំរស់នៅភ្នំពេញ។", "ខ្ញុំ|រ|ស់|នៅ|ភ្នំ|ពេ|ញ|។"),
        ("unicode", "👩\u200d👧🇰🇪🇹🇿👍🏽1️⃣", "👩\u200d👧|🇰🇪|🇹🇿|👍🏽|1️⃣"),
        ("unicode", "\ufeffAsha\u200bJuma \u200b co\u00adop\x00", "Asha|Juma|co\u00adop"),
        ("spaces", "Asha,  yuko\u00a0Lamu .", "Asha,|yuko|Lamu|."),
        ("characters", "e\u0301a 👍🏽", "e\u0301|a|👍🏽"),
    ],
)
def test_examples(segmenter: str, text: str, tokens: str | None) -> None:
    expected = text.replace(". ", " . ").replace(", ", " , ").split() if tokens is None else tokens.split("|")
    assert cut(segmenter, text) == expected


def test_thai_words_are_those_of_a_dictionary() -> None:
    pytest.importorskip("pythainlp")
    assert cut("thai-words", "เขากินข้าวABCครับ ၁ ลาว") == ["เขา", "กินข้าว", "ABC", "ครับ", "၁", "ลาว"]


@pytest.mark.parametrize(("name", "library"), [("thai-words", "pythainlp.tokenize"), ("uax29", "uniseg.wordbreak")])
def test_a_library_that_is_not_there_is_named(name: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=r"pip install 'onomast\[segment\]'"):
        SEGMENTERS[name]("ก")


def test_an_unknown_segmenter_is_answered_with_the_nearest() -> None:
    with pytest.raises(OnomastError, match="did you mean 'characters'"):
        segment("a", "charactres")


@pytest.mark.parametrize(
    "expected",
    [
        ["Dr. J. Kenyatta alifika saa 10.30.", "Alisema: “Karibu!”", "Kisha (bila haraka.)", "Akaondoka"],
        ["1. Utangulizi wa No. 5.", "Aliishi U.S. lakini alirudi saa 4 p.m.", "Ndiyo... kweli?!", "Node.js iko."],
        ["Alisema “sawa”.", "Ilipanda 30%.", "Alirudi 11. 9. mwaka huo (kesho).", "Basi!"],
        ["अध्यक्ष डॉ. सिंह ने कहा।", "वह गया॥", "कब?"],
        ["አበበ መጣ።", "ከበደ ሄደ፧", "አዎ!"],
        ["سافر د. أحمد إلى بغداد.", "هل عاد؟", "نعم."],
        ["1۔ پہلا۔", "دوسرا۔"],
        ["वह यहाँ है.", "वह एम. के. सिंह है."],
    ],
)
def test_sentence_examples(expected: list[str]) -> None:
    text = " ".join(expected)
    assert [text[start:end] for start, end in sentences(text)] == expected
    lines = "\r\n".join(expected)
    assert [lines[start:end] for start, end in sentences(lines)] == expected


@pytest.mark.parametrize(
    "expected",
    [["他来了吗?", "是的。", "“好！”", "他说。"], ["သူသည်၊ နေသည်။", "သူလာသည်။"], ["ខ្ញុំទៅ។", "គាត់មក។"], ["है।", "वह"]],
)
def test_full_stops_of_scripts_without_spaces_need_none(expected: list[str]) -> None:
    text = "".join(expected)
    assert [text[start:end] for start, end in sentences(text)] == expected


def test_thai_sentences_end_at_wide_spaces_and_when_they_are_long() -> None:
    text = "เขามา แล้ว  เธอไป"
    assert [text[start:end] for start, end in sentences(text)] == ["เขามา แล้ว", "เธอไป"]
    long = "มา" * 99 + " มา " + "ดี"
    assert [end - start for start, end in sentences(long)] == [2 * 99 + 3, 2]


def _gold_borders(path: Path, inside: str) -> Iterator[tuple[str, list[int]]]:
    """Sentences without spaces, and the word borders both of whose sides are letters of the script."""
    for block in path.read_text(encoding="utf-8").replace("\r", "").split("\n\n"):
        words = [line.split("\t")[0] for line in block.split("\n") if line.strip("\n")]
        borders, reached = [], 0
        for left, right in itertools.pairwise(words):
            reached += len(left)
            if left and right and regex.match(inside, left[-1]) and regex.match(inside, right[0]):
                borders.append(reached)
        yield "".join(words), borders


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("file", "inside", "least", "number"),
    [("myner/test_v5.conll", r"\p{Myanmar}", 0.9998, 23_285), ("thainer/data.conll", r"\p{Thai}", 0.9968, 150_825)],
)
def test_gold_word_borders_are_token_borders(file: str, inside: str, least: float, number: int) -> None:
    if "ONOMAST_DATA" not in os.environ:
        pytest.skip("ONOMAST_DATA is not set: no corpora here")
    found = total = 0
    for text, borders in _gold_borders(Path(os.environ["ONOMAST_DATA"], file), inside):
        hidden = {index for start, end in tokenize(text) for index in range(start + 1, end)}
        total += len(borders)
        found += sum(border not in hidden for border in borders)
    assert total == number
    assert found / total >= least


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("file", "precision", "recall"),
    [
        ("Croatian-SET/hr_set-ud-test.iob2", 0.99, 0.96),
        ("Danish-DDT/da_ddt-ud-test.iob2", 0.98, 0.91),
        ("Portuguese-Bosque/pt_bosque-ud-test.iob2", 0.98, 0.87),
        ("Swedish-Talbanken/sv_talbanken-ud-test.iob2", 0.99, 0.92),
    ],
)
def test_gold_sentences_are_found_again_in_running_text(file: str, precision: float, recall: float) -> None:
    """Recall is that of all sentences: headlines, which end in no full stop, cannot be found."""
    if "ONOMAST_DATA" not in os.environ:
        pytest.skip("ONOMAST_DATA is not set: no corpora here")
    lines = Path(os.environ["ONOMAST_DATA"], "uner", file).read_text(encoding="utf-8").split("\n")
    texts = [line.removeprefix("# text = ").strip() for line in lines if line.startswith("# text = ")]
    gold = set(itertools.accumulate([len(texts[0]), *(len(text) + 1 for text in texts[1:])]))
    found = {end for _, end in sentences(" ".join(texts))}
    assert len(gold & found) / len(found) >= precision
    assert len(gold & found) / len(gold) >= recall
