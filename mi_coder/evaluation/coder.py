"""Who gave the codes that are evaluated: a model that tags now, or whatever made a tagged file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mi_coder.batch.meta import Meta, read_meta
from mi_coder.batch.paths import RunPaths
from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation
from mi_coder.errors import UsageProblem
from mi_coder.formats import ReadOptions, read_conversations
from mi_coder.tagger.config import CONFIG_FILE, MODEL_FILE, ModelConfig, read_config
from mi_coder.tagger.model import BUNDLED, file_sha256, open_model
from mi_coder.tagger.tagger import Tagger

AS_CODED = ReadOptions(overwrite=True)


@dataclass(frozen=True, slots=True)
class Coder:
    """A source of codes.

    Attributes:
        name: name and version of the model, or name of the tagged file.
        sha256: of the model's weights, or of the tagged file.
        untrained: codes that it cannot give.
        folder, config: of its model, where that is known.
        tagged: the tagged file; None where the model tags now.
    """

    name: str
    sha256: str
    untrained: tuple[str, ...] = ()
    folder: Path | None = None
    config: ModelConfig | None = None
    tagged: Path | None = None

    def codings(self, conversations: Iterable[Conversation]) -> Iterator[Conversation]:
        """Conversations with codings: those of the tagged file, or `conversations` tagged now."""
        if self.tagged:
            return read_conversations(self.tagged, AS_CODED)
        return Tagger.load(self.folder).tag_many(conversations)


def model_coder(folder: Path | None) -> Coder:
    """The model in a folder, or the bundled one.

    Raises:
        BadModel: the folder is incomplete, altered or made for another codebook.
    """
    found, config = open_model(folder)
    return Coder(f"{config.name} {config.version}", config.files[MODEL_FILE], config.untrained, found, config)


def file_coder(tagged: Path, folder: Path | None) -> Coder:
    """A tagged file. Its model is that in `folder`, or the bundled one where the file's sidecar says so, else unknown.

    Raises:
        UsageProblem: the sidecar tells of another codebook, or of another model than that in `folder`.
        BadModel: `folder` is not a sound model folder.
    """
    meta = read_meta(RunPaths(str(tagged), tagged).meta)
    if meta:
        _check_codebook(tagged, meta)
    found, config = open_model(folder) if folder else _bundled_model_of(meta)
    if config and meta and meta.fingerprint.model != config.files:
        raise UsageProblem(
            f"{tagged} was made by another model than that in {folder}. Name the folder of {meta.model}."
        )
    if config:
        untrained = config.untrained
    else:
        untrained = tuple(code for code in Codebook.load().ids if meta and code not in meta.trained_codes)
    name = f"{tagged.name} ({meta.model})" if meta else tagged.name
    return Coder(name, file_sha256(tagged), untrained, found, config, tagged)


def _check_codebook(tagged: Path, meta: Meta) -> None:
    book = Codebook.load()
    if meta.codebook != book.hash:
        raise UsageProblem(
            f"{tagged} was tagged with the codebook {meta.codebook}, this version has {book.hash}. "
            "Tag the gold file again: `mi-code tag GOLD.jsonl`."
        )


def _bundled_model_of(meta: Meta | None) -> tuple[Path, ModelConfig] | tuple[None, None]:
    if meta and (BUNDLED / CONFIG_FILE).is_file():
        config = read_config(BUNDLED)
        if config.files == meta.fingerprint.model:
            return BUNDLED, config
    return None, None
