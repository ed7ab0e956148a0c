"""Recipes: a system is a TOML file. Dataclasses <-> TOML; an unknown key is an error that names the nearest one.

Each field is documented by the string below it; `onomast recipes NAME` shows a built-in file with its comments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from onomast.errors import RecipeError, nearest
from onomast.recipe_rules import require_bounds, require_used
from onomast.tags import Style
from onomast.typed_toml import FORMERLY, from_table, read_toml, set_value, to_table

_FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Features:
    """Feature templates of the linear tagger. A window is a tuple of positions relative to the token."""

    word: tuple[int, ...] = (-2, -1, 0, 1, 2)
    """Positions whose word, as written, is a feature."""
    lower: tuple[int, ...] = ()
    """Positions whose lower-cased word is a feature."""
    prefix: int = 4
    """Prefixes of 1 to this many characters; 0: none."""
    suffix: int = 4
    """Suffixes of 1 to this many characters; 0: none."""
    affix_window: tuple[int, ...] = (0,)
    """Positions whose affixes are features."""
    shape: tuple[int, ...] = (-1, 0, 1)
    """Positions whose shape is a feature (`Nairobi-2` -> `Xx-d`, `USA` -> `XX`)."""
    digits: bool = True
    """Marks for a word of digits only and for a word with a digit in it."""
    hyphen: bool = True
    """A mark for a word with a hyphen."""
    position: bool = True
    """Marks for tokens as near to the start or the end of the sentence as the windows reach, at least the outermost."""
    bigrams: tuple[tuple[int, ...], ...] = ()
    """Pairs (or more) of positions whose lower-cased words together are a feature."""
    shape_bigrams: tuple[tuple[int, ...], ...] = ()
    """Pairs (or more) of positions whose shapes together are a feature."""
    pos: tuple[int, ...] = ()
    """Positions whose part-of-speech tag is a feature; needs a POS column in training and when tagging."""
    lists: tuple[str, ...] = ()
    """Word lists (files, one entry a line, of one or more words): a match marks its tokens with the file's name."""
    clusters: str | None = None
    """A file `word<TAB>cluster`: the cluster and its prefixes of 4, 6 and 10 characters are features."""
    cluster_window: tuple[int, ...] = (-1, 0, 1)
    """Positions whose cluster is a feature."""
    vectors: str | None = None
    """A file of vectors (fastText .bin, .vec, GloVe, word2vec); `--vectors` sets it. Not needed once saved."""
    vector_clusters: tuple[int, ...] | None = None
    """Numbers of k-means clusters, such as [100, 500], into which the vectors are cut: one feature each
    (`cluster100=12`), at the positions of `cluster_window`; an unseen word belongs to the nearest cluster."""
    vector_binary: tuple[int, ...] | None = None
    """Positions whose word's vector gives a mark for every dimension that stands out: above the mean of the positive
    values, or below that of the negative ones (Guo et al. 2014)."""
    vector_dense: tuple[int, ...] | None = None
    """Positions whose word's vector gives its values, as they are, divided by their standard deviation."""


@dataclass(frozen=True)
class Linear:
    """A linear-chain CRF trained by CRFsuite (Okazaki 2007)."""

    algorithm: Literal["lbfgs", "l2sgd", "ap", "pa", "arow"] = "lbfgs"
    """CRFsuite's trainer: quasi-Newton, stochastic gradient descent, averaged perceptron, passive-aggressive, AROW."""
    c1: float = 0.05
    """L1 penalty: more of it, fewer features (lbfgs)."""
    c2: float = 0.1
    """L2 penalty: more of it, smaller weights (lbfgs, l2sgd)."""
    max_iterations: int = 0
    """Passes over the training sentences; 0: CRFsuite's own limit (lbfgs: until the loss stands still)."""
    minimum_count: int = 0
    """Features seen less often in training are left out."""
    all_transitions: bool = False
    """Learn weights for pairs of tags that never follow each other in training, too."""
    all_states: bool = False
    """Learn weights for pairs of feature and tag that never meet in training, too: evidence against a tag."""
    parameters: Mapping[str, float | int | str] = dataclasses.field(default_factory=dict)
    """Any other parameter of the trainer, by CRFsuite's own name, such as `epsilon`, `delta`, `variance`."""
    features: Features = dataclasses.field(default_factory=Features)


