"""The synapses between two layers as one Brian2 object: W and R of every pair of units, and its Hebbian tag.

A weight that a convolution shares over positions, and any weight over the images of a batch, is one number in many
synapses. Each of them knows which: `shared`.
"""

from typing import NamedTuple

import brian2
import numpy as np

from network.layers import Conv, Local
from network.spec import Node
from sim.brian.slots import Slots

# What two layers that are connected do by their synapses. The events are those of the sending layer.
UP = "arriving_post += W * sent_pre"
DOWN = "feedback_pre += {R} * sent_post"
GATE = "tag = sent_post * sent_pre"


class Wiring(NamedTuple):
    """All connections of one image's units: (connections,) each.

    Attributes
    ----------
    pre, post : numpy.ndarray of int
        Units of the layer below and of this one, in the order C, H, W.
    shared : numpy.ndarray of int
        Which entry of the flattened W the connection has.
    """

    pre: np.ndarray
    post: np.ndarray
    shared: np.ndarray


def wiring(node: Node) -> Wiring:
    """The connections of a layer with weights; those on to the padding of a convolution, which is 0, do not exist."""
    layer = node.synaptic
    if not isinstance(layer, Conv):
        shared = np.arange(np.prod(node.weight_shape), dtype=np.int32)
        post, pre = np.divmod(shared, node.weight_shape[1])
        return Wiring(pre, post, shared)
    channels, height, width = node.source_shapes[0]
    row, column = (_inside(length, size) for length, size in zip((height, width), layer.kernel, strict=True))
    o, r, c, k = np.ix_(range(layer.filters), range(len(row.at)), range(channels), range(len(column.at)))
    post = (o * height + row.at[r]) * width + column.at[k]
    pre = (c * height + row.pixel[r]) * width + column.pixel[k]
    of_kernel = (c * layer.kernel[0] + row.offset[r]) * layer.kernel[1] + column.offset[k]
    filters = post if isinstance(layer, Local) else o
    shared = filters * (channels * layer.kernel[0] * layer.kernel[1]) + of_kernel
    return Wiring(*(values.ravel().astype(np.int32) for values in np.broadcast_arrays(pre, post, shared)))


class _Side(NamedTuple):
    """Along one side of a map: which position sees which pixel, by which offset in the kernel."""

    at: np.ndarray
    offset: np.ndarray
    pixel: np.ndarray


def _inside(length: int, size: int) -> _Side:
    at, offset = np.divmod(np.arange(length * size), size)
    pixel = at + offset - (size - 1) // 2
    keep = (pixel >= 0) & (pixel < length)
    return _Side(at[keep], offset[keep], pixel[keep])


def tile(indices: np.ndarray, units: int, images: int) -> np.ndarray:
    """The same units in every image of a batch, side by side."""
    return (np.arange(images, dtype=np.int32)[:, None] * units + indices).ravel()


def connect(
    node: Node, source: brian2.NeuronGroup, target: brian2.NeuronGroup, images: int, *,
    feedback: str | None, R: bool, slots: Slots, name: str,
) -> brian2.Synapses:  # fmt: skip
    """The synapses of a layer with weights.

    Parameters
    ----------
    node : Node
    source, target : brian2.NeuronGroup
        The layer below and this one, `images` copies of each side by side.
    images : int
    feedback : {"W", "R"} or None
        What the feedback passes through; None where it goes no further.
    R : bool
        Whether there are feedback weights of their own.
    slots : Slots
    name : str

    Returns
    -------
    brian2.Synapses
        Variables `W`, `R` (where there is one), `tag` and `shared`; pathways ``up`` (on ``send`` of the layer below),
        ``gate`` (on ``close`` of this one) and ``down`` (on ``feed`` of this one).
    """
    on_pre, on_post = {"up": UP}, {"gate": GATE}
    on_event = {"up": "send", "gate": "close"}
    if feedback:
        on_post["down"], on_event["down"] = DOWN.format(R=feedback), "feed"
    model = ["W : 1", "R : 1"] if R else ["W : 1"]
    synapses = brian2.Synapses(
        source,
        target,
        "\n".join([*model, "tag : 1", "shared : integer (constant)"]),
        on_pre=on_pre,
        on_post=on_post,
        on_event=on_event,  # pyright: ignore[reportArgumentType]
        # Delays are the schedule's: what is sent is multiplied as it leaves, and waits at the receiver.
        delay={pathway: 0 * brian2.second for pathway in on_event},
        clock=slots.clock,
        name=name,
    )
    found = wiring(node)
    source_units, target_units = len(source) // images, len(target) // images
    synapses.connect(i=tile(found.pre, source_units, images), j=tile(found.post, target_units, images))
    synapses.shared = np.tile(found.shared, images)
    for pathway in on_event:
        slots.place(getattr(synapses, pathway), "tag" if pathway == "gate" else "multiply")
    return synapses
