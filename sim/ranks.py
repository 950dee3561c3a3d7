"""Which of the processes this is, where torchrun has started several for one run."""

import os


def count() -> int:
    """How many processes share the run; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def own() -> int:
    """The number of this one, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this is the one that writes files and prints."""
    return own() == 0


def restarted() -> bool:
    """Whether torchrun has started these processes again, after one of them was lost."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