@dataclass(frozen=True)
class Words:
    """What a word is to the neural tagger before its characters are looked at."""

    mode: Literal["random", "frozen", "tuned", "projected"] = "random"
    """`random`: learnt from scratch. The others start from a vectors file: `frozen` as they are, `projected` frozen
    with a learnt linear map (x = W e), `tuned` trained along."""
    vectors: str | None = None
    """A file of vectors (fastText .bin, .vec, GloVe, word2vec); `--vectors` sets it. Not needed once saved."""
    width: int = 100
    """Width of random embeddings, and of the projection of `projected`."""
    lower: bool = False
    """Look words up in lower case, in the vocabulary and in the vectors file."""
    min_count: int = 1
    """Rarer training words share the embedding of unknown words (random mode)."""
    dropout: float = 0.0
    """Probability that a training word is replaced by the unknown word (random mode) or by zeros (vectors)."""
    affixes: int = 0
    """Hashed embeddings of prefixes and suffixes of 1 to this many characters; 0: none."""
    affix_width: int = 16
    """Width of each affix embedding; those of one word are concatenated."""
    shape_width: int = 0
    """Width of an embedding of the word's shape (`Nairobi-2` -> `Xx-d`); 0: none."""
    scale: float = 0.1
    """random: standard deviation of the first word embeddings; small ones let other parts speak first."""
    ngram_rows: int = 20_000
    """Sub-word rows of the vectors file that the saved tagger keeps for words it has never met."""


@dataclass(frozen=True)
class Characters:
    """What the letters of a word say, computed once for each distinct word of a batch."""

    kind: Literal["lstm", "cnn"] = "lstm"
    embedding: int = 25
    """Width of a character embedding."""
    width: int = 25
    """LSTM: units of each direction (a word gets twice as many). CNN: number of filters of each size."""
    sizes: tuple[int, ...] = (3,)
    """CNN: how many characters a filter sees."""
    dropout: float = 0.0
    """On the character embeddings."""


@dataclass(frozen=True)
class LSTMSettings:
    """Sentence -> one hidden vector per word."""

    order: tuple[Literal["word", "char", "affix", "shape", "context"], ...] = ("word", "char")
    """What is concatenated, in this order; several `char` are several character layers, each with its own weights.
    `context`, a pre-trained encoder's vectors, stands after all others wherever it is named."""
    width: int = 128
    """LSTM units of each direction; a word's hidden vector has twice as many."""
    layers: int = 1
    dropout: float = 0.5
    """Before and after the LSTM."""
    dropout_kind: Literal["locked", "ordinary"] = "locked"
    """`locked`: one mask for all words of a sentence."""
    attention: Literal["none", "soft", "scaled", "unscaled", "learned"] = "none"
    """After the LSTM. `soft`: one weight per word; the others: multi-head self-attention, differing in the scale."""
    attention_heads: int = 8
    residual: bool = True
    """Add the attention's output to its input."""
    skip: tuple[int, ...] = ()
    """Positions relative to a word whose word vectors are put beside its hidden vector, past the LSTM: with few
    sentences the head then learns at once what a window-based tagger would."""
    initialization: Literal["default", "uniform", "orthogonal"] = "default"
    """Of the weights: PyTorch's; all from U(-0.1, 0.1); orthogonal recurrent weights with forget gates open."""


@dataclass(frozen=True)
class Context:
    """Frozen vectors of a Hugging Face encoder beside words and characters, computed once for each sentence and kept in
    a cache. Used where `neural.encoder.order` names `context`. Needs the extra `transformers`."""

    model: str = ""
    """A folder, or a name on the hub, best with the commit; `--encoder` sets it. A saved tagger needs the same encoder,
    known by the hash of its files."""
    layers: tuple[int, ...] | Literal["mix"] = (6, 12)
    """Numbers of the layers that are read, from 1; 0: the embeddings. `mix`: a learnt mix of all (Peters et al.
    2018)."""
    combine: Literal["concatenate", "mix"] = "concatenate"
    """The chosen layers side by side, or a learnt mix of them."""
    pooling: Literal["first", "mean", "last"] = "mean"
    """Which of a word's sub-words gives its vector, or the mean of all."""
    width: int = 128
    """Width of the learnt linear map of the vectors."""
    dropout: float = 0.0
    """On the encoder's vectors, before that map."""
    window: int = 0
    """Sub-words read at once; 0: as many as the encoder takes."""
    precision: Literal["auto", "single", "bf16"] = "auto"
    """Of the encoder's products: `auto` is bf16 where the processor or the GPU has instructions for it."""
    with_encoder: bool = False
    """Copy the encoder's files into the saved tagger; `--with-encoder` sets it."""


