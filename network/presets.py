"""The networks of the paper's experiments, by name.

``simpnet`` and ``deepernet`` are printed in section 4. The text of the other two was lost from the paper between draft
and publication:

- ``deepnet`` is what an author's parameter file of June 2018 for CIFAR-100 describes. That file pools by average in its
  last two poolings; the code of the paper's time has max-pooling only, and so has this.
- ``deepnet_s`` comes from the parameter file of the untied experiments. Its seven layers beside the frozen first one
  are the "seven updated layers" of figure 11, which the file matches exactly.
"""

from network.errors import unknown

PRESETS = {
    "simpnet": "Conv 32 5x5; Maxpool 3; Drop .8; Full 500; Drop .3; Output",
    "deepnet": (
        "Conv 32 5x5; Maxpool 3; Conv 32 3x3; Conv 32 3x3; Maxpool 3; Drop .5; "
        "Conv 64 3x3; Conv 64 3x3; Maxpool 3; Drop .8; Full 500; Output"
    ),
    "deepernet": (
        "Conv 16 3x3; Conv 16 3x3; SUM; Conv 32 3x3; Conv 32 3x3; SUM; Maxpool 3; Drop .5; "
        "Conv 64 3x3; Conv 64 3x3; SUM; Maxpool 3; Conv 128 3x3; Conv 128 3x3; SUM; Maxpool 3; Drop .8; "
        "Full 500; Output"
    ),
    "deepnet_s": (
        "Conv 16 3x3; Conv 16 3x3; SUM; Maxpool 3/3; Drop .5; Conv 64 3x3; Conv 64 3x3; SUM; Maxpool 2/2; "
        "Conv 64 2x2; Conv 64 2x2; SUM; Maxpool 2/2; Drop .5; Full 500; Output"
    ),
}


def notation_of(net: str) -> str:
    """The notation behind a preset's name; anything that reads like a notation is returned as it is.

    Raises
    ------
    BadInput
        For a single word that is neither a preset nor a layer, with the closest preset.
    """
    name = net.strip().lower()
    if name in PRESETS:
        return PRESETS[name]
    looks_like_a_name = name.replace("_", "").replace("-", "").isalnum() and name != "output"
    if looks_like_a_name:
        raise unknown("net", net.strip(), [*PRESETS, 'a notation such as "Conv 32 5x5; Maxpool 3; Output"'])
    return net
