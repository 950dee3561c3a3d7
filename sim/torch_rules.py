"""The feedback weights of a single torch module: which rule, how R is drawn, and what goes back through it.

The rules are those of `network.rules`, as values. A loss is not part of a module: `cross_entropy` is that of the rules
with softmax, `sim.torch_layers.HingeLoss` that of the others.
"""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from network.errors import BadInput, unknown
from network.feedback import scale_of_layer
from network.layers import Shape, Weighted
from network.rules import RULES, Rule, make_rule
from sim.torch_ops import with_signs_of

# What BioTorch calls them. Its usf, brsf and frsf are those here with feedback_scale="biotorch".
ALIASES = {"backpropagation": "bp", "fa": "frfb"}


def rule_of(
    feedback: str | Rule,
    feedback_rate: float | None = None,
    flip_probability: float = 0.0,
    feedback_scale: str | None = None,
) -> Rule:
    """A rule that a module can follow.

    Parameters
    ----------
    feedback : str or Rule
        A key of `RULES` or of `ALIASES`, in capitals or not; or a value of `make_rule`, with its options.
    feedback_rate, flip_probability, feedback_scale
        Of `make_rule`, with a name.

    Raises
    ------
    BadInput
        For an unknown rule, options that it has no use for, and what a single module cannot do: feedback straight from
        the output, and a decay, which is the optimiser's.
    """
    options = {"feedback_rate": feedback_rate, "flip_probability": flip_probability, "feedback_scale": feedback_scale}
    if isinstance(feedback, Rule):
        if any(options.values()):
            raise BadInput(f"{_given(options)} with a rule that is made: give make_rule('{feedback.name}', ...) them")
        rule = feedback
    elif isinstance(feedback, str):
        name = feedback.strip().lower()
        name = ALIASES.get(name, name)
        if name not in RULES:
            raise unknown("feedback", feedback, [*RULES, *ALIASES])
        rule = make_rule(name, feedback_rate, 0.0, flip_probability, feedback_scale)
    else:
        raise BadInput(f"feedback {feedback!r}: expected the name of a rule, as in 'urfb', or one of make_rule")
    if rule.feedback_from == "output":
        raise BadInput(
            f"feedback '{rule.name}' comes straight from the output's error, which a module never sees; "
            f"--rule {rule.name} of hebb train has it, and modules take {', '.join(_of_modules())}"
        )
    if rule.feedback_decay:
        raise BadInput(
            f"feedback decay {rule.feedback_decay:g}: a module leaves that to the optimiser, whose weight_decay acts "
            f"on W and R alike; give decay / learning rate there"
        )
    return rule


def _of_modules() -> list[str]:
    return [name for name, rule in RULES.items() if rule.feedback_from == "above"]


def _given(options: dict[str, object]) -> str:
    return ", ".join(name for name, value in options.items() if value)


class TwoPathways(nn.Module):
    """A module whose feedback does not come through `weight`, or does, as its rule says.

    Attributes
    ----------
    rule : Rule
    R : torch.nn.Parameter or None
        Feedback weights of its own, in the layout of `weight`. They have a gradient where they learn.
    factors : torch.nn.Parameter or None
        c M o S_p, where R follows the signs of `weight` with magnitudes drawn by chance; without gradient. Under
        ``brsf`` every pass in training draws it anew: once an update where an update is of one pass. Each of several
        processes draws its own.
    """

    weight: Tensor
    rule: Rule
    R: nn.Parameter | None
    factors: nn.Parameter | None

    @property
    @abstractmethod
    def in_notation(self) -> tuple[Weighted, Shape, Shape]:
        """The layer that it would be in the paper's notation, or one group of it; what that reads, and puts out."""

    @property
    def glorot_bound(self) -> float:
        """b: R is uniform in [-b, b] at the start."""
        layer, source, shape = self.in_notation
        return layer.glorot_bound(source, shape)

    def set_feedback(self, feedback: str | Rule) -> None:
        """Follow this rule from now on, with R drawn anew. `weight` stays; an optimiser does not know of a new R."""
        rule = rule_of(feedback)
        for name in ("R", "factors"):
            if hasattr(self, name):
                delattr(self, name)
            self.register_parameter(name, None)
        self.rule = rule
        with torch.no_grad():
            alike = torch.empty_like(self.weight)
        if not rule.symmetric and rule.signs is None:
            self.R = nn.Parameter(alike, requires_grad=rule.feedback_rate > 0 and self.weight.requires_grad)
        elif rule.signs and rule.signs.magnitudes != "one":
            self.factors = nn.Parameter(alike, requires_grad=False)
        self.draw_feedback()

    @torch.no_grad()
    def draw_feedback(self) -> None:
        """Draw R, or what R is made of besides signs, by torch's own generator; as `network.feedback` does."""
        if self.R is not None and self.rule.deviation is not None:
            self.R.normal_(0.0, self.rule.deviation)
        elif self.R is not None:
            self.R.uniform_(-self.glorot_bound, self.glorot_bound)
        elif self.factors is not None:
            self.factors.copy_(self._drawn_factors())

    @torch.no_grad()
    def feedback_weights(self) -> Tensor:
        """What feedback goes through, for every rule, in the layout of `weight`; under ``brsf``, of the last pass."""
        if self.rule.symmetric:
            return self.weight.detach()
        return with_signs_of(self.weight, self._own_factors()) if self.R is None else self.R.detach()

    def reset_parameters(self) -> None:
        """`weight` and offset as PyTorch's layer draws them, and R."""
        super().reset_parameters()  # pyright: ignore[reportAttributeAccessIssue]
        if "rule" in self.__dict__:  # not while PyTorch's layer is being made
            self.draw_feedback()

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, feedback={self.rule.name}"

    def _to_follow(self) -> tuple[Tensor | None, Tensor | None]:
        """Whose signs R has in this pass, and their factors; None, None where R is its own."""
        if self.rule.signs is None:
            return None, None
        factors = self._own_factors()
        if self.rule.signs.magnitudes == "batch" and self.training and torch.is_grad_enabled():
            with torch.no_grad():
                factors = self._drawn_factors()
                assert self.factors is not None
                self.factors.copy_(factors)  # to be looked at: a compiled backward pass may not read what changes
        return self.weight.detach(), factors

    def _own_factors(self) -> Tensor:
        return self.weight.new_full((), self._scale()) if self.factors is None else self.factors

    def _drawn_factors(self) -> Tensor:
        assert self.rule.signs is not None
        drawn = self._scale() * torch.rand_like(self.weight)
        if not self.rule.signs.flip_probability:
            return drawn
        return torch.where(torch.rand_like(drawn) < self.rule.signs.flip_probability, -drawn, drawn)

    def _scale(self) -> float:
        assert self.rule.signs is not None
        return scale_of_layer(*self.in_notation, self.rule.signs)
