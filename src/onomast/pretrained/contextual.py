"""Frozen contextual vectors: for every word of a sentence, what the layers of a Hugging Face encoder make of it.

Computed once for each sentence and remembered on disk (`vector_cache.py`). The encoder is loaded only when a sentence
is not remembered; nothing of it learns. For an encoder that learns see `taggers/neural/transformer_encoder.py`.
"""

from __future__ import annotations

import atexit
import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from onomast.errors import ModelError
from onomast.pretrained.frozen_encoder import FrozenEncoder, Reading, Words, computes_bf16
from onomast.pretrained.hub import encoder_folder, encoder_hash
from onomast.pretrained.vector_cache import KEY_BYTES, Rows, VectorCache, cache_folder
from onomast.progress import progress

_BLOCK = 256  # sentences computed and remembered together
_FORMAT = 1  # of what is remembered; another number when the same encoder would give other vectors
_CACHES: dict[Path, VectorCache] = {}


class ContextualVectors:
    """The vectors of one encoder folder. `expected`: the hash that the folder must have; None: whatever it has."""

    def __init__(self, name: str, reading: Reading, expected: str | None = None, *, folder: Path | None = None) -> None:
        self.name = name
        self.reading = reading
        self.folder = encoder_folder(name) if folder is None else folder
        self.hash = encoder_hash(self.folder)
        if expected is not None and self.hash != expected:
            raise ModelError(
                f"is not the encoder that this tagger was trained with (its files' hash is {self.hash[:12]}, expected "
                f"{expected[:12]}); put that one back, or train anew",
                folder=self.folder,
            )
        self.bf16 = computes_bf16() if reading.precision == "auto" else reading.precision == "bf16"
        self.remembers = True
        """Whether vectors that are computed are written to the cache."""
        self.words_computed = 0
        """Words of the sentences that were not cached."""

    def of(self, sentences: Sequence[Words], title: str = "contextual vectors") -> list[Rows]:
        """For each sentence its words' vectors (T, L, D), float16, each layer of mean 0 and variance 1.

        Cached vectors are views of memory-mapped files.
        """
        keys = [_key(words) for words in sentences]
        found = {key: rows for key in keys if (rows := self.cache.get(key)) is not None}
        missing = {key: words for key, words in zip(keys, sentences, strict=True) if key not in found}
        if missing:
            found |= self._computed(missing, title)
        return [found[key] for key in keys]

    def release(self) -> None:
        """Free the memory of the encoder; it is loaded again when it is needed."""
        self.__dict__.pop("encoder", None)

    def flush(self) -> None:
        """Write what is computed but not written yet."""
        if self.remembers:
            self.cache.flush()

    @cached_property
    def cache(self) -> VectorCache:
        """Shared by everything in this process that reads the same encoder in the same way."""
        reading = self.reading
        told = (self.hash, reading.layers, reading.pooling, reading.window, self.bf16, _FORMAT)
        folder = cache_folder() / "contextual" / hashlib.sha256(repr(told).encode()).hexdigest()[:32]
        if folder not in _CACHES:
            _CACHES[folder] = VectorCache(folder)
            atexit.register(_CACHES[folder].flush)
        return _CACHES[folder]

    @cached_property
    def encoder(self) -> FrozenEncoder:
        """The encoder itself, loaded when first needed."""
        return FrozenEncoder(self.folder, self.reading, bf16=self.bf16)

    def _computed(self, missing: dict[bytes, Words], title: str) -> dict[bytes, Rows]:
        """In blocks of sentences of like length, each remembered at once; what another process does meanwhile is
        taken over: every process begins somewhere else."""
        order = sorted(missing, key=lambda key: len(missing[key]), reverse=True)
        blocks = [order[start : start + _BLOCK] for start in range(0, len(order), _BLOCK)]
        if len(blocks) > 2:
            first = os.getpid() % len(blocks)
            blocks = blocks[first:] + blocks[:first]
        found: dict[bytes, Rows] = {}
        total = sum(len(words) for words in missing.values())
        self.words_computed += total
        done = 0
        with progress(title, total) as advance:
            for block in blocks:
                if len(blocks) > 2:
                    self.cache.scan()
                    found |= {key: rows for key in block if (rows := self.cache.get(key)) is not None}
                left = [key for key in block if key not in found]
                if left:
                    computed = dict(zip(left, self.encoder([missing[key] for key in left]), strict=True))
                    if self.remembers:
                        self.cache.put(computed)  # not held here as well: once written, they are mapped
                    else:
                        found |= computed
                done += sum(len(missing[key]) for key in block)
                advance(done, f"{done:,} of {total:,} words")
        if len(blocks) > 2:
            self.flush()
        return found | {key: rows for key in missing if key not in found and (rows := self.cache.get(key)) is not None}


def _key(words: Words) -> bytes:
    """Names a sentence; words may hold any character."""
    digest = hashlib.blake2b(digest_size=KEY_BYTES)
    for word in words:
        data = word.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "little") + data)
    return digest.digest()
