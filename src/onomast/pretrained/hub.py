"""Hugging Face encoders as files: found, read from safetensors only, never run code of, saved beside a tagger."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from onomast.errors import MissingExtra, ModelError
from onomast.files import atomic_path

FOLDER = "encoder"  # of a tagger's folder; holds everything but the weights
_WANTED = (
    "config.json", "model*.safetensors", "model.safetensors.index.json", "tokenizer*", "vocab*", "merges.txt",
    "*.model", "special_tokens_map.json", "added_tokens.json", "bpe.codes",
)  # fmt: skip
T = TypeVar("T")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


def read_encoder(name: str) -> tuple[nn.Module, Any]:
    """The encoder and tokenizer of a folder or hub name. Raises ModelError, MissingExtra."""
    folder = _found(name)
    transformers = _library()
    _require_weights(folder, name)
    with _quiet(), _told(name):
        tokenizer = _tokenizer(folder)
        model, report = _with_own_attention(
            lambda attention: transformers.AutoModel.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
                config=_config(folder),
                attn_implementation=attention,
            )
        )
    lacking = [key for key in report["missing_keys"] if "pooler" not in key]
    if lacking:
        raise ModelError(
            f"its weights lack {len(lacking)} tensors that its config.json tells of, such as {sorted(lacking)[0]}; "
            "take the folder of an encoder",
            folder=name,
        )
    return _stripped(model), tokenizer


def encoder_folder(name: str, key: str = "neural.context.model") -> Path:
    """The folder of an encoder: `name` itself, or what the hub's cache or the hub has under it. Raises ModelError.

    `key`: the recipe's field that can name a folder instead.
    """
    folder = _found(name, key)
    _require_weights(folder, name)
    return folder


def encoder_hash(folder: Path) -> str:
    """SHA-256 of everything in a folder that says what its encoder makes of a text: configuration, weights, tokenizer.

    Names of files count, their dates and the folder's place do not.
    """
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _WANTED for path in folder.glob(pattern) if path.is_file()}):
        with path.open("rb") as file:
            digest.update(f"{path.name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def copy_encoder(folder: Path, target: Path) -> list[str]:
    """Copy those files into a folder of a tagger, below `encoder/`; returns their names there."""
    kept = sorted({path for pattern in _WANTED for path in folder.glob(pattern) if path.is_file()})
    for path in kept:
        with atomic_path(target / FOLDER / path.name) as temporary:
            shutil.copyfile(path, temporary)
    return [f"{FOLDER}/{path.name}" for path in kept]


def copy_encoder_files(folder: Path, out: Path) -> None:
    """Copy configuration and tokenizer of an encoder, but not its weights, into a folder, whose weights are removed."""
    for path in out.glob("model*.safetensors*"):
        path.unlink()
    for path in sorted({path for pattern in _WANTED for path in folder.glob(pattern) if path.is_file()}):
        if not path.name.startswith("model"):
            with atomic_path(out / path.name) as temporary:
                shutil.copyfile(path, temporary)


def restored_encoder(folder: Path) -> tuple[nn.Module, Any]:
    """The encoder of a tagger's folder, without its weights, and its tokenizer."""
    transformers = _library()
    with _quiet(), _told(str(folder)):
        config = _config(folder / FOLDER)
        model = _with_own_attention(
            lambda attention: transformers.AutoModel.from_config(
                config, trust_remote_code=False, dtype=torch.float32, attn_implementation=attention
            )
        )
        return _stripped(model), _tokenizer(folder / FOLDER)


def _config(folder: Path) -> Any:
    """The configuration of an encoder, without the attention it asks for."""
    transformers = _library()
    values, _ = transformers.PretrainedConfig.get_config_dict(folder, local_files_only=True)
    plain = {"attn_implementation": "eager", "_attn_implementation": "eager"}
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **plain)
    return type(config).from_dict(
        {key: value for key, value in values.items() if not key.endswith("attn_implementation")}
    )


def _with_own_attention(build: Callable[[str], T]) -> T:
    """Build a model with PyTorch's attention, or the plain one where its family has no other.

    Whatever its config.json asks for is not obeyed: that can name a package of kernels, which is code.
    """
    try:
        return build("sdpa")
    except ValueError:
        return build("eager")


def read_tensors(name: str, wanted: Collection[str]) -> dict[str, torch.Tensor]:
    """Those of the wanted tensors that a folder or hub name has. Raises ModelError."""
    from safetensors import safe_open

    found: dict[str, torch.Tensor] = {}
    with _told(name):
        for path in sorted(_found(name).glob("model*.safetensors")):
            with safe_open(path, framework="pt") as file:
                found |= {key: file.get_tensor(key) for key in file.keys() if key in wanted}  # noqa: SIM118 - not a dict
    return found


def read_labels(name: str) -> list[str]:
    """The labels that the classifier of a folder or hub name tells apart, in the order of its rows."""
    with _told(name):
        config = _library().AutoConfig.from_pretrained(_found(name), local_files_only=True, trust_remote_code=False)
        return [str(config.id2label[place]) for place in range(len(config.id2label))]


def read_sizes(folder: Path) -> tuple[int, int]:
    """Number of layers of an encoder, and the width of each, as its config.json says. Raises ModelError."""
    with _told(str(folder)):
        config = _library().AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return int(config.num_hidden_layers), int(config.hidden_size)


