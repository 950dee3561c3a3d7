"""The networks of the papers' experiments, by name.

Amit's (section 4):

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

LIAO_PRESETS = {
    "liao_mnist": (
        "Conv 20 5x5 valid ReLU; Maxpool 2 valid; Conv 50 5x5 valid ReLU; Maxpool 2 valid; Full 500 ReLU; Output"
    ),
    "liao_cifar": (
        "Conv 32 5x5 ReLU; Maxpool 3 corner; Conv 64 5x5 ReLU; Avgpool 3 corner; Conv 64 5x5 ReLU; Avgpool 3 corner; "
        "Full 128 ReLU; Output"
    ),
    "liao_svhn": (
        "Conv 20 5x5 valid ReLU; Maxpool 2 valid; Conv 512 7x7 valid ReLU; Maxpool 2 valid; Full 40 ReLU; Output"
    ),
    "liao_timit": "Full 512 ReLU; Full 256 ReLU; Output",
    "liao_images": (
        "Conv 48 9x9/2 valid ReLU; Maxpool 2 valid; Conv 128 5x5 valid ReLU; Maxpool 2 valid; "
        "Full 3C>=256 ReLU; Full 2C ReLU; Output"
    ),
}

NETS = PRESETS | LIAO_PRESETS


def notation_of(net: str) -> str:
    """The notation behind a preset's name; anything that reads like a notation is returned as it is.

    Raises
    ------
    BadInput
        For a single word that is neither a preset nor a layer, with the closest preset.
    """
    name = net.strip().lower()
    if name in NETS:
        return NETS[name]
    looks_like_a_name = name.replace("_", "").replace("-", "").isalnum() and name != "output"
    if looks_like_a_name:
        raise unknown("net", net.strip(), [*NETS, 'a notation such as "Conv 32 5x5; Maxpool 3; Output"'])
    return net