@dataclass(frozen=True)
class Pretrained:
    """A Hugging Face encoder, instead of words, characters and LSTM. Needs the extra `transformers`."""

    model: str = ""
    """A folder, or a name on the hub, best with the commit: `FacebookAI/xlm-roberta-base@e73636d`. Empty: none, the
    LSTM. Not needed once saved. Weights are read from safetensors only, and code of a model is never run."""
    pooling: Literal["first", "mean", "last"] = "first"
    """Which of a word's sub-words gives its vector, or the mean of all."""
    layer: int | Literal["last", "mix"] = "last"
    """Layer that the vectors are of: the last, or the one of this number from 1 (those above are dropped), or a learnt
    mix of all (Peters et al. 2018)."""
    shape_width: int = 0
    """Width of an embedding of the word's shape (`Nairobi` is `Xx`) beside its vector: for an encoder that reads lower
    case only. 0: none."""
    dropout: float = 0.1
    """On the words' vectors, before the heads."""
    window: int = 0
    """Sub-words read at once; longer sentences are read in windows that overlap by half. 0: as many as the encoder
    takes, often 510."""
    frozen: int | Literal["none", "embeddings", "all"] = "none"
    """What does not learn: nothing, the embeddings, these and so many of the lowest layers, the whole encoder."""
    reinitialize: int = 0
    """So many of the top layers start anew (Zhang et al. 2021)."""
    head_rate: float = 1.0
    """Learning rate of the heads (and of the mix), as a multiple of `learning_rate`, which is that of the top layer."""
    depth_decay: float = 1.0
    """Each layer learns at this share of the rate of the layer above it; embeddings stand below all."""
    checkpointing: bool = False
    """Compute each layer twice, in order to keep less in memory."""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """For a model that already tags names: which of its labels is which of ours, such as `PERSON = "PER"`; our head
    starts from its rows. Empty: its head is dropped."""
    text: tuple[str, ...] = ()
    """Raw text for stages of `task = "mlm"`; `--raw` sets it. Not needed once saved."""


@dataclass(frozen=True)
class Triggers:
    """The Trigger Matching Network (Lin et al. 2020): learns from words that explain an entity. Off by default."""

    kind: Literal["none", "annotated", "random"] = "none"
    """`annotated`: the triggers that the training sentences carry (format `triggers`). `random`: each moved to a random
    place of its sentence, a control."""
    epochs: int = 20
    """Of stage 1, which learns the vectors of triggers and sentences; [neural.training] is stage 2, the tagger."""
    learning_rate: float = 0.001
    """Of stage 1, Adam."""
    width: int = 100
    """Width of the vectors of triggers and sentences, and of the attention to them."""
    hops: int = 25
    """Hops of the structured self-attention that pools words into such a vector; their mean is taken."""
    margin: float = 1.0
    """Distance from which on a trigger and a sentence that do not belong together cost nothing."""
    lstm: Literal["shared", "separate"] = "shared"
    """`shared` (the paper): stage 2 goes on with the encoder of stage 1, and finds triggers with it as it then is.
    `separate` (the published code): stage 2 starts a new one, and triggers are found with that of stage 1."""
    examples: Literal["sentence", "trigger"] = "sentence"
    """What stage 2 shows once an epoch. `sentence` (the paper): each sentence, the mean of its triggers as query.
    `trigger` (the published code): each sentence once for each of its triggers, with that as query."""
    nearest: int = 1
    """Tagging: the query is the mean of so many training triggers, those nearest to the sentence."""
    merge: bool = False
    """Triggers of equal words become one, their mean; those for which stage 1 sees several labels are left out (the
    published code)."""


@dataclass(frozen=True)
class EntityHead:
    """Predicts the entity tags."""

    kind: Literal["softmax", "crf", "bernoulli"] = "crf"
    """`softmax`: each tag alone. `crf`: the best legal sequence. `bernoulli`: CRF with an extra loss on wrong tags."""
    weight: float = 1.0
    """Its share in the total loss."""
    beta: float = 1.0
    """bernoulli: weight of the tokens that the current best path gets wrong."""
    wrong: Literal["tokens", "sentence"] = "tokens"
    """bernoulli: what counts again, `tokens`: the wrong tokens' own losses; `sentence`: that of the sentence, once for
    each wrong token."""
    focal: float = 0.0
    """softmax: exponent of the focal loss; 0: cross-entropy."""
    class_weights: Literal["none", "inverse", "sqrt"] = "none"
    """softmax: weigh tags by the inverse of their frequency, or its square root."""


