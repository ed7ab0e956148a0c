"""The printed scores of published predictions (MasakhaNER 2.0 baselines, scored by their authors with seqeval)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onomast.data.formats.registry import read
from onomast.errors import DataError
from onomast.evaluation.report import evaluate

pytestmark = pytest.mark.corpus

FOLDERS = {"ibo_afroxlmr": 2181, "kin_afroxlmr": 2235, "kin_xlmrbase": 2235, "pcm_mdeberta": 1613}
DISAGREE = {
    # quotes were split otherwise than in the test file as it is published now
    "lug_rembert": r"lug/test\.txt:538: token 5 of the gold sentence is .*test_predictions\d\.txt:538",
    "swa_xlmrlarge": r"swa/test\.txt:2330: token 10 of the gold sentence is .*test_predictions\d\.txt:2330",
}


def paths(corpora: Path, folder: str, run: int) -> tuple[Path, Path, Path]:
    """The gold file, the predictions, the printed scores."""
    language = folder.split("_")[0]
    place = corpora / "masakhaner2_predictions" / folder
    gold = corpora / "masakhaner2" / language / "test.txt"
    return gold, place / f"test_predictions{run}.txt", place / f"test_result{run}.txt"


def test_every_folder_of_predictions_is_looked_at(corpora: Path) -> None:
    found = {path.parent.name for path in (corpora / "masakhaner2_predictions").glob("*/test_predictions*.txt")}
    assert found == {*FOLDERS, *DISAGREE}


@pytest.mark.parametrize("run", [1, 2])
@pytest.mark.parametrize("folder", FOLDERS)
def test_published_scores_are_reproduced(corpora: Path, folder: str, run: int) -> None:
    gold, predicted, printed = paths(corpora, folder, run)
    report = evaluate(read(gold), read(predicted), samples=1)
    assert len(report.counts) == FOLDERS[folder]
    text = printed.read_text(encoding="utf-8")
    for name in ("f1", "precision", "recall"):
        [value] = re.findall(rf"^{name} = (\S+)$", text, re.MULTILINE)
        assert getattr(report.micro, name) == pytest.approx(float(value), abs=1e-12)
    rows = {
        row[0].strip(): row[1:]
        for row in re.findall(r"^ *(\w[\w ]*?) +([\d.]+) +([\d.]+) +([\d.]+) +(\d+)$", text, re.M)
    }
    averages = {"micro avg": report.micro, "macro avg": report.macro, "weighted avg": report.weighted}
    scores = {**report.label_scores, **averages}
    assert set(rows) == set(scores)
    for name, score in scores.items():
        expected = [float(cell) for cell in rows[name][:3]]
        assert [score.precision, score.recall, score.f1] == pytest.approx(expected, abs=0.005 + 1e-9), name
    assert {label: score.support for label, score in report.label_scores.items()} == {
        label: int(rows[label][3]) for label in report.labels
    }


@pytest.mark.parametrize("run", [1, 2])
@pytest.mark.parametrize("folder", DISAGREE)
def test_other_tokens_than_the_gold_file_are_refused(corpora: Path, folder: str, run: int) -> None:
    gold, predicted, _ = paths(corpora, folder, run)
    with pytest.raises(DataError, match=DISAGREE[folder]) as caught:
        evaluate(read(gold), read(predicted))
    assert "\n" not in str(caught.value)
