"""Where a training runs, and in which numbers."""

from typing import Any, Literal

import torch

from mi_coder.errors import UsageProblem

Device = Literal["auto", "cpu", "cuda"]


def best_device() -> torch.device:
    """A GPU where torch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def find_device(name: Device) -> torch.device:
    """The device of a name; "auto" is the best one.

    Raises:
        UsageProblem: a GPU is asked for, and torch sees none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageProblem("--device cuda: torch sees no GPU here. Leave --device out, or install torch for your GPU.")
    return best_device() if name == "auto" else torch.device(name)


def bf16_is_native(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself, so that it gains time by it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
