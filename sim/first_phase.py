"""A run in two phases: it starts from the lowest layers of another run, and draws the others anew (section 4.1).

Amit trained deepnet_s for 100 epochs with tied weights, froze the first layer, and trained the others from scratch,
untied. The first phase is a run like any other; the second takes its layers over when it begins, and needs its folder
no more.
"""

from dataclasses import replace

from network.errors import BadInput, unknown
from network.spec import NetworkSpec
from network.weights import Weights
from sim.config import TrainConfig
from sim.run_folder import RunFolder


def network_of(config: TrainConfig, image_shape: tuple[int, int, int], classes: int) -> NetworkSpec:
    """The network that a run trains, with its normalisation and frozen layers.

    Raises
    ------
    BadInput
        For layers that do not fit together, or ``start_from``, ``keep_layers`` and ``freeze`` that do not.
    """
    spec = NetworkSpec.parse(config.net, image_shape, classes, config.gain, config.semantics)
    if config.norm:
        spec = spec.normalised("affine" if config.norm == "bn-affine" else "plain")
    if config.start_from is None:
        for name in ("keep_layers", "freeze"):
            if getattr(config, name):
                raise BadInput(f"{name.replace('_', '-')}: only with start-from, the run whose layers are kept")
        return spec
    count = kept_layers(spec, config)
    return replace(spec, frozen=count) if config.freeze else spec


def kept_layers(spec: NetworkSpec, config: TrainConfig) -> int:
    """How many layers with weights, from the input up, come from the other run.

    Raises
    ------
    BadInput
        Where none is named, or one that is not there or has no weights.
    """
    text, most = (config.keep_layers or "").strip(), len(spec.weighted)
    if not text:
        raise BadInput(f"start-from {config.start_from}: say how many of its layers are kept, keep-layers 1 to {most}")
    if text.isdecimal():
        if not 1 <= int(text) <= most:
            raise BadInput(f"keep-layers {text}: expected 1 to {most}, the layers with weights, or the name of one")
        return int(text)
    names = {node.name: node.index for node in spec.weighted}
    if text not in names:
        raise unknown("keep-layers", text, names)
    return names[text]


def take_over(spec: NetworkSpec, weights: Weights, config: TrainConfig) -> str:
    """Put the lowest layers of another run in the place of those that were drawn.

    W, R, their masks and what normalised layers keep are taken; what momentum remembers is not.

    Parameters
    ----------
    spec : NetworkSpec
    weights : Weights
        Changed.
    config : TrainConfig
        ``start_from`` and ``keep_layers`` say which.

    Returns
    -------
    str
        What was taken over, in a line.

    Raises
    ------
    BadInput
        Where there is no such run, or one of its layers is another than that of this network.
    """
    place = f"start-from {config.start_from}"
    folder = RunFolder.open(str(config.start_from), "start-from")
    alone = replace(folder.read_config(), start_from=None, keep_layers=None, freeze=None)
    theirs = network_of(alone, spec.input_shape, spec.classes)
    rows, found = folder.read_epoch()
    count = kept_layers(spec, config)
    for node in spec.weighted[:count]:
        i = node.index
        other = theirs.weighted[i - 1].layer if i <= len(theirs.weighted) else "nothing"
        if other != node.layer:
            raise BadInput(f"{place}: its layer {i} is '{other}', not '{node.layer}'; keep fewer layers")
        if found.W[i].shape != node.weight_shape:
            raise BadInput(
                f"{place}: W/{i} has shape {list(found.W[i].shape)}, and '{node.layer}' needs "
                f"{list(node.weight_shape)} here: it was trained on images or classes of another number"
            )
        _take(weights, found, i, config.dtype)
    return f"layers 1 to {count} from {config.start_from} after its epoch {len(rows)}"


def _take(weights: Weights, found: Weights, i: int, dtype: str) -> None:
    for group, values in vars(weights).items():
        if group == "tau":
            continue
        taken = getattr(found, group).get(i)
        if taken is not None and (group != "R" or i in values):  # a rule that feeds back through W has no R
            values[i] = taken.copy() if group.startswith("mask_") else taken.astype(dtype)
        elif group.startswith("mask_"):
            values.pop(i, None)
