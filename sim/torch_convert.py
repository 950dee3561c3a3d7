"""An existing PyTorch model with the feedback weights of a rule, and a report of what that did not reach.

    from sim.torch_convert import convert

    print(convert(model, "urfb"))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

Layers are converted where they are: they stay the same objects with the same parameters, hooks and names, and get R
beside them, so that weights that were trained or loaded before are kept. An optimiser, torch.compile and
DistributedDataParallel come after, since they would not know of R.
"""

from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from textwrap import fill

from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from network.errors import BadInput, did_you_mean
from network.layers import shape_text
from network.rules import Rule
from sim.torch_layers import Conv2d, Linear
from sim.torch_rules import TwoPathways, rule_of

COUNTERPARTS: dict[type[nn.Module], type[TwoPathways]] = {nn.Linear: Linear, nn.Conv2d: Conv2d}

# Modules whose derivative needs no weights of synapses between units, and why none are missing.
EXACT = {
    "normalises each feature by itself": (
        nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm, nn.RMSNorm,
    ),
    "pools": (
        nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd, nn.modules.pooling._AdaptiveMaxPoolNd,
        nn.modules.pooling._AdaptiveAvgPoolNd, nn.modules.pooling._LPPoolNd,
    ),
    "drops": (nn.modules.dropout._DropoutNd,),
    "reads indices, to which nothing is fed back": (nn.Embedding, nn.EmbeddingBag),
}  # fmt: skip

TITLES = {
    "W": "through their own weights, as in back-propagation",
    "R": "by another rule, which they keep",
    "nothing": "through no such weights, derivative exact",
}


@dataclass(frozen=True)
class Converted:
    """A layer that has a rule's feedback.

    Attributes
    ----------
    name : str
        As `named_modules` has it.
    kind : str
        ``"Conv2d"``, ``"Linear"``, ``"LocallyConnected2d"``.
    weights : tuple of int
        Shape of W.
    feedback : str
        Name of its rule.
    note : str
        What to know about it; mostly empty.
    """

    name: str
    kind: str
    weights: tuple[int, ...]
    feedback: str
    note: str = ""


@dataclass(frozen=True)
class Left:
    """A module that stays as it was.

    Attributes
    ----------
    name, kind : str
        As in `Converted`.
    feeds_back_through : {"W", "R", "nothing"}
        Whether weights of its own carry what it sends down, as in back-propagation; it was skipped and keeps feedback
        by another rule; or it has none that do.
    why : str
    """

    name: str
    kind: str
    feeds_back_through: str
    why: str


@dataclass(frozen=True)
class Conversion:
    """What `convert` did; as text, one line a layer that was converted, and one a kind of what was not.

    Attributes
    ----------
    rule : Rule
    converted : tuple of Converted
    already : tuple of Converted
        Had this very rule before, and keep their R.
    left : tuple of Left
    """

    rule: Rule
    converted: tuple[Converted, ...]
    already: tuple[Converted, ...]
    left: tuple[Left, ...]

    @property
    def through_W(self) -> tuple[Left, ...]:
        """What still feeds back through its own weights."""
        return tuple(each for each in self.left if each.feeds_back_through == "W")

    def __str__(self) -> str:
        lines = [f"feedback by rule '{self.rule.name}': {_count(self.converted, 'layer')}"]
        lines[0] += f", and {len(self.already)} before" if self.already else ""
        layers = [*self.converted, *self.already]
        wide = max((len(layer.name) for layer in layers), default=0)
        for layer in layers:
            line = f"  {layer.name:{wide}}  {layer.kind} {shape_text(layer.weights)}"
            lines.append(line + (f"  ({layer.note})" if layer.note else ""))
        for through, title in TITLES.items():
            found = [each for each in self.left if each.feeds_back_through == through]
            lines += [f"feedback {title}: {_count(found, 'module')}"] if found or through == "W" else []
            for kind, why in dict.fromkeys((each.kind, each.why) for each in found):
                names = ", ".join(each.name for each in found if (each.kind, each.why) == (kind, why))
                lines.append(fill(f"{kind} ({why}): {names}", 120, initial_indent="  ", subsequent_indent="    "))
        return "\n".join(lines)


