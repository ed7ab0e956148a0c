"""NeuralTagger: an encoder and heads trained by the one loop. Which ones, and how, is the recipe's business."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from onomast.corpus import Corpus
from onomast.errors import DataError, ModelError, OnomastError, RecipeError
from onomast.files import atomic_path, write_text
from onomast.recipe import Recipe, Training, read_recipe, to_toml
from onomast.sentence import Sentence
from onomast.tagger import History
from onomast.taggers.baseline import entity_f1, tag_by_list
from onomast.taggers.encoders import LSTMEncoder
from onomast.taggers.folder import seal, unseal
from onomast.taggers.network import Gold, Network, Targets, gold_of, names, tag_weights, targets_of
from onomast.taggers.training import threads, train
from onomast.taggers.vectors import CompactVectors, coverage_warning, open_vectors
from onomast.taggers.vocabulary import Vocabulary, build_vocabulary
from onomast.tags import TagScheme

_TAG_TOKENS = 4096  # tokens in a batch when tagging, padding included
_POOL = 2048  # sentences sorted by length together when tagging
_FILES = ("recipe.toml", "vocabulary.json", "weights.safetensors")
_VECTORS = "vectors."  # prefix of the compact vectors in weights.safetensors


class NeuralTagger:
    """Fulfils `onomast.tagger.Tagger`."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network: Network | None = None
        self._targets: Targets | None = None

    @property
    def scheme(self) -> TagScheme:
        """Labels and tags. Raises OnomastError before `fit` or `load`."""
        return self._trained()[1].scheme

    def fit(self, corpus: Corpus, *, checkpoints: Path | None = None) -> History:
        """Build the network that the corpus needs and train it; see the contract.

        Sentences without tags but with a sentence label serve `pretrain_epochs` only.
        """
        began = time.perf_counter()
        settings = self.recipe.neural.training
        annotated = tuple(sentence for sentence in corpus.train if sentence.tags is not None and len(sentence))
        class_only = tuple(
            sentence for sentence in corpus.train if sentence.tags is None and sentence.label is not None
        )
        if not annotated:
            raise DataError("no training sentence carries tags; expected at least one", path=corpus.name)
        corpus = _with_dev(replace(corpus, train=annotated), settings, self.recipe.seed)
        notes: list[str] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            self._targets = targets_of(self.recipe, corpus, class_only)
            gold = [gold_of(sentence, self._targets) for sentence in corpus.train]
            self._network = self._build(corpus, class_only, gold, notes)
            rows = self._train(corpus, gold, class_only, checkpoints)
        self._network.eval()
        notes += self._collapse(corpus)
        return History(time.perf_counter() - began, tuple(rows), tuple(notes))

    def tag(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        """Predict tags, and POS and sentence labels where there are such heads; see the contract."""
        network, targets = self._trained()
        if network.training:
            network.eval()
        tagged: list[Sentence] = list(sentences)
        with threads(self.recipe.neural.training.threads), torch.inference_mode():
            for batch in _batches(sentences):
                hidden, mask = network.encoder(network.encoder.prepare([sentences[index] for index in batch]))
                made = [sentences[index] for index in batch]
                for name in network.heads:
                    ids, confidence = network.head(name).decode(hidden, mask)
                    made = [
                        _decoded(sentence, name, targets, one, sure)
                        for sentence, one, sure in zip(made, ids.tolist(), confidence.tolist(), strict=True)
                    ]
                for index, sentence in zip(batch, made, strict=True):
                    tagged[index] = sentence
        return [sentence if len(sentence) else sentence.tagged(()) for sentence in tagged]

    def save(self, folder: Path) -> None:
        """Write recipe.toml, tags.json, vocabulary.json and weights.safetensors."""
        from safetensors.torch import save_file

        network, targets = self._trained()
        folder.mkdir(parents=True, exist_ok=True)
        vocabulary = network.encoder.lexicon.vocabulary
        tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
        vectors = network.encoder.lexicon.vectors
        words: list[str] = []
        if vectors is not None:
            words = list(vectors.words)
            tensors |= {_VECTORS + name: torch.from_numpy(array) for name, array in vectors.tensors().items()}
        with atomic_path(folder / "weights.safetensors") as path:
            save_file(tensors, path)
        known = {
            "words": vocabulary.words,
            "characters": vocabulary.characters,
            "lower": vocabulary.lower,
            "vectors": words,
        }
        write_text(folder / "vocabulary.json", json.dumps(known, ensure_ascii=False))
        write_text(folder / "recipe.toml", to_toml(self.recipe))
        seal(folder, {"style": targets.scheme.style, **names(targets)}, _FILES)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; see the contract."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        folder = Path(folder)
        tagger = cls(read_recipe(folder / "recipe.toml"))
        tags = unseal(folder, _FILES)
        try:
            known = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
            tensors = load_file(folder / "weights.safetensors")
            scheme = TagScheme(tuple(tags["labels"]), tags["style"])
            tagger._targets = Targets(scheme, tuple(tags["pos"]), tuple(tags["sentence_labels"]))
            vocabulary = Vocabulary(tuple(known["words"]), tuple(known["characters"]), known["lower"])
            arrays = {
                name.removeprefix(_VECTORS): tensors.pop(name).numpy()
                for name in list(tensors)
                if name.startswith(_VECTORS)
            }
            vectors = CompactVectors.from_tensors(arrays, known["vectors"]) if arrays else None
            encoder = LSTMEncoder(tagger.recipe.neural, vocabulary, vectors)
            tagger._network = Network(encoder, tagger._targets, tagger.recipe.neural)
            tagger._network.load_state_dict(tensors)
        except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = str(error).strip().splitlines()
            raise ModelError(
                f"its files do not fit together ({(reason or [type(error).__name__])[-1].strip()}); "
                "copy the whole folder again or train anew",
                folder=folder,
            ) from None
        tagger._network.to(tagger.device).eval()
        return tagger

    def _trained(self) -> tuple[Network, Targets]:
        if self._network is None or self._targets is None:
            raise OnomastError("this tagger is not trained yet; call fit, or load a saved one")
        return self._network, self._targets

    def _build(self, corpus: Corpus, class_only: Sequence[Sentence], gold: Sequence[Gold], notes: list[str]) -> Network:
        recipe = self.recipe.neural
        assert self._targets is not None
        vocabulary = build_vocabulary(
            (*corpus.train, *class_only), min_count=recipe.words.min_count, lower=recipe.words.lower
        )
        encoder = LSTMEncoder(recipe, vocabulary, self._vectors(corpus, class_only, notes))
        # Words are numbered here, once, so that a resumed run sums over them in the same order to the last bit.
        encoder.lexicon.numbers((*corpus.train, *class_only, *corpus.dev))
        weights = tag_weights(recipe.heads.entities, gold, len(self._targets.scheme.tags))
        return Network(encoder, self._targets, recipe, weights).to(self.device)

    def _vectors(self, corpus: Corpus, class_only: Sequence[Sentence], notes: list[str]) -> CompactVectors | None:
        """The rows of the vectors file that this tagger keeps."""
        settings = self.recipe.neural.words
        if settings.vectors is None:
            if settings.mode == "random":
                return None
            raise RecipeError(
                f"is absent, but mode {settings.mode} starts from a file; give --vectors FILE, or --raw TEXT to learn "
                "vectors first, or --set neural.words.mode=random",
                key="neural.words.vectors",
            )
        if settings.mode == "random":
            raise RecipeError(
                "is random, so the vectors file would be of no use; take --recipe small-vectors, or another mode",
                key="neural.words.mode",
            )
        tokens = {token for sentence in (*corpus.train, *class_only, *corpus.dev) for token in sentence.tokens}
        words = sorted({token.lower() for token in tokens} if settings.lower else tokens)
        vectors = open_vectors(Path(settings.vectors)).compact(words, ngram_rows=settings.ngram_rows)
        warning = coverage_warning(vectors.rows(words)[1])
        notes += [f"{settings.vectors}: {warning}"] if warning else []
        return vectors

    def _train(
        self, corpus: Corpus, gold: Sequence[Gold], class_only: Sequence[Sentence], checkpoints: Path | None
    ) -> list[dict[str, Any]]:
        """The stages: the sentence head alone, if the recipe says so, then all heads."""
        network, targets = self._trained()
        settings = self.recipe.neural.training
        run = _fingerprint(self.recipe, corpus, class_only)
        rows: list[dict[str, Any]] = []
        if settings.pretrain_epochs:
            sentences = [sentence for sentence in (*corpus.train, *class_only) if sentence.label is not None]
            labelled = _Fit(
                network, sentences, [gold_of(sentence, targets) for sentence in sentences], (), self, "sentence"
            )
            stage = replace(
                settings, epochs=settings.pretrain_epochs, steps=0, schedule="constant", select="last", dev="none"
            )
            folder = checkpoints / "pretrain" if checkpoints else None
            rows += [
                {"stage": "pretrain", **row}
                for row in train(labelled, stage, seed=self.recipe.seed, run=run, folder=folder)
            ]
        dev = () if settings.dev == "none" else corpus.dev
        fit = _Fit(network, corpus.train, gold, dev, self, None)
        return rows + train(fit, settings, seed=self.recipe.seed, run=run, folder=checkpoints)

    def _collapse(self, corpus: Corpus) -> Iterator[str]:
        """A note when the tagger does no better than a word list of the training data."""
        sentences = corpus.dev or corpus.train
        with_gold = [sentence for sentence in sentences if sentence.tags is not None and None not in sentence.tags]
        if not with_gold:
            return
        bare = [sentence.bare() for sentence in with_gold]
        ours, theirs = (
            entity_f1(with_gold, self.tag(bare)),
            entity_f1(with_gold, tag_by_list(corpus.train if corpus.dev else corpus.train[::2], bare)),
        )
        if ours < theirs:
            where = "dev" if corpus.dev else "the training"
            yield (
                f"COLLAPSED: F1 {ours:.3f} on {where} sentences is below the {theirs:.3f} of a word list of training "
                "data. Try another --set neural.training.learning_rate, more epochs, another --seed, or --recipe crf"
            )


@dataclass
class _Fit:
    """A `training.Task`: these sentences, this network."""

    module: Network
    sentences: Sequence[Sentence]
    gold: Sequence[Gold]
    dev: Sequence[Sentence]
    tagger: NeuralTagger
    only: str | None
    """Train one head alone."""

    @property
    def lengths(self) -> list[int]:
        return [len(sentence) for sentence in self.sentences]

    def loss(self, indices: Sequence[int]) -> Tensor:
        """() loss of these sentences."""
        with _half_precision(self.tagger.device):
            return self.module.loss(
                [self.sentences[index] for index in indices], [self.gold[index] for index in indices], self.only
            )

    def score(self) -> Mapping[str, float]:
        """Dev F1 and loss."""
        if not self.dev:
            return {}
        targets = self.tagger._trained()[1]
        gold = [gold_of(_known_labels(sentence, targets), targets) for sentence in self.dev]
        with torch.inference_mode():
            losses = [
                float(self.module.loss([self.dev[index] for index in batch], [gold[index] for index in batch]))
                * len(batch)
                for batch in _batches(self.dev)
            ]
        predicted = self.tagger.tag([sentence.bare() for sentence in self.dev])
        return {"f1": entity_f1(self.dev, predicted), "dev_loss": sum(losses) / len(self.dev)}


def _with_dev(corpus: Corpus, settings: Training, seed: int) -> Corpus:
    """The corpus with the dev sentences that the recipe asks for."""
    if settings.dev == "none":
        return replace(corpus, dev=())
    if settings.dev == "split" or not corpus.dev:
        return replace(corpus, dev=()).split(settings.dev_fraction, seed)
    return corpus


def _known_labels(sentence: Sentence, targets: Targets) -> Sentence:
    """Dev sentences may hold labels that training never met; for the loss their tokens count as not annotated."""
    known = set(targets.scheme.labels)
    if sentence.tags is None or all(tag is None or tag == "O" or tag[2:] in known for tag in sentence.tags):
        return sentence
    return sentence.tagged([tag if tag is None or tag == "O" or tag[2:] in known else None for tag in sentence.tags])


def _batches(sentences: Sequence[Sentence]) -> Iterator[list[int]]:
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


def _decoded(sentence: Sentence, head: str, targets: Targets, ids: Any, confidence: Any) -> Sentence:
    """The sentence with what one head predicts: ids and probabilities of its (padded) tokens, or of the sentence."""
    if head == "sentence":
        return replace(sentence, label=targets.labels[ids])
    length = len(sentence)
    if head == "pos":
        return replace(sentence, pos=tuple(targets.pos[one] for one in ids[:length]))
    return sentence.tagged(targets.scheme.decode(ids[:length]), confidence[:length])


def _fingerprint(recipe: Recipe, corpus: Corpus, class_only: Sequence[Sentence]) -> str:
    """Names a run: checkpoints of another recipe or other sentences must not be resumed from."""
    digest = hashlib.sha256(to_toml(recipe).encode())
    for sentence in (*corpus.train, *corpus.dev, *class_only):
        digest.update(
            repr((sentence.tokens, sentence.tags, sentence.pos, sentence.label)).encode("utf-8", "surrogatepass")
        )
    return digest.hexdigest()


@contextmanager
def _half_precision(device: torch.device) -> Iterator[None]:
    """bf16 on a GPU that has it; single precision on a CPU."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        with torch.autocast("cuda", torch.bfloat16):
            yield
    else:
        yield