def save_encoder(model: Any, tokenizer: Any, folder: Path) -> list[str]:
    """Write configuration and tokenizer below a tagger's folder; returns the names of the files."""
    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".encoder-") as temporary, _quiet():
        model.config.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        names = sorted(path.name for path in Path(temporary).iterdir() if path.is_file())
        for name in names:
            (Path(temporary) / name).replace(target / name)
    for path in target.iterdir():
        if path.is_file() and path.name not in names:
            path.unlink()
    return [f"{FOLDER}/{name}" for name in names]


def convert_weights(folder: Path) -> Path:
    """Write the tensors of a folder's `pytorch_model.bin` (or its parts) as `model.safetensors`; nothing else is read.

    Raises ModelError for a file that holds more than tensors.
    """
    from safetensors.torch import save_file

    index = folder / _PICKLES[1]
    files = [folder / _PICKLES[0]]
    if not files[0].is_file() and index.is_file():
        try:
            files = [folder / name for name in sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{index.name} cannot be read: {error}", folder=folder) from None
    tensors: dict[str, torch.Tensor] = {}
    for path in files:
        if not path.is_file():
            raise ModelError(f"there is no {path.name} in it to convert", folder=folder)
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
            tensors |= {str(name): value.clone().contiguous() for name, value in found.items()}
        except Exception as error:  # unpickling raises anything
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(
                f"{path.name} holds more than tensors, or is damaged ({reason[:100]}); it is not converted",
                folder=folder,
            ) from None
    with atomic_path(folder / _WEIGHTS[0]) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
    return folder / _WEIGHTS[0]


def _library() -> Any:
    try:
        import transformers
    except ImportError:
        raise MissingExtra("transformers", "transformers") from None
    return transformers


def _found(name: str, key: str = "neural.pretrained.model") -> Path:
    """The folder of this name, or of what the hub's cache or the hub itself has under it."""
    if Path(name).is_dir():
        return Path(name)
    if Path(name).exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ModelError("no such folder; expected one with config.json and model.safetensors", folder=name)
    _library()
    from huggingface_hub import HfApi, snapshot_download

    repository, _, revision = name.partition("@")
    given = f" --revision {revision}" if revision else ""
    for cached in (True, False):
        try:
            with _quiet():
                if not cached:  # without a network this ends at once; the download would try for half a minute
                    HfApi().model_info(repository, revision=revision or None, timeout=20)
                folder = Path(
                    snapshot_download(
                        repository, revision=revision or None, allow_patterns=list(_WANTED), local_files_only=cached
                    )
                )
        except Exception as error:  # whatever the network says
            if cached:
                continue
            raise ModelError(
                f"is not on this machine, and could not be got ({type(error).__name__}); with a network run `hf "
                f"download {repository}{given}`, or name a folder: --set {key}=FOLDER",
                folder=name,
            ) from None
        if not cached or any((folder / weights).is_file() for weights in _WEIGHTS):
            return folder
    raise AssertionError("the last try returns or raises")


def _require_weights(folder: Path, name: str) -> None:
    if not (folder / "config.json").is_file():
        raise ModelError(
            "there is no config.json in it; expected the folder of a Hugging Face encoder (config.json, "
            "model.safetensors, tokenizer files)",
            folder=name,
        )
    if any((folder / weights).is_file() for weights in _WEIGHTS):
        return
    if any((folder / pickle).is_file() for pickle in _PICKLES):
        raise ModelError(
            "its weights are a pickle (.bin), which may run code and is not read; "
            f"`onomast encoder convert {folder}` takes the tensors out of it",
            folder=name,
        )
    raise ModelError(
        "it has no weights as safetensors; take another revision, or download the .bin into a folder and run "
        "`onomast encoder convert FOLDER`",
        folder=name,
    )


def _tokenizer(folder: Path) -> Any:
    transformers = _library()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if getattr(tokenizer, "is_fast", False):
        _lead_with_space(tokenizer.backend_tokenizer)
    return tokenizer


def _lead_with_space(backend: Any) -> None:
    """Let byte-level tokenizers (RoBERTa, DeBERTa) read each word as one that follows a space."""
    part = backend.pre_tokenizer
    if part is not None and type(part).__name__ == "ByteLevel":
        part.add_prefix_space = True
        backend.pre_tokenizer = part


def _stripped(model: Any) -> nn.Module:
    """Without the pooler, which says something of the sentence and nothing of its words."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    encoder: nn.Module = model
    return encoder


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no reports, for the time of the block."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    level, bars, hub_bars = logging.get_verbosity(), logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    hub_level = hub_logging.get_verbosity()
    logging.set_verbosity_error()
    hub_logging.set_verbosity_error()
    logging.disable_progress_bar()
    disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        hub_logging.set_verbosity(hub_level)
        if bars:
            logging.enable_progress_bar()
        if hub_bars:
            enable_progress_bars()


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What the library says of a bad folder, as one line."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # the library raises anything
        said = " ".join(str(error).split()) or type(error).__name__
        if "trust_remote_code" in said:
            said = "it needs code of its own, and code of a model is never run; take another encoder"
        raise ModelError(f"cannot be read as an encoder: {said[:300]}", folder=name) from None
