"""Every labelled file of the real corpora is read, or refused by one clear line; the numbers are pinned.

`tests/oracles/corpora.tsv` holds what the reader gives (numbers only). A second, plain count of lines and tags, which
shares no code with the reader, checks it. Where the tokens are our own, their number is not pinned (`~`), nor how many
entities begin or end inside one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from onomast.data.formats.registry import Reading, read_file
from onomast.errors import DataError
from onomast.tags import split_tag

pytestmark = pytest.mark.corpus

ORACLE = Path(__file__).parent / "oracles" / "corpora.tsv"
PINNED = {row.split("\t")[0]: row.split("\t")[1:] for row in ORACLE.read_text(encoding="utf-8").split("\n")[1:] if row}
# Lists of labels, descriptions, scores, and text without labels.
UNLABELLED = re.compile(
    r"(.*/)?(README\.md|SOURCE\.txt|label_list|labels_list\.txt|test_result\d\.txt)|(raw|thai_best)/.*"
)


def test_every_file_is_pinned_or_known_to_have_no_labels(corpora: Path) -> None:
    names = {str(path.relative_to(corpora)) for path in corpora.rglob("*") if path.is_file()}
    assert {name for name in names if not UNLABELLED.fullmatch(name)} == set(PINNED)


@pytest.mark.parametrize("name", PINNED)
def test_files_are_read_as_pinned(corpora: Path, name: str) -> None:
    reading = read_file(corpora / name)
    kinds = Counter(repair.kind for repair in reading.repairs)
    entities = sum(len(sentence.spans) for sentence in reading.sentences)
    tokens: int | str = sum(map(len, reading.sentences))
    if "marked stretches" in reading.guess:
        tokens = "~"
        del kinds["span-not-on-token-border"]
    found = [len(reading.sentences), tokens, entities, reading.style or "-"]
    found.append(" ".join(f"{kind}={number}" for kind, number in sorted(kinds.items())) or "-")
    assert list(map(str, found)) == PINNED[name]
    if reading.format == "columns":
        check_by_a_plain_count(corpora / name, name, reading)


def plain_rows(path: Path) -> Iterator[list[str]]:
    """Rows of a column file, [] for a blank line: split at line feeds and at the tab, or else at spaces."""
    content = path.read_bytes().decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
    tabs = content.count("\t") > 0.5 * content.count("\n")
    for line in content.split("\n"):
        if tabs and line.startswith("#") and "\t" not in line:
            continue
        yield [] if not line.strip(" \t") else line.split("\t") if tabs else line.split(" ")


def check_by_a_plain_count(path: Path, name: str, reading: Reading) -> None:
    """Sentences, tokens, and (where nothing had to be mended) entities, by lines and first letters."""
    guessed = re.search(r"columns: ([a-z ]+), separated", reading.guess)
    assert guessed is not None
    column = guessed[1].split(" ").index("tag")
    rows = list(plain_rows(path))
    if name.endswith("_iob.txt"):  # numbered sentences below a header, without blank lines
        rows = rows[1:]
        blocks = len({row[2] for row in rows if row})
    else:
        blocks = sum(1 for row, after in zip(rows, [*rows[1:], []], strict=True) if row and not after)
    rows = [row for row in rows if row]
    documents = sum(row[0] == "-DOCSTART-" for row in rows)
    empty = sum(repair.kind == "empty-token" for repair in reading.repairs)
    assert sum(map(len, reading.sentences)) == len(rows) - documents - empty
    lost = 1 if name == "xsid/no.valid.conll" else 0  # its only token is empty
    assert len(reading.sentences) == blocks - documents - lost
    if not reading.repairs and reading.style in ("iob2", "iobes", "bilou"):
        begun = sum(row[column][0] in "BSU" for row in rows)
        assert sum(len(sentence.spans) for sentence in reading.sentences) == begun


def test_files_without_labels_say_so(corpora: Path) -> None:
    paths = [path for path in corpora.rglob("*") if path.is_file()]
    unlabelled = [path for path in paths if UNLABELLED.fullmatch(str(path.relative_to(corpora)))]
    assert unlabelled
    for path in unlabelled:
        with pytest.raises(DataError, match="no column holds entity tags"):
            read_file(path)


def test_known_faults_are_found(corpora: Path) -> None:
    telugu = read_file(corpora / "ilner" / "Telugu-train.txt")
    assert Counter(repair.kind for repair in telugu.repairs if repair.before.startswith("-")) == {
        "malformed-tag": 1_070,
        "doubtful-tag": 3,  # `-NEU`, `-doubt` and `-''`: no label of the file
    }
    myner = read_file(corpora / "myner" / "train_v5.conll")
    orphans = [repair for repair in myner.repairs if split_tag(repair.before)[0] in "IE" and repair.after[0] == "B"]
    assert len(orphans) == 1_194
    odia = read_file(corpora / "ilner" / "Odia-train.txt")
    assert {repair.after for repair in odia.repairs if repair.kind == "invisible-character"} == {"B-NEMI", "I-NEMI"}


@pytest.mark.parametrize(
    "model", ["kin_afroxlmr", "kin_xlmrbase", "ibo_afroxlmr", "pcm_mdeberta", "lug_rembert", "swa_xlmrlarge"]
)
def test_published_predictions_stand_on_the_tokens_of_the_test_files(corpora: Path, model: str) -> None:
    """Except for a few sentences of Luganda and Swahili: there `000` became `0`, and quotation marks were doubled."""
    test = read_file(corpora / "masakhaner2" / model[:3] / "test.txt").sentences
    for run in (1, 2):
        predicted = read_file(corpora / "masakhaner2_predictions" / model / f"test_predictions{run}.txt").sentences
        assert len(predicted) == len(test)
        differing = sum(a.tokens != b.tokens for a, b in zip(test, predicted, strict=True))
        assert differing == {"lug": 12, "swa": 54}.get(model[:3], 0)


def test_labels_and_languages_beside_the_tags_are_read(corpora: Path) -> None:
    for name, number in (
        ("xsid/id.test.conll", 15),
        ("fb_multilingual_tod/th/test-th.conllu", 10),
        ("injongo/swa/test.jsonl", 40),
    ):
        sentences = read_file(corpora / name).sentences
        assert all(sentence.label for sentence in sentences)
        assert len({sentence.label for sentence in sentences}) == number
    assert {sentence.language for sentence in read_file(corpora / "wikiann" / "de" / "dev").sentences} == {"de"}


def test_offsets_of_injongo_count_characters(corpora: Path) -> None:
    """Each record also spells its entities out; the keys say bytes, and every one of the files counts characters."""
    import json

    for name in ("yor", "amh", "ibo", "hau", "swa", "kin"):
        path = corpora / "injongo" / name / "test.jsonl"
        sentences = {sentence.source: sentence for sentence in read_file(path).sentences}
        right = total = 0
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            record = json.loads(line) if line else {"target": "", "spans": []}
            told = (
                [part.partition(": ")[2].strip() for part in record["target"].split(" $$ ")] if record["spans"] else []
            )
            if not told:
                continue
            sentence = sentences[f"{path}:{number}"]
            found = [sentence.span_text(span) for span in sentence.spans]
            total += len(told)
            right += sum((Counter(told) & Counter(found)).values())
        assert right >= 0.99 * total > 100
