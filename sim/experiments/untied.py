"""What the experiments on untied layers share (section 4.1)."""

from network.presets import PRESETS
from sim.experiments.experiment import Variant

# Section 4.1: the deeper network was too large to untie as a whole.
FROZEN_FIRST = (
    "a run that starts from the first layer of another, holds it fixed, and draws all other layers anew and untied: "
    "100 epochs with tied weights come first"
)


def untied(net: str) -> str:
    """The notation of a preset with locally connected layers in place of convolutions."""
    return PRESETS[net].replace("Conv ", "Local ")


SIMPNET = Variant("simpnet, tied", {"net": "simpnet"})
SIMPNET_UNTIED = Variant("simpnet, untied", {"net": untied("simpnet")})
DEEPNET_S = Variant("deepnet_s, tied", {"net": "deepnet_s"})
DEEPNET_S_UNTIED = Variant("deepnet_s, untied", {"net": untied("deepnet_s")}, needs=FROZEN_FIRST)
