"""What of the event engine's circuit outlives a presentation."""

from dataclasses import dataclass, field

from network.spec import NetworkSpec
from network.weights import Arrays
from sim.engine import Settings
from sim.event.output import OutputCircuit
from sim.event.synapses import Synapses


@dataclass
class Circuit:
    """The synapses with their weights in the engine's layouts, and the output units."""

    spec: NetworkSpec
    settings: Settings
    synapses: dict[int, Synapses]
    output: OutputCircuit
    W: Arrays = field(default_factory=dict)
    R: Arrays = field(default_factory=dict)
    mask_W: Arrays = field(default_factory=dict)
    mask_R: Arrays = field(default_factory=dict)
