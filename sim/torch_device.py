"""Where the torch engine runs, and what its products are made in there."""

import torch

from network.errors import BadInput
from sim.engine import Settings

TF32_SINCE = 8  # compute capability: Ampere and later


def device_of(name: str) -> str:
    """The device that `name` stands for: ``"auto"`` is a GPU where there is one.

    Raises
    ------
    BadInput
        For a device that is not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise BadInput(f"device '{name}': expected auto, cpu, cuda, or one GPU such as cuda:1") from None
    if device.type == "cuda":
        found = torch.cuda.device_count()
        if not torch.cuda.is_available() or (device.index or 0) >= found:
            raise BadInput(f"device '{name}': torch {torch.__version__} sees {found} GPU(s); --device cpu always works")
    elif device.type != "cpu":
        raise BadInput(f"device '{name}': expected auto, cpu, cuda, or one GPU such as cuda:1")
    return str(device)


def compute_dtype_of(settings: Settings, device: str) -> torch.dtype:
    """What activity, delta and their products are kept in.

    Raises
    ------
    BadInput
        For tfloat32 where the device does not have it.
    """
    if settings.compute_dtype != "tfloat32":
        return getattr(torch, settings.compute_dtype or settings.dtype)
    instead = "--compute-dtype bfloat16 runs anywhere, or leave it out"
    if not device.startswith("cuda"):
        raise BadInput(f"compute dtype 'tfloat32': the device is '{device}', and only NVIDIA's GPUs have it; {instead}")
    if torch.cuda.get_device_capability(device)[0] < TF32_SINCE:
        name = torch.cuda.get_device_name(device)
        raise BadInput(f"compute dtype 'tfloat32': {name} is too old for it (before Ampere); {instead}")
    return torch.float32


def multiply_in(device: str, compute_dtype: str | None) -> None:
    """Have a GPU multiply numbers of float32 as they are, unless it is to round them to tfloat32.

    Torch keeps that for the whole process, whatever engines there are in it: each says it before its products.
    """
    if device.startswith("cuda"):
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = compute_dtype == "tfloat32"
