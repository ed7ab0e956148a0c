"""Choose what to label next from raw text: what `onomast active` does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onomast.active.ordering import RANDOM_SHARE, Choice, Order, choose, rate
from onomast.apps.bulk import json_line
from onomast.data.catalogue import language_of, resolve
from onomast.data.formats.registry import read_file
from onomast.data.named_files import read_named, read_named_text
from onomast.errors import OnomastError
from onomast.sentence import Sentence
from onomast.taggers.registry import load_tagger
from onomast.taggers.word_segmenter import find_segmenter


@dataclass(frozen=True)
class Chosen:
    """A sentence to label, with the tagger's suggestion, and why it was chosen."""

    sentence: Sentence
    choice: Choice


def choose_next(
    model: Path,
    raw: str,
    count: int,
    *,
    order: Order = "gain",
    others: Sequence[Path] = (),
    labelled: str | None = None,
    random_share: float = RANDOM_SHARE,
    read: str | None = None,
    segmenter: str = "unicode",
    seed: int = 0,
) -> list[Chosen]:
    """`count` sentences of `raw` (text; with `read`, a file of that format), in the order in which to label them.

    `order`, `others`, `random_share`: see `active.ordering`. Sentences that stand in `labelled` as they are, and second
    copies within `raw`, are left out. Raises OnomastError for a count or share that is not possible, DataError for
    files that cannot be read, ModelError for a model folder that cannot be loaded.
    """
    if count < 1 or not 0 <= random_share <= 1:
        raise OnomastError(
            f"--count {count} --random-share {random_share}: expected 1 or more, and a share from 0 to 1"
        )
    if read is None:
        pool = list(read_named_text(raw, segmenter=find_segmenter(segmenter)))
    else:
        pool = list(read_file(resolve(raw), format=read, language=language_of(raw)).sentences)
    known = () if labelled is None else read_named(labelled).sentences
    seen = {one.tokens for one in known}
    pool = [one.bare() for one in pool if one.tokens not in seen and not seen.add(one.tokens)]  # type: ignore[func-returns-value]
    ratings = rate(order, pool, load_tagger(model), [load_tagger(other) for other in others])
    chosen = choose(ratings, count, labelled=known, random_share=1.0 if order == "random" else random_share, seed=seed)
    return [Chosen(ratings[one.index].posterior.tagged, one) for one in chosen]


def to_json(chosen: Sequence[Chosen]) -> list[dict[str, Any]]:
    """For each sentence the record of `onomast tag`, `source` (file:line), `gain` and `random`."""
    return [
        {
            **json.loads(json_line(one.sentence)),
            "source": one.sentence.source,
            "gain": round(one.choice.gain, 5),
            "random": one.choice.is_random,
        }
        for one in chosen
    ]
