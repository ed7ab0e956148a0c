"""NeuralTagger: the encoder and heads that the recipe describes, trained stage by stage."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from onomast.corpus import Corpus
from onomast.data.transliteration.scripts import converted, converted_corpus, require_script, restored
from onomast.errors import DataError, ModelError, OnomastError, RecipeError
from onomast.files import atomic_path, write_text
from onomast.recipe import Recipe, Training, read_saved_recipe, to_toml
from onomast.sentence import Sentence
from onomast.tagger import History
from onomast.taggers.model_folder import seal, unseal
from onomast.taggers.neural.build import EncoderBuilder, require_fitting_sizes, saved_encoder
from onomast.taggers.neural.encoder import grouped_by_language
from onomast.taggers.neural.ensemble import Ensemble, merged
from onomast.taggers.neural.heads import Targets, description_of, gold_of, saved_targets, targets_of
from onomast.taggers.neural.network import Network
from onomast.taggers.neural.stages import DevEvaluator, StageRunner
from onomast.taggers.self_training import self_train
from onomast.taggers.training_corpus import augmented, with_sources
from onomast.taggers.triggers.instances import with_random_triggers
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

    @property
    def scheme(self) -> TagScheme:
        """Labels and tags. Raises OnomastError before `fit` or `load`."""
        return self.network.scheme

    @property
    def network(self) -> Network:
        """The trained network. Raises OnomastError before `fit` or `load`."""
        if self._network is None:
            raise OnomastError("this tagger is not trained yet; call fit, or load a saved one")
        return self._network

    def fit(self, corpus: Corpus, *, checkpoints: Path | None = None) -> History:
        """Build the network that the corpus needs and train it, stage by stage; see the contract.

        Sentences without tags but with a sentence label serve `pretrain_epochs` only. Sources are learnt from as the
        recipe says.
        """
        if self.recipe.self_training.rounds:
            tagger, history = self_train(self.recipe, corpus, type(self), checkpoints)
            self._network = tagger.network
            return history
        began = time.perf_counter()
        corpus, class_only = _training_sentences(corpus, self.recipe)
        dev = () if self.recipe.neural.training.dev == "none" else corpus.dev
        evaluator = DevEvaluator(partial(self._score, dev), partial(minimum_f1, corpus.train, dev))
        networks: list[Network] = []
        rows: list[dict[str, Any]] = []
        with torch.random.fork_rng(devices=[]):
            targets = targets_of(self.recipe, corpus, class_only)
            sources = (sentence for source in corpus.sources for sentence in source.train)
            builder = EncoderBuilder(self.recipe.neural, (*corpus.train, *class_only, *sources), corpus.dev)
            notes: list[str] = []
            for recipe, name in self._members():
                torch.manual_seed(recipe.seed)
                network = self._build(builder, targets, corpus.train, notes)
                rebuild = partial(self._build, builder, targets)
                where = checkpoints / name if checkpoints else None
                self._network = network  # which `evaluator` scores
                runner = StageRunner(recipe, corpus, class_only, network, rebuild, evaluator, where)
                rows += [{"member": name, **row} if name else row for row in runner.run()]
                networks.append(network)
            self._network = merged(networks, self.recipe.neural) if len(networks) > 1 else networks[0]
        self._network.to(self.device).eval()
        if name := _not_finite(self._network.state_dict()):
            raise OnomastError(
                f"training diverged: {name} holds values that are not finite; try a lower "
                "--set neural.training.learning_rate, another --seed, or --recipe crf"
            )
        notes = [*builder.notes(), *dict.fromkeys(notes), *(row["diverged"] for row in rows if "diverged" in row)]
        notes += divergence_note(self.tag, corpus)
        return History(time.perf_counter() - began, tuple(rows), tuple(notes))

    def tag(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        """Predict tags, and POS and sentence labels where there are such heads; see the contract."""
        network = self.network
        if network.training:
            network.eval()
        originals, sentences = sentences, converted(sentences, self.recipe.script)
        tagged: list[Sentence] = list(sentences)
        with threads(self.recipe.neural.training.threads), torch.inference_mode():
            for batch in _batches_of_one_language(network, sentences):
                inputs = network.encoder.prepare([sentences[index] for index in batch])
                hidden, mask = network.encoder(inputs)
                for name, target in network.targets.items():
                    ids, confidence = network.head(name, inputs.language).decode(hidden, mask)
                    for index, one, sure in zip(batch, ids.tolist(), confidence.tolist(), strict=True):
                        tagged[index] = target.predicted(tagged[index], one, sure)
        return restored((sentence if len(sentence) else sentence.tagged(()) for sentence in tagged), originals)

    def save(self, folder: Path) -> None:
        """Write recipe.toml, tags.json, vocabulary.json, weights.safetensors, and what else the encoder needs."""
        from safetensors.torch import save_file

        network = self.network
        folder.mkdir(parents=True, exist_ok=True)
        state = network.encoder.state()
        tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
        with atomic_path(folder / "weights.safetensors") as path:
            save_file({**tensors, **state.extra_tensors}, path)
        write_text(folder / "vocabulary.json", json.dumps(state.vocabulary, ensure_ascii=False))
        write_text(folder / "recipe.toml", to_toml(self.recipe))
        more = state.write_files(folder)
        seal(folder, description_of(network.targets), (*_FILES, *more))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; see the contract."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        folder = Path(folder)
        tagger = cls(read_saved_recipe(folder / "recipe.toml"))
        require_script(tagger.recipe.script)
        tags = unseal(folder, _FILES)
        try:
            vocabulary = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
            tensors = load_file(folder / "weights.safetensors")
            if name := _not_finite(tensors):
                raise ValueError(f"weights.safetensors: {name} holds values that are not finite")
            require_fitting_sizes(tagger.recipe.neural, tensors)
            targets = saved_targets(tags, tagger.recipe)
            encoder = saved_encoder(tagger.recipe.neural, vocabulary, tensors, folder)
            if tagger.recipe.neural.ensemble_size > 1:
                encoder = Ensemble.like(encoder, tagger.recipe.neural.ensemble_size)
            tagger._network = Network(encoder, targets, tagger.recipe.neural)
            tagger._network.load_state_dict(tensors)
        except (
            SafetensorError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            RuntimeError,
            RecursionError,
        ) as error:
            reason = str(error).strip().splitlines()
            raise ModelError(
                f"its files do not fit together ({(reason or [type(error).__name__])[-1].strip()}); "
                "copy the whole folder again or train anew",
                folder=folder,
            ) from None
        tagger._network.to(tagger.device).eval()
        return tagger

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

    def _build(
        self,
        builder: EncoderBuilder,
        targets: Targets,
        train: Sequence[Sentence] = (),
        notes: list[str] | None = None,
    ) -> Network:
        """A network with first weights; for training, not for a reset, `notes` is given and takes the user's notes."""
        recipe = self.recipe.neural
        network = Network(builder(), targets, recipe, train)
        if notes is not None and recipe.pretrained.labels:
            from onomast.taggers.neural.checkpoint_heads import start_heads

            notes.append(start_heads(network, recipe.pretrained))
        return network.to(self.device)

    def _score(self, dev: Sequence[Sentence]) -> dict[str, float]:
        """F1 and loss on dev sentences."""
        if not dev:
            return {}
        network = self.network
        gold = [gold_of(_with_known_labels(sentence, network.scheme), network.targets) for sentence in dev]
        losses: list[float] = []
        with torch.inference_mode():
            for batch in _batches(dev):
                labelled = [dev[index] for index in batch], [gold[index] for index in batch]
                losses.append(float(network.losses([labelled])[0]) * len(batch))
        predicted = self.tag([sentence.bare() for sentence in dev])
        return {"f1": entity_f1(dev, predicted), "dev_loss": sum(losses) / len(dev)}


