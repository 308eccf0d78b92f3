"""Codes counselor chat messages with Motivational Interviewing techniques."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mi_coder.codebook import Codebook
    from mi_coder.conversation import Coding, Conversation, Gold, Message, RoleTable
    from mi_coder.errors import MiCoderError
    from mi_coder.formats import read_conversations, write_conversations
    from mi_coder.tagger.tagger import Tagger

__version__ = "0.1.0"

# ONNX Runtime 1.29 and later report how they are used to Microsoft unless this stands before they are imported; their
# own disable_telemetry_events() comes too late for what is reported first (Privacy.md in its package).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Loaded on first use, so that `import mi_coder` and `mi-code --help` stay quick.
_LATER = {
    "Codebook": "mi_coder.codebook",
    "Coding": "mi_coder.conversation",
    "Conversation": "mi_coder.conversation",
    "Gold": "mi_coder.conversation",
    "Message": "mi_coder.conversation",
    "MiCoderError": "mi_coder.errors",
    "RoleTable": "mi_coder.conversation",
    "Tagger": "mi_coder.tagger.tagger",
    "read_conversations": "mi_coder.formats",
    "write_conversations": "mi_coder.formats",
}

__all__ = [
    "Codebook",
    "Coding",
    "Conversation",
    "Gold",
    "Message",
    "MiCoderError",
    "RoleTable",
    "Tagger",
    "__version__",
    "read_conversations",
    "write_conversations",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'mi_coder' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
