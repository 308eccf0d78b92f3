"""Public data sets as coded conversations."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from mi_coder.conversation import Conversation
from mi_coder.corpora import annomi, esconv, feedback_esconv, mibot, physical_activity, welivita
from mi_coder.corpora.source import CorpusInfo, locate
from mi_coder.errors import UnknownName, did_you_mean

__all__ = ["CorpusInfo", "info", "load", "names"]


class _Corpus(msgspec.Struct, frozen=True):
    info: CorpusInfo
    read: Callable[[Path], Iterator[Conversation]]


_CORPORA = {
    module.info.name: module
    for module in (
        _Corpus(annomi.INFO, annomi.read),
        _Corpus(esconv.INFO, esconv.read),
        _Corpus(feedback_esconv.INFO, feedback_esconv.read),
        _Corpus(mibot.INFO, mibot.read),
        _Corpus(physical_activity.INFO, physical_activity.read),
        _Corpus(welivita.INFO, welivita.read),
    )
}


def names() -> tuple[str, ...]:
    """The corpora that can be loaded."""
    return tuple(_CORPORA)


def info(name: str) -> CorpusInfo:
    """The description of a corpus.

    Raises:
        UnknownName: there is no such corpus.
    """
    return _corpus(name).info


def load(name: str, root: str | Path) -> Iterator[Conversation]:
    """The conversations of a corpus, in the order of its files, with gold codes where it has labels.

    Args:
        root: the data root that holds the corpus's folder, or that folder itself.

    Raises:
        UnknownName: there is no such corpus, or its files hold a label that the crosswalk does not know.
        UsageProblem: a file is missing or damaged.
    """
    corpus = _corpus(name)
    return corpus.read(locate(corpus.info, Path(root)))


def _corpus(name: str) -> _Corpus:
    if name not in _CORPORA:
        raise UnknownName(f"There is no corpus {name!r}. Corpora: {', '.join(_CORPORA)}.{did_you_mean(name, _CORPORA)}")
    return _CORPORA[name]
