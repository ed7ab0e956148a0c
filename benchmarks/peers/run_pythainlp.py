"""PyThaiNLP, run in its own environment: cut texts into words with newmm (maximal matching), write the words.

    python run_pythainlp.py TEXTS WORDS|- OUT

TEXTS: a JSON list of texts. WORDS: a JSON list, the dictionary; `-`: PyThaiNLP's own. OUT: for each text the lengths
of its words, whose sum is that of the text; CPU seconds, of a second pass over the texts.
"""

import json
import sys
import time
from pathlib import Path

from pythainlp.tokenize import word_tokenize
from pythainlp.util import dict_trie


def main():
    texts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    words = None
    if sys.argv[2] != "-":
        words = dict_trie(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))

    def cut():
        return [word_tokenize(text, custom_dict=words, engine="newmm-safe") for text in texts]

    cut()
    began = time.process_time()
    found = cut()
    seconds = time.process_time() - began
    lengths = [[len(word) for word in words] for words in found]
    assert all("".join(words) == text for words, text in zip(found, texts, strict=True))
    Path(sys.argv[3]).write_text(json.dumps({"lengths": lengths, "seconds": seconds}), encoding="utf-8")


main()
