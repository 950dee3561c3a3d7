"""Where in a network an entry of a trace is, in words."""

from network.layers import Conv, Local, Shape
from network.spec import NetworkSpec


def place(spec: NetworkSpec, quantity: str, layer: int, index: tuple[int, ...]) -> str:
    """The unit and image of an entry of h, x or delta; the synapse of an entry of dW or dR.

    Parameters
    ----------
    spec : NetworkSpec
    quantity : str
    layer : int
        i of W/<i>.
    index : tuple of int
        Into the array, as `network.trace.StepTrace` has it.

    Returns
    -------
    str
        Such as ``layer 2 (full3), unit 17, image 4``.
    """
    node = spec.weighted[layer - 1]
    at = f"layer {layer} ({node.name}), "
    if quantity not in ("dW", "dR"):
        image, *unit = index
        return f"{at}{_unit(tuple(unit))}, image {image}"
    if isinstance(node.layer, Local):
        post, (source, a, b) = index[:3], index[3:]
        return f"{at}{_unit(post)}, from map {source}, kernel place [{a}, {b}]"
    if isinstance(node.layer, Conv):
        post, source, a, b = index
        return f"{at}all units of map {post}, from map {source}, kernel place [{a}, {b}]"
    post, pre = index
    return f"{at}unit {post}, from {_unit(_unflattened(pre, node.source_shapes[0]))}"


def _unit(index: tuple[int, ...]) -> str:
    if len(index) == 3:
        return f"unit [{index[1]}, {index[2]}] of map {index[0]}"
    return f"unit {index[0]}"


def _unflattened(flat: int, shape: Shape) -> tuple[int, ...]:
    """A unit's index in a layer of maps, flattened in C, H, W order."""
    if len(shape) != 3:
        return (flat,)
    _, height, width = shape
    return flat // (height * width), flat // width % height, flat % width