@dataclass(frozen=True)
class Heads:
    """What is predicted, and how much each loss counts; a weight of 0 leaves the head out."""

    entities: EntityHead = dataclasses.field(default_factory=EntityHead)
    pos: float = 0.0
    """Weight of the part-of-speech head; needs POS tags in the training file."""
    sentence: float = 0.0
    """Weight of the sentence head (max-pooling over words); needs sentence labels in the training file."""


@dataclass(frozen=True)
class Training:
    """The one training loop."""

    optimizer: Literal["adam", "adamw", "sgd", "adadelta"] = "adam"
    learning_rate: float = 0.001
    weight_decay: float = 0.0
    momentum: float = 0.0
    """sgd only."""
    batch_size: int = 16
    """Sentences in a batch; batches hold sentences of like length."""
    gradient_accumulation: int = dataclasses.field(default=1, metadata={FORMERLY: "pieces"})
    """Compute each batch in this many parts and sum their gradients: less memory, the same batch."""
    epochs: int = 100
    """At most."""
    steps: int = 0
    """If above 0: at least this many batches, by raising `epochs`. Small files need many epochs."""
    schedule: Literal["plateau", "one-cycle", "linear", "constant"] = "plateau"
    """`plateau`: multiply the rate by `factor` after `patience` epochs without a better dev score, once that is above
    0. `one-cycle` and `linear`: warm up over the first `warmup` share of all steps, then fall (cosine, line) to 0."""
    warmup: float = 0.1
    factor: float = 0.5
    patience: int = 3
    minimum_rate: float = 1e-5
    """plateau: stop below it."""
    stop_after: int = 0
    """Stop after this many epochs without a better dev score; 0: never."""
    select: Literal["f1", "loss", "last"] = "f1"
    """Which weights are kept: those of the best dev F1, of the lowest dev loss, or the last ones."""
    dev: Literal["file", "split", "none"] = "file"
    """Where dev sentences come from. `file`: `--dev`, or a split where there is none. `split`: always a share of the
    training sentences. `none`: train on everything for the full number of epochs and keep the last weights."""
    dev_fraction: float = 0.2
    """Share of the training sentences that `split` sets aside."""
    clip: float = 5.0
    """Largest norm of the gradient; 0: no clipping."""
    averaging: float = 0.0
    """Decay of an exponential moving average of the weights, such as 0.99, which is what is kept; 0: none."""
    seconds: float = 0.0
    """Stop (with the best weights so far) after this many seconds; `one-cycle` and `linear` have fallen by then. 0: no
    limit."""
    checkpoint_minutes: float = 5.0
    """Write a checkpoint at the end of every epoch, and when this much time has passed within one."""
    rescue_after: int = 0
    """From this epoch on, and in the first half of all, check for divergence: dev F1 below that of a
    word list and not rising, or a loss that stands still or is no number. If so, start once more at a lower rate.
    0: never."""
    rescue_factor: float = 0.3
    """What the learning rate is multiplied with then."""
    pretrain_epochs: int = 0
    """Epochs in which the sentence head alone trains the encoder on all sentences with a label, before the rest."""
    threads: int = 1
    """Processor threads; two processes of one thread do more than one of two."""
    precision: Literal["auto", "single", "bf16"] = "auto"
    """Of the products in training: `auto` is bf16 on a GPU that has it and single on a CPU. bf16 is worth trying on a
    CPU that has AVX512-BF16 or AMX, and slow on any other. Weights, their updates and CRFs stay single."""


