"""A sub-word vocabulary of one's own, by the `tokenizers` library: byte pairs over characters (Sennrich et al. 2016).

Any script: words are composed (NFC) and nothing is stripped, so vowel signs and tone marks stay. (The library's unigram
model is slower by far, cuts frequent words up, and comes out otherwise each time.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from onomast.errors import MissingExtra
from onomast.pretrained.text import LanguageText
from onomast.progress import progress

SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
_MOST = 20.0  # times that a small language's lines are repeated at most


def learn_vocabulary(texts: Mapping[str, LanguageText], *, size: int, smoothing: float, longest: int) -> Any:
    """A fast tokenizer of Hugging Face with `size` sub-words at most, learnt from text.

    A language counts with its number of words to the power `smoothing`. `longest`: sub-words that the encoder takes.
    """
    try:
        from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
        from transformers import PreTrainedTokenizerFast
    except ImportError:
        raise MissingExtra("transformers", "transformers") from None
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL["unk_token"]))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    letters = ["▁", *_letters(texts, size // 2)]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    with progress("Learning sub-words", None) as advance:
        advance(0, "from each word and how often it occurs")
        tokenizer.train_from_iterator(_balanced(texts, smoothing), trainer)
    start, end = SPECIAL["cls_token"], SPECIAL["sep_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} $B:1 {end}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (start, end)],
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=longest, **SPECIAL)


def load_vocabulary(folder: Path) -> Any:
    """A tokenizer saved in a folder."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)


def _letters(texts: Mapping[str, LanguageText], most: int) -> list[str]:
    """The most frequent characters, in one order whatever the machine."""
    counts: Counter[str] = Counter()
    for line in _balanced(texts, 1.0):
        counts.update(line)
    return sorted(sorted(counts, key=lambda letter: (-counts[letter], letter))[:most])


def _balanced(texts: Mapping[str, LanguageText], smoothing: float) -> Iterator[str]:
    """The lines of all languages, those of smaller ones repeated."""
    largest = max(text.words for text in texts.values())
    for text in texts.values():
        times = min(_MOST, (text.words / largest) ** (smoothing - 1))
        owed = 0.0
        for words in text.read():
            owed += times
            line = " ".join(words).encode("utf-8", "replace").decode()
            for _ in range(int(owed)):
                yield line
            owed -= int(owed)
