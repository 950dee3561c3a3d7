"""A recording as one HTML file that needs nothing else: what was recorded, the words for it, and the script inside."""

import base64
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2
import numpy as np

from circuits import figures
from network.layers import shape_text
from sim.event.steps import Step
from sim.schedule import sources_of
from sim.viewer.recording import LayerRecord, Recording, SynapseRecord
from sim.viewer.sample import PIXELS, evenly, of_drawn

BOUND = 4_000_000  # bytes that no page exceeds, whatever the network
PALETTE = ("BLUE", "RED", "GREEN", "PINK", "ORANGE", "BLACK")
WORDS = {
    "present": "The image is presented.",
    "send": "Activity leaves {below} for layer {layer}.",
    "arrive": "Activity reaches layer {layer}, and charges its membranes.",
    "settle": "Layer {layer} has settled: x.",
    "teach": "The target is given: s tells every output unit whether it is the class, and δ and tc run.",
    "gate": "The Hebbian gate of layer {layer} opens: δ there, x still below.",
    "close": "The gate of layer {layer} closes: every synapse is tagged with δ above × x below.",
    "latch": "u and v of layer {layer} take their values from x.",
    "rise": "u and v of layer {layer} act: what is saturated is shut off.",
    "feed": "Feedback leaves {readers} for layer {layer}.",
    "replace": "Feedback reaches layer {layer}: δ takes the place of x.",
    "consolidate": "The tags of layer {layer} become weights.",
}


def page(
    recording: Recording, *, image: str = "", weights: str = "", class_names: Sequence[str] = (), net: str = ""
) -> str:
    """The page.

    Parameters
    ----------
    recording : Recording
    image, weights : str
        Where they come from, in words.
    class_names : sequence of str
        One a class; their numbers where left out.
    net : str
        What the network is called; its notation where left out.

    Returns
    -------
    str
        HTML of at most `BOUND` bytes, which asks no other file or server for anything.
    """
    folder = resources.files("sim.viewer")
    names = list(class_names) or [str(k) for k in range(recording.spec.classes)]
    template, *scripts = (
        folder.joinpath(f).read_text(encoding="utf-8") for f in ("page.html", "drawing.js", "record.js", "page.js")
    )
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    # Within a script element nothing is escaped, so no text in it may look like a tag.
    data = json.dumps(page_data(recording, names), separators=(",", ":")).replace("<", "\\u003c")
    return environment.from_string(template).render(
        net=net or recording.spec.notation, facts=_facts(recording, names, image, weights), notes=_notes(recording),
        data=data, script="\n".join(scripts), colours={name.lower(): getattr(figures, name) for name in PALETTE},
    )  # fmt: skip


def page_data(recording: Recording, class_names: Sequence[str]) -> dict[str, Any]:
    """What the script draws; times in ms, arrays as `packed`."""
    sources = sources_of(recording.spec)
    return {
        "times": (recording.times * 1e3).tolist(),
        "steps": [_step(step, sources) for step in recording.steps],
        "violations": [{"ms": v.time * 1e3, "layer": v.event.layer, "text": str(v)} for v in recording.violations],
        "classNames": class_names,
        "label": recording.label,
        "mu": recording.trace.meta["mu"],
        "image": _image(recording.image),
        "layers": [_layer(recording, i, layer, sources[i]) for i, layer in recording.layers.items()],
        "synapses": [_synapses(recording, i, synapses) for i, synapses in recording.synapses.items()],
        "colours": {name.lower(): getattr(figures, name) for name in PALETTE},
    }


def packed(values: np.ndarray, kind: str = "<f4") -> str:
    """Numbers as base64 text of their bytes, little-endian."""
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode()


def _step(step: Step, sources: dict[int, tuple[int, ...]]) -> dict[str, Any]:
    below = [f"layer {k}" if k else "the input" for k in sources.get(step.layer, ())]
    readers = [f"layer {k}" for k in sorted(step.readers)]
    text = WORDS[step.kind].format(layer=step.layer, below=" and ".join(below), readers=" and ".join(readers))
    return {"ms": step.time * 1e3, "kind": step.kind, "layer": step.layer, "firing": step.firing, "text": text}


