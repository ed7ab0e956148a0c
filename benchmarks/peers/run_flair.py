"""Flair, run in its own environment: train on one file, tag another, write tags, seconds and versions.

    python run_flair.py [--mode learn|speed] [--seed N] [--vectors FILE] TRAIN TEST OUT

`learn`: the recipe of its tutorial on training a sequence tagger, with what can be had without a download: its
character embeddings and, for the words, vectors of a word2vec text file or, without one, embeddings learnt from
scratch; BiLSTM of 256, CRF, SGD at 0.1 that anneals on the dev score, the last fifth of TRAIN as dev sentences.
`speed`: the same network, less Flair's extra layer on the embeddings; some epochs with no dev sentences, timed one by
one.
"""

import argparse
import importlib.metadata
import json
import logging
import tempfile
import time
from pathlib import Path

import flair
import torch
from flair.data import Corpus, Dictionary, Sentence
from flair.datasets import FlairDatapointDataset
from flair.embeddings import CharacterEmbeddings, OneHotEmbeddings, StackedEmbeddings, WordEmbeddings
from flair.models import SequenceTagger
from flair.trainers import ModelTrainer
from flair.trainers.plugins import TrainerPlugin
from flair.trainers.plugins.base import TrainingInterrupt

BATCH = 16
MAX_EPOCHS = 150
MAX_MINUTES = 20.0
PATIENCE = 10  # epochs; with its default of 3, 100 sentences never leave the rate's first falls


class Clock(TrainerPlugin):
    """Wall and processor seconds of each epoch, dev scores not counted; ends training when time is up."""

    def __init__(self, minutes):
        super().__init__()
        self.end = time.perf_counter() + 60 * minutes
        self.wall, self.processor = [], []

    @TrainerPlugin.hook
    def before_training_epoch(self, **_):
        self.began = time.perf_counter(), time.process_time()

    @TrainerPlugin.hook
    def after_training_epoch(self, **_):
        self.wall.append(time.perf_counter() - self.began[0])
        self.processor.append(time.process_time() - self.began[1])

    @TrainerPlugin.hook
    def after_evaluation(self, **_):
        if time.perf_counter() > self.end:
            raise TrainingInterrupt("time is up")


def read(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def spans(tags):
    """(start, end, label) of IOB2 tags."""
    found = []
    for index, tag in enumerate(tags):
        if tag.startswith("B-") or (tag.startswith("I-") and (not found or found[-1][1] != index)):
            found.append([index, index + 1, tag[2:]])
        elif tag.startswith("I-"):
            found[-1][1] = index + 1
    return found


def labelled(row):
    sentence = Sentence(row["tokens"])
    for start, end, label in spans(row["tags"]):
        sentence[start:end].add_label("ner", label)
    return sentence


def tags_of(sentence):
    tags = ["O"] * len(sentence.tokens)
    for label in sentence.get_labels("ner"):
        positions = [token.idx - 1 for token in label.data_point.tokens]
        for number, position in enumerate(positions):
            tags[position] = f"{'I' if number else 'B'}-{label.value}"
    return tags


def dictionary(items):
    made = Dictionary(add_unk=True)
    for item in sorted(set(items)):
        made.add_item(item)
    return made


def build(rows, corpus, arguments):
    """An untrained tagger for these training rows."""
    characters = dictionary(letter for row in rows for token in row["tokens"] for letter in token)
    if arguments.vectors:
        words = WordEmbeddings(arguments.vectors)
    else:
        words = OneHotEmbeddings(dictionary(token for row in rows for token in row["tokens"]), embedding_length=100)
    return SequenceTagger(
        embeddings=StackedEmbeddings([words, CharacterEmbeddings(characters)]),
        tag_dictionary=corpus.make_label_dictionary("ner", add_unk=False),
        tag_type="ner",
        hidden_size=256,
        use_crf=True,
        reproject_embeddings=arguments.mode == "learn",
    )


def train(rows, arguments, folder):
    """The tagger, and seconds by epoch."""
    sentences = [labelled(row) for row in rows]
    held_out = round(len(sentences) / 5) if arguments.mode == "learn" else 0
    cut = len(sentences) - held_out
    dev = FlairDatapointDataset(sentences[cut:]) if held_out else None
    corpus = Corpus(FlairDatapointDataset(sentences[:cut]), dev, sample_missing_splits=False)
    tagger = build(rows[:cut], corpus, arguments)
    clock = Clock(MAX_MINUTES)
    ModelTrainer(tagger, corpus).train(
        folder,
        learning_rate=0.1,
        mini_batch_size=BATCH,
        max_epochs=MAX_EPOCHS if held_out else arguments.epochs,
        patience=PATIENCE,
        train_with_dev=not held_out,
        save_final_model=False,
        create_file_logs=False,
        plugins=[clock],
    )
    best = Path(folder) / "best-model.pt"
    return SequenceTagger.load(best) if best.is_file() else tagger, clock


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=("learn", "speed"), default="learn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vectors")
    parser.add_argument("--epochs", type=int, default=2, help="of mode speed")
    parser.add_argument("--batch", type=int, default=32, help="sentences tagged at once; the default is its own")
    parser.add_argument("files", nargs=3, metavar=("TRAIN", "TEST", "OUT"))
    arguments = parser.parse_args()
    train_path, test_path, out_path = arguments.files
    torch.set_num_threads(1)
    flair.device = torch.device("cpu")
    flair.set_seed(arguments.seed)
    logging.getLogger("flair").setLevel(logging.WARNING)
    rows = read(train_path)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        tagger, clock = train(rows, arguments, folder)
        seconds = {"train": time.perf_counter() - began, "epochs": clock.wall}
    size = arguments.batch
    tagger.predict([Sentence(row["tokens"]) for row in rows[:50]], size)  # whatever is made at first use is made
    test = [Sentence(row["tokens"]) for row in read(test_path)]
    began = time.perf_counter(), time.process_time()
    tagger.predict(test, size)
    seconds["tag"] = time.perf_counter() - began[0]
    processor = {"epochs": clock.processor, "tag": time.process_time() - began[1]}
    result = {
        "tags": [tags_of(sentence) for sentence in test],
        "seconds": seconds,
        "processor": processor,
        "versions": {package: importlib.metadata.version(package) for package in ("flair", "torch")},
    }
    Path(out_path).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
