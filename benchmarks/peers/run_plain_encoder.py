"""A plain Hugging Face loop: fine-tune an encoder on one file, tag another, write tags, seconds and versions.

    python run_plain_encoder.py [--seed N] [--epochs N] MODEL TRAIN TEST OUT

What most scripts do: AutoModelForTokenClassification, the first sub-word of a word carries its tag, AdamW at 1e-4 that
falls in a line to 0, batches of 16 in random order, each padded to its longest sentence, gradients clipped at 1, the
last weights. Runs on one thread in the environment of Onomast: the same torch, transformers and weights.
"""

import argparse
import importlib.metadata
import json
import random
import time
from pathlib import Path

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, get_linear_schedule_with_warmup

BATCH = 16
RATE = 1e-4
IGNORED = -100


def read(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def encoded(tokenizer, rows):
    return tokenizer(
        [row["tokens"] for row in rows], is_split_into_words=True, truncation=True, padding=True, return_tensors="pt"
    )


def first_pieces(batch, row):
    """(place, word) of the first sub-word of each word."""
    found, last = [], None
    for place, word in enumerate(batch.word_ids(row)):
        if word is not None and word != last:
            found.append((place, word))
        last = word
    return found


def train(model, tokenizer, rows, tags, arguments):
    numbers = {tag: number for number, tag in enumerate(tags)}
    order = random.Random(arguments.seed)
    steps = arguments.epochs * -(-len(rows) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, steps)
    model.train()
    for _ in range(arguments.epochs):
        order.shuffle(rows)
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            batch = encoded(tokenizer, part)
            labels = torch.full(batch["input_ids"].shape, IGNORED)
            for index, row in enumerate(part):
                for place, word in first_pieces(batch, index):
                    labels[index, place] = numbers[row["tags"][word]]
            model(**batch, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()


def tag(model, tokenizer, rows, tags):
    made = []
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            batch = encoded(tokenizer, part)
            best = model(**batch).logits.argmax(-1).tolist()
            for index, row in enumerate(part):
                made.append(["O"] * len(row["tokens"]))  # words beyond what the encoder takes stay "O"
                for place, word in first_pieces(batch, index):
                    made[-1][word] = tags[best[index][place]]
    return made


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=8)
    for name in ("model", "train", "test", "out"):
        parser.add_argument(name)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    rows, test = read(arguments.train), read(arguments.test)
    tags = sorted({tag for row in rows for tag in row["tags"]})
    tokenizer = AutoTokenizer.from_pretrained(arguments.model, local_files_only=True)
    model = AutoModelForTokenClassification.from_pretrained(
        arguments.model, num_labels=len(tags), local_files_only=True
    )
    seconds, processor = {}, {}
    began = time.perf_counter(), time.process_time()
    train(model, tokenizer, rows, tags, arguments)
    seconds["train"], processor["train"] = time.perf_counter() - began[0], time.process_time() - began[1]
    began = time.perf_counter(), time.process_time()
    predicted = tag(model, tokenizer, test, tags)
    seconds["tag"], processor["tag"] = time.perf_counter() - began[0], time.process_time() - began[1]
    result = {
        "tags": predicted,
        "seconds": seconds,
        "processor": processor,
        "versions": {name: importlib.metadata.version(name) for name in ("transformers", "torch")},
        "epochs": arguments.epochs,
    }
    Path(arguments.out).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
