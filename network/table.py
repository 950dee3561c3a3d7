"""The layer table of a network: shapes, units, weights, synapses, memory."""

from math import prod
from typing import Any

from network.layers import shape_text
from network.spec import NetworkSpec

BYTES = 4  # a float32 number


def layer_table(spec: NetworkSpec) -> list[dict[str, Any]]:
    """One row a layer, from the input up.

    Returns
    -------
    list of dict
        ``name``, ``layer`` (as written), ``reads``, ``shape``, ``units``, ``weights`` (free parameters of W; R has as
        many), ``synapses`` (connections between units, those onto the padding left out), ``weight_shape``.
    """
    rows: list[dict[str, Any]] = [
        {"name": "input", "layer": "", "reads": [], "shape": list(spec.input_shape), "units": prod(spec.input_shape)}
        | {"weights": 0, "synapses": 0, "weight_shape": None}
    ]
    for node in spec.nodes:
        rows.append(
            {
                "name": node.name,
                "layer": str(node.layer),
                "reads": list(node.sources),
                "shape": list(node.shape),
                "units": node.units,
                "weights": prod(node.weight_shape) if node.index else 0,
                "synapses": node.synaptic.synapses(node.source_shapes[0], node.shape) if node.index else 0,
                "weight_shape": list(node.weight_shape) if node.index else None,
            }
        )
    return rows


def totals(spec: NetworkSpec) -> dict[str, int]:
    """Sums over the network, memory in bytes at float32: W and R together, and the activity of one image."""
    rows = layer_table(spec)
    weights = sum(row["weights"] for row in rows)
    return {
        "units": sum(node.units for node in spec.weighted),
        "weights": weights,
        "synapses": sum(row["synapses"] for row in rows),
        "weight_bytes": 2 * weights * BYTES,
        "activity_bytes_per_image": sum(row["units"] for row in rows) * BYTES,
    }


def format_table(spec: NetworkSpec) -> str:
    """The table as text, for a terminal of 100 columns."""
    header = ("layer", "notation", "reads", "shape", "units", "weights", "synapses")
    lines = [
        (
            row["name"],
            row["layer"],
            "+".join(row["reads"]),
            shape_text(row["shape"]),
            f"{row['units']:,}",
            f"{row['weights']:,}" if row["weights"] else "",
            f"{row['synapses']:,}" if row["synapses"] else "",
        )
        for row in layer_table(spec)
    ]
    widths = [max(len(line[column]) for line in [header, *lines]) for column in range(len(header))]
    right = {"units", "weights", "synapses"}
    text = [
        "  ".join(
            cell.rjust(width) if title in right else cell.ljust(width)
            for cell, width, title in zip(line, widths, header, strict=True)
        ).rstrip()
        for line in [header, *lines]
    ]
    text.insert(1, "-" * max(map(len, text)))
    total = totals(spec)
    text += [
        "",
        f"{total['units']:,} units with synapses; {total['weights']:,} weights in W, as many in R; "
        f"{total['synapses']:,} synapses each way",
        f"memory at float32: W and R {_mib(total['weight_bytes'])}; "
        f"activity {_mib(total['activity_bytes_per_image'])} an image",
        f"gain {spec.gain:g}, semantics '{spec.semantics.name}'",
    ]
    return "\n".join(text)


def _mib(size: int) -> str:
    return f"{size / 2**20:,.2f} MiB"
