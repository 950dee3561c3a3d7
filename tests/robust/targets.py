"""All kinds of input that are fuzzed, by name."""

from pathlib import Path

from tests.robust.file_targets import cifar, data_npz, idx_folder, images, mnist, run_file, step_file, trace_file
from tests.robust.text_targets import config, flags, notation
from tests.robust.whole import Files, Target


def make_targets(folder: Path) -> dict[str, Target]:
    """The targets; `folder` is where their files are."""
    files = Files(folder)
    return {
        "notation": notation(),
        "flags": flags(files),
        "config": config(files),
        "step": step_file(files),
        "trace": trace_file(files),
        "data-npz": data_npz(files),
        "idx": idx_folder(files),
        "mnist": mnist(files),
        "cifar": cifar(files),
        "images": images(files),
        "metrics": run_file(files, "metrics.jsonl"),
        "weights": run_file(files, "weights.safetensors"),
    }
