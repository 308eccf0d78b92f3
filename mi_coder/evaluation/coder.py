"""Who gave the codes that are evaluated: a model that tags now, or whatever made a tagged file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mi_coder.batch.codebook import check_codebook
from mi_coder.batch.meta import Meta, read_meta
from mi_coder.batch.paths import RunPaths
from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation
from mi_coder.errors import UsageProblem
from mi_coder.formats import AS_CODED, ReadOptions, read_conversations
from mi_coder.tagger.config import CONFIG_FILE, MODEL_FILE, ModelConfig
from mi_coder.tagger.model import BUNDLED, ModelFolder, file_sha256, open_model, unchecked_model
from mi_coder.tagger.tagger import Tagger


@dataclass(frozen=True, slots=True)
class Coder:
    """A source of codes.

    Attributes:
        name: name and version of the model, or name of the tagged file.
        sha256: of the model's weights, or of the tagged file.
        untrained: codes that it cannot give.
        model: where that is known.
        tagged: the tagged file; None where the model tags now.
        usual: whether it read whole messages with the previous ones that the model is made for, as its cuts for
            prediction sets were measured.
    """

    name: str
    sha256: str
    untrained: tuple[str, ...] = ()
    model: ModelFolder | None = None
    tagged: Path | None = None
    usual: bool = True

    @property
    def folder(self) -> Path | None:
        """The folder of its model, where that is known."""
        return self.model.path if self.model else None

    @property
    def config(self) -> ModelConfig | None:
        """The configuration of its model, where that is known."""
        return self.model.config if self.model else None

    def set_cut(self, coverage: str) -> float | None:
        """The cut of its model for sets of this nominal coverage; None where it has none or they do not apply."""
        return self.config.set_cuts.get(coverage) if self.config and self.usual else None

    def codings(
        self, conversations: Iterable[Conversation], threads: int = 1, read: ReadOptions = AS_CODED
    ) -> Iterator[Conversation]:
        """Conversations with codings: those of the tagged file, or `conversations` tagged now.

        Args:
            threads: messages that are tagged at the same time.
            read: how the tagged file is read.
        """
        if self.tagged:
            return read_conversations(self.tagged, read)
        return Tagger.load(self.folder, threads=threads).tag_many(conversations)


def model_coder(folder: Path | None) -> Coder:
    """The model in a folder, or the bundled one.

    Raises:
        BadModel: the folder is incomplete, altered or made for another codebook.
    """
    model = open_model(folder)
    config = model.config
    return Coder(f"{config.name} {config.version}", model.digests[MODEL_FILE], config.untrained, model)


def file_coder(tagged: Path, folder: Path | None) -> Coder:
    """A tagged file. Its model is that in `folder`, or the bundled one where the file's sidecar says so, else unknown.

    Raises:
        UsageProblem: the sidecar names another codebook, or another model than that in `folder`.
        BadModel: `folder` is not a sound model folder.
    """
    meta = read_meta(RunPaths(str(tagged), tagged).meta)
    check_codebook([tagged])
    model = open_model(folder) if folder else bundled_model_of(meta)
    if model and meta and meta.fingerprint.model != model.digests:
        raise UsageProblem(
            f"{tagged} was made by another model than that in {folder}. Name the folder of {meta.model}."
        )
    if model:
        untrained = model.config.untrained
    else:
        untrained = tuple(code for code in Codebook.load().ids if meta and code not in meta.trained_codes)
    name = f"{tagged.name} ({meta.model})" if meta else tagged.name
    return Coder(name, file_sha256(tagged), untrained, model, tagged, usual=_usual(meta, model))


def _usual(meta: Meta | None, model: ModelFolder | None) -> bool:
    if not (meta and model):
        return True
    chosen = meta.fingerprint.options
    return chosen.get("unit") == "message" and chosen.get("context") == model.config.window.context


def bundled_model_of(meta: Meta | None) -> ModelFolder | None:
    """The bundled model, where the sidecar of a tagged file says that it made the file."""
    if meta and (BUNDLED / CONFIG_FILE).is_file():
        bundled = unchecked_model(BUNDLED)
        if bundled.digests == meta.fingerprint.model:
            return bundled
    return None
