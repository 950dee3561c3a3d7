"""What a run was made with, so that its numbers can be explained later."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from sim.data import Dataset

PACKAGES = ("hebb", "numpy", "torch", "numba", "brian2", "scikit-learn", "safetensors")


def versions() -> dict[str, str]:
    """Versions of the packages that can change a result, those installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def describe_environment(device: str, data: Dataset) -> str:
    """The text of ``environment.txt``."""
    lines = [
        f"python {platform.python_version()}",
        *(f"{name} {version}" for name, version in versions().items()),
        f"system {platform.platform()}",
        f"processors {os.cpu_count()}",
        f"device {device}",
        f"data {data.name} from {data.source}: {len(data.train):,} training, {len(data.validation):,} validation, "
        f"{len(data.test):,} test images of {'x'.join(map(str, data.image_shape))}, {data.classes} classes",
        f"commit {_commit()}",
    ]
    return "\n".join(lines) + "\n"


def _commit() -> str:
    """The commit of this source tree, marked where files differ from it; "unknown" outside a repository."""
    root = Path(__file__).resolve().parent.parent
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return described.stdout.strip()