def _layer(recording: Recording, i: int, layer: LayerRecord, sources: tuple[int, ...]) -> dict[str, Any]:
    trace, drawn = recording.trace, layer.drawn
    settled = {
        name: packed(arrays[i].reshape(-1)[drawn.units])
        for name, arrays in (("h", trace.h), ("x", trace.x), ("delta", trace.delta))
        if i in arrays
    }
    delta = float(np.abs(trace.delta[i]).max()) if i in trace.delta else 0.0
    return {
        "index": i,
        "name": layer.node.name,
        "layer": str(layer.node.layer),
        "shape": layer.node.shape,
        "sources": sources,
        "output": layer.node.is_output,
        "drawn": drawn.units.tolist(),
        "maps": drawn.maps,
        "rows": drawn.rows,
        "columns": drawn.columns,
        "potential": packed(layer.potential),
        "activity": packed(layer.activity),
        "state": packed(layer.state, "u1"),
        "control": packed(layer.control, "i1") if layer.node.is_output else "",
        "mean": packed(layer.mean),
        "shut": packed(layer.shut, "<i4"),
        # What full colour stands for.
        "largestX": float(np.abs(trace.x[i]).max()) if layer.node.is_output and i in trace.x else 1.0,
        "largestDelta": delta,
        **settled,
    }


def _synapses(recording: Recording, i: int, synapses: SynapseRecord) -> dict[str, Any]:
    node, rows, columns = recording.layers[i].node, synapses.rows, synapses.columns
    made = {}
    for name, increments in (("dW", recording.trace.dW), ("dR", recording.trace.dR)):
        if i in increments:
            made[name] = packed(of_drawn(increments[i], rows, columns))
    versions = [
        {"moment": moment, "tagged": "dW" in seen, **{name: packed(seen[name]) for name in ("W", "R") if name in seen}}
        for moment, seen in synapses.versions
    ]
    return {
        "index": i, "shape": node.weight_shape, "source": node.sources[0], "sourceShape": node.source_shapes[0],
        "rows": rows.tolist(), "columns": columns.tolist(), "versions": versions, **made,
    }  # fmt: skip


def _image(image: np.ndarray) -> dict[str, Any]:
    pixels = image / 255.0 if image.dtype == np.uint8 else np.asarray(image, dtype=float)
    channels, rows, columns = (
        evenly(size, limit) for size, limit in zip(pixels.shape, (3, PIXELS, PIXELS), strict=True)
    )
    shown = pixels[np.ix_(channels, rows, columns)]
    return {
        "shape": image.shape, "channels": len(channels), "rows": len(rows), "columns": len(columns),
        "low": min(0.0, float(pixels.min())), "high": max(1.0, float(pixels.max())), "values": packed(shown),
    }  # fmt: skip


def _facts(recording: Recording, names: Sequence[str], image: str, weights: str) -> list[tuple[str, str]]:
    meta, settings = recording.trace.meta, recording.settings
    top = len(recording.spec.weighted)
    guess = int(recording.trace.h[top].argmax()) if top in recording.trace.h else -1
    assert settings.timing is not None
    tau = settings.timing.tau
    facts = [
        ("network", recording.spec.notation),
        ("image", f"{image + ', ' if image else ''}class {names[recording.label]}"),
        (
            "largest output",
            f"{names[guess]} ({'right' if guess == recording.label else 'wrong'})" if guess >= 0 else "",
        ),
        ("weights", weights),
        ("rule", f"{meta['rule']}, eta {meta['eta']:g}, mu {meta['mu']:.3g}, {meta['order']}"),
        (
            "circuit",
            f"epsilon {settings.epsilon:g}, tau {tau * 1e3:g} ms, control's loop {settings.timing.loop * 1e3:g} ms",
        ),
    ]
    return [fact for fact in facts if fact[1]]


def _notes(recording: Recording) -> list[str]:
    """What is drawn and what is not."""
    notes = [
        f"Simulated by the event engine, exactly; shown at {recording.times.size} moments: whenever something happens, "
        f"and evenly in between. Nothing is interpolated."
    ]
    for i, layer in recording.layers.items():
        drawn, shape = layer.drawn, layer.node.shape
        if drawn.units.size < layer.node.units:
            what = f"layer {i} ({layer.node.name}): {drawn.units.size:,} of {layer.node.units:,} units are drawn"
            if len(shape) == 3 and shape[1] * shape[2] > 1:
                what += f", {drawn.rows} × {drawn.columns} of {shape_text(shape[1:])} pixels of {drawn.maps} maps"
            notes.append(what[0].upper() + what[1:] + ", evenly spaced.")
    few = {
        i: f"{s.rows.size} × {s.columns.size} of {shape_text(recording.layers[i].node.weight_shape)}"
        for i, s in recording.synapses.items()
        if s.rows.size * s.columns.size < np.prod(recording.layers[i].node.weight_shape)
    }
    if few:
        notes.append(f"Of the synapses are drawn: {'; '.join(f'W/{i} {text}' for i, text in few.items())}.")
    notes += [f"Happened without what it needs: {violation}." for violation in recording.violations]
    notes.append("Curves over time and counts of units are of whole layers.")
    return notes
