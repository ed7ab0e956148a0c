"""sklearn-crfsuite, run in its own environment: train on one file, tag another, write tags, CPU seconds and versions.

    python run_sklearn_crfsuite.py tutorial|window TRAIN TEST OUT

`tutorial`: the features and settings of its CoNLL-2002 tutorial. `window`: those of Onomast's recipe `crf-myner`,
written in the manner of the tutorial.
"""

import importlib.metadata
import json
import sys
import time
from pathlib import Path

import sklearn_crfsuite


def tutorial(tokens, pos, i):
    word = tokens[i]
    features = {
        "bias": 1.0,
        "word.lower()": word.lower(),
        "word[-3:]": word[-3:],
        "word[-2:]": word[-2:],
        "word.isupper()": word.isupper(),
        "word.istitle()": word.istitle(),
        "word.isdigit()": word.isdigit(),
    }
    if pos:
        features.update({"postag": pos[i], "postag[:2]": pos[i][:2]})
    for offset in (-1, 1):
        j = i + offset
        if not 0 <= j < len(tokens):
            features["BOS" if offset < 0 else "EOS"] = True
            continue
        features.update(
            {
                f"{offset:+}:word.lower()": tokens[j].lower(),
                f"{offset:+}:word.istitle()": tokens[j].istitle(),
                f"{offset:+}:word.isupper()": tokens[j].isupper(),
            }
        )
        if pos:
            features.update({f"{offset:+}:postag": pos[j], f"{offset:+}:postag[:2]": pos[j][:2]})
    return features


def window(tokens, _pos, i):
    word = tokens[i]
    features = {"word": word}
    for size in range(1, min(3, len(word)) + 1):
        features[f"word[:{size}]"] = word[:size]
        features[f"word[-{size}:]"] = word[-size:]
    if any(character.isdigit() for character in word):
        features["digit"] = True
        if word.isdigit():
            features["digits"] = True
    if "-" in word:
        features["hyphen"] = True
    for offset in (-2, -1, 1, 2):
        j = i + offset
        if 0 <= j < len(tokens):
            features[f"{offset:+}:word"] = tokens[j]
        else:
            features[f"{offset:+}:edge"] = True
    return features


def read(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def main(name, train_path, test_path, out_path):
    features_of = {"tutorial": tutorial, "window": window}[name]
    train, test = read(train_path), read(test_path)

    def sentence_features(row):
        return [features_of(row["tokens"], row.get("pos"), i) for i in range(len(row["tokens"]))]

    began = time.process_time()
    tagger = sklearn_crfsuite.CRF(algorithm="lbfgs", c1=0.1, c2=0.1, max_iterations=100, all_possible_transitions=True)
    tagger.fit([sentence_features(row) for row in train], [row["tags"] for row in train])
    trained = time.process_time()
    test_features = [sentence_features(row) for row in test]
    ready = time.process_time()
    tags = tagger.predict(test_features)
    tagged = time.process_time()
    versions = {package: importlib.metadata.version(package) for package in ("sklearn-crfsuite", "python-crfsuite")}
    result = {
        "tags": [list(row) for row in tags],
        "seconds": {"train": trained - began, "tag": tagged - trained, "predict": tagged - ready},
        "versions": versions,
    }
    Path(out_path).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
