"""NeuralTagger: an encoder and heads trained by the one loop. Which ones, and how, is the recipe's business."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch

from onomast.corpus import Corpus
from onomast.data.transliteration.scripts import converted, converted_corpus, require_script, restored
from onomast.errors import DataError, ModelError, OnomastError, RecipeError
from onomast.files import atomic_path, write_text
from onomast.recipe import Recipe, Training, read_recipe, to_toml
from onomast.sentence import Sentence
from onomast.tagger import History
from onomast.taggers.model_folder import seal, unseal
from onomast.taggers.neural.build import new_encoder, saved_encoder
from onomast.taggers.neural.ensemble import Ensemble, merged
from onomast.taggers.neural.network import Network, Targets, gold_of, names, tag_weights, targets_of
from onomast.taggers.neural.stages import DevEvaluator, StageRunner
from onomast.taggers.training_corpus import augmented, with_sources
from onomast.taggers.word_list_baseline import divergence_note, entity_f1, minimum_f1
from onomast.tags import TagScheme
from onomast.training.loop import threads

_TAG_TOKENS = 4096  # tokens in a batch when tagging, padding included
_POOL = 2048  # sentences sorted by length together when tagging
_SEEDS_APART = 1000  # between the networks of an ensemble, so that ensembles of neighbouring seeds share none
_FILES = ("recipe.toml", "vocabulary.json", "weights.safetensors")


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
        """Build the network that the corpus needs and train it, stage by stage; see the contract.

        Sentences without tags but with a sentence label serve `pretrain_epochs` only. Sources teach along as the
        recipe says.
        """
        began = time.perf_counter()
        settings = self.recipe.neural.training
        corpus = converted_corpus(with_sources(corpus, self.recipe), self.recipe.script)
        annotated = tuple(sentence for sentence in corpus.train if sentence.tags is not None and len(sentence))
        class_only = tuple(
            sentence for sentence in corpus.train if sentence.tags is None and sentence.label is not None
        )
        if not annotated and not corpus.sources:
            raise DataError("no training sentence carries tags; expected at least one", path=corpus.name)
        corpus = _with_dev(replace(corpus, train=annotated), settings, self.recipe.seed)
        corpus = augmented(corpus, self.recipe, class_only)
        dev = () if settings.dev == "none" else corpus.dev
        notes: list[str] = []
        with torch.random.fork_rng(devices=[]):
            self._targets = targets_of(self.recipe, corpus, class_only)
            evaluator = DevEvaluator(partial(self._score, dev), partial(minimum_f1, corpus.train, dev))
            members: list[Network] = []
            rows: list[dict[str, Any]] = []
            for recipe, name in self._members():
                torch.manual_seed(recipe.seed)
                self._network = self._build(corpus, class_only, [] if members else notes)
                where = checkpoints / name if checkpoints else None
                fresh = partial(self._fresh, self._network)
                found = StageRunner(recipe, corpus, class_only, self._network, fresh, evaluator, where).run()
                rows += [{"member": name, **row} for row in found] if name else found
                members.append(self._network)
        self._network = merged(members, self.recipe.neural).to(self.device) if len(members) > 1 else members[0]
        self._network.eval()
        notes += (row["diverged"] for row in rows if "diverged" in row)
        notes += divergence_note(self.tag, corpus)
        return History(time.perf_counter() - began, tuple(rows), tuple(notes))

    def tag(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        """Predict tags, and POS and sentence labels where there are such heads; see the contract."""
        network, targets = self._trained()
        if network.training:
            network.eval()
        originals, sentences = sentences, converted(sentences, self.recipe.script)
        tagged: list[Sentence] = list(sentences)
        with threads(self.recipe.neural.training.threads), torch.inference_mode():
            for batch in self._readable(sentences):
                inputs = network.encoder.prepare([sentences[index] for index in batch])
                hidden, mask = network.encoder(inputs)
                made = [sentences[index] for index in batch]
                for name in network.heads:
                    ids, confidence = network.head(name, inputs.language).decode(hidden, mask)
                    made = [
                        _decoded(sentence, name, targets, one, sure)
                        for sentence, one, sure in zip(made, ids.tolist(), confidence.tolist(), strict=True)
                    ]
                for index, sentence in zip(batch, made, strict=True):
                    tagged[index] = sentence
        return restored((sentence if len(sentence) else sentence.tagged(()) for sentence in tagged), originals)

    def save(self, folder: Path) -> None:
        """Write recipe.toml, tags.json, vocabulary.json, weights.safetensors, and what else the encoder needs."""
        from safetensors.torch import save_file

        network, targets = self._trained()
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
        with atomic_path(folder / "weights.safetensors") as path:
            save_file({**tensors, **network.encoder.fixed()}, path)
        write_text(folder / "vocabulary.json", json.dumps(network.encoder.known(), ensure_ascii=False))
        write_text(folder / "recipe.toml", to_toml(self.recipe))
        more = network.encoder.save(folder)
        seal(folder, {"style": targets.scheme.style, **names(targets)}, (*_FILES, *more))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; see the contract."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        folder = Path(folder)
        tagger = cls(read_recipe(folder / "recipe.toml"))
        require_script(tagger.recipe.script)
        tags = unseal(folder, _FILES)
        try:
            known = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
            tensors = load_file(folder / "weights.safetensors")
            scheme = TagScheme(tuple(tags["labels"]), tags["style"])
            tagger._targets = Targets(scheme, tuple(tags["pos"]), tuple(tags["sentence_labels"]))
            encoder = saved_encoder(tagger.recipe.neural, known, tensors, folder)
            if tagger.recipe.neural.ensemble_size > 1:
                encoder = Ensemble.like(encoder, tagger.recipe.neural.ensemble_size)
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

    def _members(self) -> Iterator[tuple[Recipe, str]]:
        """The recipe of each network that is trained, with a seed of its own, and its name; the only one has none.

        Raises RecipeError for no network at all.
        """
        count = self.recipe.neural.ensemble_size
        if count < 1:
            raise RecipeError(f"is {count}; expected 1 (one network) or more", key="neural.ensemble_size")
        for number in range(count):
            seed = self.recipe.seed + _SEEDS_APART * number
            yield replace(self.recipe, seed=seed), f"member-{number + 1}" if count > 1 else ""

    def _build(self, corpus: Corpus, class_only: Sequence[Sentence], notes: list[str]) -> Network:
        assert self._targets is not None
        recipe = self.recipe.neural
        learnt = (*corpus.train, *class_only, *(s for source in corpus.sources for s in source.train))
        encoder = new_encoder(recipe, learnt, corpus.dev, notes)
        gold = [gold_of(sentence, self._targets) for sentence in corpus.train]
        weights = tag_weights(recipe.heads.entities, gold, len(self._targets.scheme.tags))
        network = Network(encoder, self._targets, recipe, weights)
        if recipe.pretrained.labels:
            from onomast.taggers.neural.checkpoint_heads import start_heads

            notes.append(start_heads(network, recipe.pretrained))
        return network.to(self.device)

    def _fresh(self, network: Network) -> Network:
        """The same network with other first weights."""
        return Network(network.encoder.fresh(), network.targets, self.recipe.neural).to(self.device)

    def _score(self, dev: Sequence[Sentence]) -> dict[str, float]:
        """F1 and loss on dev sentences."""
        if not dev:
            return {}
        network, targets = self._trained()
        gold = [gold_of(_known_labels(sentence, targets), targets) for sentence in dev]
        with torch.inference_mode():
            losses = [
                float(network.loss([dev[index] for index in batch], [gold[index] for index in batch])) * len(batch)
                for batch in _batches(dev)
            ]
        predicted = self.tag([sentence.bare() for sentence in dev])
        return {"f1": entity_f1(dev, predicted), "dev_loss": sum(losses) / len(dev)}

    def _readable(self, sentences: Sequence[Sentence]) -> Iterator[list[int]]:
        """Indices of sentences that are tagged together."""
        for batch in _batches(sentences):
            for places in self._trained()[0].encoder.groups([sentences[index] for index in batch]):
                yield [batch[place] for place in places]


def _with_dev(corpus: Corpus, settings: Training, seed: int) -> Corpus:
    """The corpus with the dev sentences that the recipe asks for."""
    if settings.dev == "none":
        return replace(corpus, dev=())
    if settings.dev == "split" or not corpus.dev:
        if not corpus.train:
            return replace(corpus, dev=())
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
