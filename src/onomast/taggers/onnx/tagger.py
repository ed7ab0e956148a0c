"""ONNXTagger: a neural tagger that `onomast export` wrote, run by onnxruntime and NumPy alone. It cannot be trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, Self

from onomast.corpus import Corpus
from onomast.data.transliteration.scripts import converted, require_script, restored
from onomast.errors import MissingExtra, ModelError, OnomastError
from onomast.files import atomic_path
from onomast.recipe import Recipe, read_saved_recipe
from onomast.sentence import Sentence
from onomast.taggers.model_folder import TAGS, unseal
from onomast.taggers.neural.vocabulary import Vocabulary
from onomast.tags import TagScheme
from onomast.vectors.compact import read_compact

TAGGER, WORDS, ENCODER = "tagger.onnx", "words.onnx", "encoder.onnx"
VECTORS, TOKENIZER = "vectors.safetensors", "tokenizer.json"
ENGINE = "onnx"
"""Key of tags.json that holds what the export noted: the precision, and for int8 its F1."""
_FILES = ("recipe.toml", "vocabulary.json", TAGGER)
_TAG_TOKENS = 4096  # tokens in a batch, padding included
_POOL = 2048  # sentences sorted by length together


class ONNXTagger:
    """Fulfils `onomast.tagger.Tagger`, but for `fit`."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._folder: Path | None = None
        self._session: Any = None
        self._encoder: Any = None
        self._scheme: TagScheme | None = None
        self._names: Mapping[str, tuple[str, ...]] = {}

    @property
    def scheme(self) -> TagScheme:
        """Labels and tags. Raises OnomastError before `load`."""
        if self._scheme is None:
            raise OnomastError("this tagger holds no network; load an exported folder, as it cannot `fit`")
        return self._scheme

    def fit(self, corpus: Corpus, *, checkpoints: Path | None = None) -> NoReturn:  # noqa: ARG002
        """Raises OnomastError: an exported tagger is for tagging only."""
        raise OnomastError(
            "an exported tagger cannot be trained; train the recipe anew (`onomast train --recipe`) and export again"
        )

    def tag(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        """Predict tags, and POS and sentence labels where the tagger has such heads; see the contract."""
        scheme = self.scheme
        originals, sentences = sentences, converted(sentences, self.recipe.script)
        tagged: list[Sentence] = list(sentences)
        for batch in self._batches(sentences):
            feeds = self._encoder.feeds([sentences[index] for index in batch])
            found = self._session.run(None, {name: feeds[name] for name in self._inputs})
            outputs = dict(zip(self._outputs, (array.tolist() for array in found), strict=True))
            for row, index in enumerate(batch):
                tagged[index] = _decoded(sentences[index], scheme, self._names, outputs, row)
        return restored((sentence if len(sentence) else sentence.tagged(()) for sentence in tagged), originals)

    def save(self, folder: Path) -> None:
        """Copy the files of the folder that the tagger was loaded from."""
        self.scheme  # noqa: B018 - raises before load
        assert self._folder is not None
        names = [*json.loads((self._folder / TAGS).read_text(encoding="utf-8"))["sha256"], TAGS]
        for name in names:
            with atomic_path(Path(folder) / name) as temporary:
                shutil.copyfile(self._folder / name, temporary)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `onomast export` wrote; see the contract. Raises MissingExtra without onnxruntime."""
        folder = Path(folder)
        tagger = cls(read_saved_recipe(folder / "recipe.toml"))
        require_script(tagger.recipe.script)
        tags = unseal(folder, _FILES)
        try:
            if ENGINE not in tags:
                raise ValueError(f"{TAGS} does not say that it is an exported tagger")
            known = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
            tagger._scheme = TagScheme(tuple(tags["labels"]), tags["style"])
            tagger._names = {"pos": tuple(tags["pos"]), "sentence": tuple(tags["sentence_labels"])}
            tagger._session = open_session(folder / TAGGER, tagger.recipe)
            tagger._encoder = _encoder(folder, known, tagger.recipe)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = str(error).strip().splitlines()
            raise ModelError(
                f"its files do not fit together ({(reason or [type(error).__name__])[-1].strip()[:200]}); "
                "copy the whole folder again, or export anew",
                folder=folder,
            ) from None
        tagger._folder = folder
        tagger._inputs = [given.name for given in tagger._session.get_inputs()]
        tagger._outputs = [made.name for made in tagger._session.get_outputs()]
        return tagger

    _inputs: list[str]
    _outputs: list[str]

    def _batches(self, sentences: Sequence[Sentence]) -> Iterator[list[int]]:
        """Indices of sentences that are tagged together."""
        for batch in batches_of(sentences):
            if not self._encoder.one_language:
                yield batch
                continue
            groups: dict[int, list[int]] = {}
            for index in batch:
                groups.setdefault(self._encoder.language(sentences[index]), []).append(index)
            yield from groups.values()


def batches_of(sentences: Sequence[Sentence]) -> Iterator[list[int]]:
    """Indices of sentences of like length, `_TAG_TOKENS` tokens at most (or one sentence); empty ones are left out."""
    for start in range(0, len(sentences), _POOL):
        pool = [index for index in range(start, min(start + _POOL, len(sentences))) if len(sentences[index])]
        batch: list[int] = []
        for index in sorted(pool, key=lambda index: len(sentences[index])):
            if batch and len(sentences[index]) * (len(batch) + 1) > _TAG_TOKENS:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch


def open_session(path: Path, recipe: Recipe) -> Any:
    """A graph, ready to run with as many threads as the recipe says."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra("onnxruntime", "onnx") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = recipe.neural.training.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _encoder(folder: Path, known: Mapping[str, Any], recipe: Recipe) -> Any:
    """What prepares the inputs of `tagger.onnx`."""
    if recipe.neural.pretrained.model:
        from onomast.taggers.onnx.subwords import FastTokenizer, Subwords

        tokenizer = FastTokenizer(folder / TOKENIZER, known["special"])
        return Subwords(open_session(folder / ENCODER, recipe), tokenizer, known, recipe.neural)
    from onomast.taggers.onnx.words import Words

    words, characters, languages = (tuple(known[name]) for name in ("words", "characters", "languages"))
    vocabulary = Vocabulary(words, characters, known["lower"], languages, known["apart"])
    vectors = read_compact(folder / VECTORS) if (folder / VECTORS).is_file() else None
    return Words(open_session(folder / WORDS, recipe), vocabulary, vectors, recipe.neural)


def _decoded(
    sentence: Sentence, scheme: TagScheme, names: Mapping[str, tuple[str, ...]], outputs: Mapping[str, Any], row: int
) -> Sentence:
    """The sentence with what the heads predict in this row of the batch."""
    length = len(sentence)
    if "pos_ids" in outputs:
        sentence = replace(sentence, pos=tuple(names["pos"][one] for one in outputs["pos_ids"][row][:length]))
    if "sentence_ids" in outputs:
        sentence = replace(sentence, label=names["sentence"][outputs["sentence_ids"][row]])
    ids, confidence = outputs["entities_ids"][row][:length], outputs["entities_confidence"][row][:length]
    return sentence.tagged(scheme.decode(ids), confidence)