@dataclass(frozen=True)
class Sources:
    """Labelled sentences of other languages or domains (`--source`): which ones, and how much they count."""

    mu: float = 1.0
    """Weight of the sources' loss beside that of the target (Cotterell and Duh 2017, section 3.1). The linear tagger
    repeats the target's sentences 1 / mu times instead, rounded."""
    schedule: Literal["constant", "falling"] = "constant"
    """neural: `falling` lets mu fall to 0, in a line, over the steps of the training."""
    batch_size: int = 16
    """neural: sentences of one source in each step, beside one batch of the target."""
    smoothing: float = 0.5
    """neural: a source is drawn with a chance that grows with its size to this power; 0: all alike, 1: by size."""
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """How much the sources count by name, on top of `smoothing`; 1 where nothing is said, 0: left out."""
    limit: int = 0
    """Sentences taken of each source at most (a seeded sample); 0: all."""
    missing: Literal["unknown", "outside"] = "unknown"
    """A label of the target that a source never annotates: `unknown`: where the source says `O` there may be one;
    `outside`: `O` is `O` there."""
    choose: int = 0
    """Take only this many sources, the best by `onomast transfer rank`; 0: all."""


@dataclass(frozen=True)
class SelfTraining:
    """Raw text (`--raw`) that the tagger tags and learns from again where it is certain; off by default."""

    rounds: int = 0
    """How often; with dev sentences it stops when their F1 does not rise. 0: no self-training."""
    sentences: int = 2000
    """Raw sentences that are tagged in each round (a seeded sample)."""
    confidence: float = 0.9
    """Probability from which on a tag is certain; entities below it, and tokens, count as not annotated."""


@dataclass(frozen=True)
class Augment:
    """More training sentences made from the target's own; dev and test stay as they are. Off by default."""

    dictionary: int = 0
    """New sentences: training sentences drawn at random, every entity replaced by one of its label. 0: none."""
    label: int = 0
    """neural: sentences without tags, at most, that the dictionary labels: the longest entity first (Kruengkrai et al.
    2020, section 3.4). 0: none."""
    oversample: float = 0.0
    """A label in a smaller share f of the sentences than this has its sentences repeated sqrt(oversample / f) times. 0:
    none."""
    lists: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """By label, a file of further entries for the dictionary, one a line, words separated by spaces."""


Part = Literal["words", "characters", "lstm", "encoder", "heads"]


@dataclass(frozen=True)
class Stage:
    """One stage of a chain; stages run in order, each going on with what the one before has learnt."""

    corpus: tuple[str, ...] = ("target",)
    """What is learnt from: `target`, `sources` (all of them), `nearest` (the best of them by `onomast transfer rank`),
    `joint` (target and sources as [sources] says), or names of sources. mlm: their words, and `raw` is the text of
    `--raw`."""
    epochs: int = 0
    """At most; 0: as in [neural.training]. mlm: passes over the text; 0: one."""
    steps: int = 0
    """Batches at least; 0: as in [neural.training]. mlm: so many, instead of `epochs`."""
    learning_rate: float = 0.0
    """0: as in [neural.training]."""
    frozen: tuple[Part, ...] = ()
    """Parts that do not learn in this stage; `encoder`: all but the heads."""
    reset: tuple[Part, ...] = ()
    """Parts that start anew in this stage; `heads`: a new head."""
    task: Literal["labels", "mlm"] = "labels"
    """What is learnt: `labels`, or `mlm`: a pre-trained encoder goes on telling hidden sub-words of text (Gururangan et
    al. 2020), without any label. Its batches hold `batch_size` pieces of text of 128 sub-words at most."""


@dataclass(frozen=True)
class Neural:
    """An encoder and heads, trained by one loop."""

    sharing: tuple[Literal["words", "characters", "lstm", "transitions"], ...] = (
        "words", "characters", "lstm", "transitions",
    )  # fmt: skip
    """What all languages have in common, where there are several; of the rest each language has its own. `words`: one
    row for one spelling; `transitions`: the entity head."""

    ensemble_size: int = dataclasses.field(default=1, metadata={FORMERLY: "members"})
    """Networks that are trained one after the other, each from its own seed; the tagger decodes the mean of their
    scores. Training takes this many times as long; F1 is higher and varies less."""
    words: Words = dataclasses.field(default_factory=Words)
    characters: Characters = dataclasses.field(default_factory=Characters)
    encoder: LSTMSettings = dataclasses.field(default_factory=LSTMSettings)
    context: Context = dataclasses.field(default_factory=Context)
    pretrained: Pretrained = dataclasses.field(default_factory=Pretrained)
    triggers: Triggers = dataclasses.field(default_factory=Triggers)
    heads: Heads = dataclasses.field(default_factory=Heads)
    training: Training = dataclasses.field(default_factory=Training)


