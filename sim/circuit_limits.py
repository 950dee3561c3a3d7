"""What the circuits of Amit's Appendix 1 have no neurons for, refused by name before anything is built."""

from network.errors import BadInput
from network.layers import Conv, Layer, Pool, Weighted
from network.rules import Rule
from network.spec import NetworkSpec
from sim.updates import Update


def check_circuit(engine: str, spec: NetworkSpec, rule: Rule, update: Update) -> None:
    """Refuse a network, a rule or an update that engine `engine`, a circuit, does not run.

    Raises
    ------
    BadInput
        Naming the rule, what the update asks for, or the first layer and what it has that no circuit computes.
    """
    others = "--engine torch or reference"
    if rule.signs:
        raise BadInput(
            f"rule '{rule.name}': engine '{engine}' has no synapses made anew from the signs of others; {others}"
        )
    if rule.feedback_from == "output":
        raise BadInput(
            f"rule '{rule.name}': engine '{engine}' has no fibres from the output past other layers; {others}"
        )
    if not update.is_plain:
        raise BadInput(
            f"engine '{engine}': its synapses change by their increments alone, without momentum, weight decay, "
            f"Manhattan setting, schedule or clamped layers; {others}"
        )
    if spec.frozen:
        raise BadInput(f"engine '{engine}': all synapses of its circuit change, none are frozen; {others}")
    for position, node in enumerate(spec.nodes, start=1):
        foreign = _foreign(node.layer)
        if foreign:
            raise BadInput(f"layer {position} '{node.layer}': engine '{engine}' has no {foreign}; {others}")


def _foreign(layer: Layer) -> str:
    """What of a layer is not in Amit's networks; empty where all is."""
    if isinstance(layer, Weighted) and layer.norm:
        return "neurons that normalise a batch"
    if isinstance(layer, Weighted) and layer.activation != "clip":
        return "rectified units, their feedback is shut off by another circuit than that of Appendix 1"
    if isinstance(layer, Conv) and not layer.is_plain:
        return "convolutions with strides or without padding"
    if isinstance(layer, Pool) and layer.place:
        return "pooling windows placed by the layer, only those of the semantics"
    return ""