def convert(
    model: nn.Module,
    rule: str | Rule = "urfb",
    *,
    skip: Iterable[str] = (),
    feedback_rate: float | None = None,
    flip_probability: float = 0.0,
    feedback_scale: str | None = None,
) -> Conversion:
    """Give every Linear and Conv2d of a model the feedback of a rule, where they are.

    What a model does with functions rather than modules (``F.linear`` of a parameter of its own) cannot be seen;
    parameters that modules hold beside their layers are reported.

    Parameters
    ----------
    model : torch.nn.Module
        Changed. Layers that have this rule already stay as they are, R included; those with another one change it.
    rule : str or Rule
        As `sim.torch_rules.rule_of` takes it. Feedback by unscaled signs (``usf``, as in the paper) grows by about the
        square root of k^2 C_out a layer: deep models need ``feedback_scale="biotorch"`` or normalisation.
    skip : iterable of str
        Names of modules to leave, with all that is in them: ``["fc"]`` keeps the last layer of a ResNet on
        back-propagation.
    feedback_rate, flip_probability, feedback_scale
        Of `network.rules.make_rule`.

    Returns
    -------
    Conversion

    Raises
    ------
    BadInput
        Before anything is changed: for a rule that modules cannot follow, names that the model does not have, lazy
        layers that have not seen a batch, a model that is compiled or distributed already, or one with no layer to
        convert.
    """
    rule = rule_of(rule, feedback_rate, flip_probability, feedback_scale)
    if not isinstance(model, nn.Module):
        raise BadInput(f"convert: {type(model).__name__} is no torch.nn.Module; give the model itself")
    skipped = _within(model, [skip] if isinstance(skip, str) else list(skip))
    _refuse_wrapped(model)
    to_convert, already = [], []
    for name, module in model.named_modules():
        if name not in skipped and (isinstance(module, TwoPathways) or type(module) in COUNTERPARTS):
            is_so = isinstance(module, TwoPathways) and module.rule == rule
            (already if is_so else to_convert).append((name, module))
    if not to_convert and not already:
        raise BadInput(f"convert: {type(model).__name__} has no Linear and no Conv2d layer that could be converted")
    for _, module in to_convert:
        if type(module) in COUNTERPARTS:
            module.__class__ = COUNTERPARTS[type(module)]
        module.set_feedback(rule)
    shared = _shared_weights(model)
    done, before = (tuple(_described(name, layer, shared) for name, layer in group) for group in (to_convert, already))
    return Conversion(rule, done, before, tuple(_left(model, skipped, {layer.name for layer in (*done, *before)})))


def _count(things: Sized, word: str) -> str:
    return f"{len(things)} {word}{'' if len(things) == 1 else 's'}"


def _within(model: nn.Module, skip: list[str]) -> set[str]:
    """All modules that are in those with these names."""
    names = [name for name, _ in model.named_modules(remove_duplicate=False)]
    for name in skip:
        if name not in names or not name:
            raise BadInput(f"skip '{name}': the model has no module of that name{did_you_mean(name, names)}")
    # The same module may be in several places: skipped in one is skipped in all.
    modules = {id(module) for name in skip for module in model.get_submodule(name).modules()}
    return {name for name, module in model.named_modules() if id(module) in modules}


def _refuse_wrapped(model: nn.Module) -> None:
    for name, module in model.named_modules():
        where = f"'{name}'" if name else "the model"
        if isinstance(module, LazyModuleMixin) and module.has_uninitialized_params():  # pyright: ignore
            raise BadInput(
                f"convert: {where} is a {type(module).__name__} without shapes yet; run a batch through first"
            )
        if hasattr(module, "_orig_mod"):
            raise BadInput(f"convert: {where} is compiled already; convert first, then torch.compile")
        if isinstance(module, nn.parallel.DistributedDataParallel):
            raise BadInput(f"convert: {where} is distributed already; convert first, then DistributedDataParallel")


def _shared_weights(model: nn.Module) -> dict[int, list[str]]:
    """Parameters that are in several modules: the names of each."""
    places: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        places.setdefault(id(parameter), []).append(name)
    return {key: names for key, names in places.items() if len(names) > 1}


def _described(name: str, layer: TwoPathways, shared: dict[int, list[str]]) -> Converted:
    names = [each for each in shared.get(id(layer.weight), ()) if each != f"{name}.weight"]
    note = f"W is also {', '.join(names)}: its gradient is of all, that of R of this layer alone" if names else ""
    kind, weights = type(layer).__name__, tuple(layer.weight.shape)
    return Converted(name or "(the model)", kind, weights, layer.rule.name, note)


def _left(model: nn.Module, skipped: set[str], done: set[str]) -> Iterator[Left]:
    """Every module that is not a mere container, and was not converted."""
    for name, module in model.named_modules():
        own = list(module.named_parameters(recurse=False))
        if name in done or (not name and "(the model)" in done) or (not own and any(module.children())):
            continue
        yield Left(name or "(the model)", type(module).__name__, *_reason(module, name in skipped, own))


def _reason(module: nn.Module, is_skipped: bool, own: list[tuple[str, nn.Parameter]]) -> tuple[str, str]:
    """What a module that was not converted feeds back through, and why it was not."""
    if is_skipped and (isinstance(module, TwoPathways) or type(module) in COUNTERPARTS):
        if isinstance(module, TwoPathways) and not module.rule.symmetric:
            return "R", f"skipped, rule '{module.rule.name}'"
        return "W", "skipped"
    for why, kinds in EXACT.items():
        if isinstance(module, kinds):
            return "nothing", why
    if not own:
        return "nothing", "no weights"
    if isinstance(module, tuple(COUNTERPARTS)):
        base = next(kind for kind in COUNTERPARTS if isinstance(module, kind))
        return "W", f"not {base.__name__} itself, and may read its weights in its own way"
    names = ", ".join(name for name, _ in own)
    if any(module.children()):
        return "W", f"its own {names}, used in a way of its own"
    if all(parameter.ndim < 2 for _, parameter in own):
        return "nothing", f"{names}: one number a feature"
    return "W", f"no counterpart with feedback weights for its {names}"
