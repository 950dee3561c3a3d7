"""Where the torch engine runs."""

import torch

from network.errors import BadInput


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
