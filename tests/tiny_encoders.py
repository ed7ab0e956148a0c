"""Hugging Face encoders of every family, tiny and random, made on the spot with a vocabulary of their own."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from onomast.pretrained.train import EncoderSettings

LETTERS = string.ascii_letters + string.digits + string.punctuation + "éèरपु"
WORDS = ["Asha", "Juma", "Nairobi", "visited", "the", "said", "in", "lake"]
FAMILIES = ("bert", "roberta", "xlm-roberta", "deberta", "deberta-v2", "electra", "slow")
SIZES: Mapping[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
TINY = EncoderSettings(
    layers=1, width=32, heads=2, vocabulary=300, steps=20, batch=256, block=32, rate=5e-3, smoothing=0.5
)


def tiny_encoder(family: str, folder: Path, **changes: Any) -> Path:
    """A folder with config.json, model.safetensors and tokenizer files."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(family, folder)
    name = "bert" if family == "slow" else family
    more: dict[str, Any] = {"pad_token_id": tokenizer.pad_token_id}
    if name == "electra":
        more["embedding_size"] = 16
    if name.startswith("deberta"):
        more |= {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0}
        more |= {"position_biased_input": False, "max_relative_positions": -1}
    if name == "deberta-v2":
        more |= {"position_buckets": 16, "share_att_key": True, "norm_rel_ebd": "layer_norm"}
    config = transformers.AutoConfig.for_model(name, vocab_size=len(tokenizer), **{**SIZES, **more, **changes})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = transformers.AutoModel.from_config(config)
        for parameter in model.parameters():  # livelier than the usual first weights, so that differences show
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(family: str, folder: Path) -> Any:
    import transformers

    if family in ("bert", "electra", "slow"):
        pieces = [
            "[PAD]",
            "[UNK]",
            "[CLS]",
            "[SEP]",
            "[MASK]",
            *WORDS,
            *LETTERS,
            *(f"##{letter}" for letter in LETTERS),
        ]
        if family != "slow":
            return transformers.BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, do_lower_case=False)
        path = folder / "vocab.txt"
        path.write_text("\n".join(pieces), encoding="utf-8")
        return transformers.BertJapaneseTokenizer(
            str(path), word_tokenizer_type="basic", subword_tokenizer_type="wordpiece", do_lower_case=False
        )
    if family in ("roberta", "deberta"):
        vocabulary, merges = _bytes(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
        if family == "roberta":
            return transformers.RobertaTokenizer(vocab=vocabulary, merges=merges)
        vocabulary, merges = _bytes(["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"])
        return transformers.DebertaTokenizer(vocab=vocabulary, merges=merges)
    pieces = ["▁", *(f"▁{word}" for word in WORDS), *LETTERS]
    scored = [(piece, -1.0 if len(piece) > 1 else -5.0) for piece in pieces]
    if family == "xlm-roberta":
        special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
        return transformers.XLMRobertaTokenizer(vocab=[*special, *scored, ("<mask>", 0.0)])
    special = [("[PAD]", 0.0), ("[CLS]", 0.0), ("[SEP]", 0.0), ("[UNK]", 0.0)]
    return transformers.DebertaV2Tokenizer(vocab=[*special, *scored, ("[MASK]", 0.0)])


def _bytes(special: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Byte-level pairs learnt from a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    made = json.loads(backend.to_str())["model"]
    return made["vocab"], [tuple(pair) for pair in made["merges"]]