@dataclass(frozen=True)
class Recipe:
    """One system."""

    name: str
    tagger: Literal["linear", "neural"]
    """`linear`: CRFsuite on hand-made features, seconds on a CPU. `neural`: an encoder and heads in PyTorch."""
    description: str = ""
    scheme: Style = "iobes"
    """The tag scheme inside the tagger; files and results do not depend on it."""
    seed: int = 0
    """Of everything random in training."""
    script: str = ""
    """Script into which tokens are converted before the tagger sees them, such as `deva` or `latn` (`onomast convert
    --help` lists them); results carry the original text. Empty: none."""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """New names of the sources' labels, such as `NEP = "PER"`; `""`: not annotated."""
    sources: Sources = dataclasses.field(default_factory=Sources)
    self_training: SelfTraining = dataclasses.field(default_factory=SelfTraining)
    augment: Augment = dataclasses.field(default_factory=Augment)
    stage: tuple[Stage, ...] = ()
    """neural: the chain; empty: one stage, `joint` where there are sources."""
    linear: Linear = dataclasses.field(default_factory=Linear)
    neural: Neural = dataclasses.field(default_factory=Neural)


def recipe_names() -> list[str]:
    """Names of the built-in recipes."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def recipe_path(name: str) -> Path:
    """The file of a built-in recipe, or `name` itself if it is a path. Raises RecipeError naming the nearest."""
    path = _FOLDER / f"{name}.toml"
    if path.is_file() and "/" not in name:
        return path
    if name.endswith(".toml") and Path(name).is_file():
        return Path(name)
    raise RecipeError(
        f"there is no recipe {name!r}, nor a file of that name ending in .toml; {nearest(name, recipe_names())}"
    )


def read_recipe(name: str | Path, changes: Mapping[str, str] | None = None) -> Recipe:
    """A built-in recipe or a TOML file, with dotted `changes` such as `{"linear.features.prefix": "3"}` applied.

    Raises RecipeError for an unknown key, a value of the wrong type or out of bounds, a field that is set and that the
    tagger does not use, or a file that is not TOML.
    """
    path = recipe_path(str(name))
    table = read_toml(path)
    for key, value in (changes or {}).items():
        set_value(Recipe, table, key, value)
    table.setdefault("name", path.stem)
    recipe = from_table(Recipe, table)
    check_recipe(recipe)
    return recipe


def read_saved_recipe(path: Path) -> Recipe:
    """The recipe of a model folder, which may set fields that were ignored when it was saved. Raises RecipeError."""
    recipe = from_table(Recipe, {"name": path.parent.name, **read_toml(path)})
    require_bounds(to_table(recipe))
    return recipe


def check_recipe(recipe: Recipe) -> None:
    """Raise RecipeError for a value out of bounds, and for a field that is set and that the tagger does not use."""
    table = to_table(recipe)
    require_bounds(table)
    require_used(_less(table, to_table(Recipe(recipe.name, recipe.tagger))), table)


def encoder_field(recipe: Recipe) -> str | None:
    """The field that names the pre-trained encoder which a recipe needs, or None where it needs none."""
    if recipe.tagger != "neural":
        return None
    if recipe.neural.pretrained.model:
        return "neural.pretrained.model"
    return "neural.context.model" if "context" in recipe.neural.encoder.order else None


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML text, less the other kind of tagger's table; `read_recipe` of it gives an equal recipe."""
    import tomli_w

    table = to_table(recipe)
    del table["neural" if recipe.tagger == "linear" else "linear"]
    return tomli_w.dumps(table)


def essence(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says beyond the defaults and its description, as plain data: what names its results.

    It stays the same when a later version adds a field or renames one: fields stand under their first names.
    """
    defaults = to_table(Recipe(recipe.name, recipe.tagger), former_names=True)
    changed: dict[str, Any] = _less(to_table(recipe, former_names=True), defaults)
    changed.pop("neural" if recipe.tagger == "linear" else "linear", None)
    changed.pop("description", None)
    return {**changed, "name": recipe.name, "tagger": recipe.tagger}


def _less(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a table that are not as in `defaults`; tables are compared entry by entry."""
    kept: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping) and isinstance(defaults.get(name), Mapping):
            kept[name] = _less(value, defaults[name])
        elif name not in defaults or value != defaults[name]:
            kept[name] = value
    return {name: value for name, value in kept.items() if value != {}}
