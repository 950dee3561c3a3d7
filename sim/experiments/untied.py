"""What the experiments on untied layers share (section 4.1)."""

from network.presets import PRESETS
from sim.experiments.experiment import First, Variant


def untied(net: str, tied: int = 0) -> str:
    """The notation of a preset with locally connected layers in place of convolutions, all but the `tied` lowest."""
    layers = PRESETS[net].split("; ")
    places = [place for place, layer in enumerate(layers) if layer.startswith("Conv ")]
    for place in places[tied:]:
        layers[place] = layers[place].replace("Conv ", "Local ")
    return "; ".join(layers)


SIMPNET = Variant("simpnet, tied", {"net": "simpnet"})
SIMPNET_UNTIED = Variant("simpnet, untied", {"net": untied("simpnet")})
DEEPNET_S = Variant("deepnet_s, tied", {"net": "deepnet_s"})
# Section 4.1: the deeper network was too large to untie as a whole.
DEEPNET_S_UNTIED = Variant(
    "deepnet_s, untied",
    {"net": untied("deepnet_s", tied=1), "keep_layers": "1", "freeze": True},
    first=First(
        {**DEEPNET_S.settings, "keep_layers": None, "freeze": None},
        epochs=100,
        what="the network with tied weights, by the same protocol; then the first layer is frozen, and all others are "
        "drawn anew, untied, and trained for the epochs that are counted",
    ),
)