def _not_finite(tensors: Mapping[str, Tensor]) -> str:
    """The name of the first tensor with a value that is not finite; empty if there is none."""
    floating = ((name, value) for name, value in tensors.items() if value.is_floating_point())
    return next((name for name, value in floating if not bool(torch.isfinite(value).all())), "")


def _batches_of_one_language(network: Network, sentences: Sequence[Sentence]) -> Iterator[list[int]]:
    """Indices of sentences that are tagged together."""
    for batch in _batches(sentences):
        for places in grouped_by_language(network.encoder, [sentences[index] for index in batch]):
            yield [batch[place] for place in places]


def _training_sentences(corpus: Corpus, recipe: Recipe) -> tuple[Corpus, tuple[Sentence, ...]]:
    """The corpus as it is learnt from, its train sentences all with tags; and the sentences that have only a label.

    Raises DataError where no sentence carries tags.
    """
    corpus = converted_corpus(with_sources(corpus, recipe), recipe.script)
    annotated = tuple(sentence for sentence in corpus.train if sentence.tags is not None and len(sentence))
    class_only = tuple(sentence for sentence in corpus.train if sentence.tags is None and sentence.label is not None)
    if not annotated and not corpus.sources:
        raise DataError("no training sentence carries tags; expected at least one", path=corpus.name)
    corpus = replace(corpus, train=annotated)
    if recipe.neural.triggers.kind == "random":
        corpus = with_random_triggers(corpus, recipe.seed)
    corpus = _with_dev(corpus, recipe.neural.training, recipe.seed)
    return augmented(corpus, recipe, class_only), class_only


def _with_dev(corpus: Corpus, settings: Training, seed: int) -> Corpus:
    """The corpus with the dev sentences that the recipe asks for."""
    if settings.dev == "none":
        return replace(corpus, dev=())
    if settings.dev == "split" or not corpus.dev:
        if not corpus.train:
            return replace(corpus, dev=())
        return replace(corpus, dev=()).split(settings.dev_fraction, seed)
    return corpus


def _with_known_labels(sentence: Sentence, scheme: TagScheme) -> Sentence:
    """The sentence with tokens of labels that training never met as not annotated: the loss cannot tell them."""
    known = set(scheme.labels)
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
