"""How increments become changes of the weights: plainly, or by what Liao, Leibo and Poggio add (section 3).

    w(t+1) = w(t) + eta tau(t)                                                (their equation 3)

with G the increment of the batch, -sum_b dE/dw, m momentum and d weight decay:

==========  ===================================================================================
Manhattan   tau(t)
==========  ===================================================================================
0           G + m tau(t-1) - d w(t): stochastic gradient descent
1           sign(G) + m tau(t-1) - d w(t): "Batch Manhattan", the setting of most experiments
2           sign(sign(G) + m tau(t-1) - d w(t))
3           sign(kappa(t)), kappa(t) = sign(G) + m kappa(t-1) - d w(t)
==========  ===================================================================================

sign(0) is 0 here, other than in the feedback: a weight whose increment is exactly 0, that of a silent unit or of no
connection, is not pushed in a direction that nothing asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from network.errors import BadInput, unknown
from network.rules import Rule

MANHATTAN = (0, 1, 2, 3)
LEARNS = ("all", "bottom", "top")
OVER_BATCH = ("mean", "sum")


@dataclass(frozen=True)
class Update:
    """How increments become changes of the weights. The default adds them as they are.

    Attributes
    ----------
    manhattan : {0, 1, 2, 3}
        The setting in the table above.
    momentum, weight_decay : float
        m and d.
    over_batch : {"mean", "sum"}
        What G is of the products of a batch: their mean, as everywhere else here, or their sum, as in the paper.
        It matters to setting 0 only, and there a sum is a mean with N times eta and 1/N of d.
    schedule : tuple of (int, float)
        (update, factor): after so many updates, eta times this factor. Updates grow; before the first the factor is 1.
    learns : {"all", "bottom", "top"}
        Which layers change: all, all but the output layer, or only that (the clamped controls of experiment C2).

    Raises
    ------
    BadInput
        For a number out of range or an unknown word.
    """

    manhattan: int = 0
    momentum: float = 0.0
    weight_decay: float = 0.0
    over_batch: str = "mean"
    schedule: tuple[tuple[int, float], ...] = ()
    learns: str = "all"

    def __post_init__(self) -> None:
        if self.manhattan not in MANHATTAN:
            raise BadInput(f"Manhattan setting {self.manhattan}: expected 0 (magnitudes count) to 3")
        if not 0 <= self.momentum < 1:
            raise BadInput(f"momentum {self.momentum:g}: expected 0 <= momentum < 1; Liao et al. use 0.9")
        if not 0 <= self.weight_decay < float("inf"):
            raise BadInput(f"weight decay {self.weight_decay:g}: expected 0 or more")
        if self.over_batch not in OVER_BATCH:
            raise unknown("over batch", self.over_batch, OVER_BATCH)
        if self.learns not in LEARNS:
            raise unknown("learns", self.learns, LEARNS)
        starts = [start for start, _ in self.schedule]
        if starts != sorted(set(starts)) or any(start < 0 for start in starts):
            raise BadInput(f"schedule {self.schedule}: expected updates that grow, from 0 or later")
        if not all(0 < factor < float("inf") for _, factor in self.schedule):
            raise BadInput(f"schedule {self.schedule}: expected positive factors of eta")

    @property
    def is_plain(self) -> bool:
        """Whether weights change by their increments and nothing else."""
        return self == PLAIN

    def by_updates(self, updates: int) -> "Update":
        """This update where its schedule counted epochs, from 1, of so many updates each."""
        return replace(self, schedule=tuple(((epoch - 1) * updates, factor) for epoch, factor in self.schedule))

    def factor(self, step: int) -> float:
        """What eta is multiplied by in the update after `step` others."""
        return next((factor for start, factor in reversed(self.schedule) if step >= start), 1.0)

    def changes(self, is_output: bool) -> bool:
        """Whether the output layer, or any other, changes at all."""
        return self.learns == "all" or (self.learns == "top") == is_output


PLAIN = Update()


def parse_schedule(text: str) -> tuple[tuple[int, float], ...]:
    """A schedule by epochs, ``"51:.1,61:.01"``: from epoch 51 on a tenth of eta, from 61 on a hundredth.

    Raises
    ------
    BadInput
        For a part that is not ``epoch:factor``, or epochs that do not grow from 1.
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    schedule = []
    for part in parts:
        epoch, colon, factor = part.partition(":")
        try:
            schedule.append((int(epoch), float(factor)))
        except ValueError:
            colon = ""
        if not colon:
            raise BadInput(f"schedule {text!r}: {part!r} is not epoch:factor, as in 51:.1,61:.01")
    if any(epoch < 1 for epoch, _ in schedule):
        raise BadInput(f"schedule {text!r}: epochs count from 1")
    return tuple(schedule)


def check_update(update: Update, rule: Rule, order: str) -> None:
    """Refuse an update that a rule or an order gives no meaning to; `BadInput` says which."""
    if update.is_plain:
        return
    if order == "after_update":
        raise BadInput(
            "order 'after_update' adds the increment itself to R before the feedback passes: it takes no momentum, "
            "decay, Manhattan setting, schedule or clamped layers; --order before_update"
        )
    if rule.feedback_decay:
        raise BadInput("feedback decay is a part of plain updates; take the weight decay of the update, or none")


class Updater:
    """Turns increments into changes, array by array, and remembers tau (kappa in setting 3) where there is momentum.

    NumPy arrays and torch tensors alike: it only adds, multiplies and takes signs.

    Parameters
    ----------
    update : Update
    eta : float
        Time step that the increments carry.
    sign : callable
        Elementwise, with sign(0) = 0: ``numpy.sign`` or ``torch.sign``.
    tau : dict of str to array
        What is remembered from earlier updates, by array (``"W/1"``); kept here and changed.
    """

    def __init__(
        self, update: Update, eta: float, sign: Callable[[Any], Any] = np.sign, tau: dict[str, Any] | None = None
    ) -> None:
        self.update = update
        self.tau: dict[str, Any] = {} if tau is None else tau
        self._eta = eta
        self._sign = sign

    def change(self, name: str, increment: Any, weight: Any, step: int, count: int) -> Any:
        """What is added to `weight`.

        Parameters
        ----------
        name : str
            Of the array, ``"W/1"``.
        increment : array
            (eta/N) sum_b delta x, as `StepTrace` has it.
        weight : array
            As it is before the update.
        step, count : int
            Updates made before; images N in the batch.
        """
        update = self.update
        if update.is_plain:
            return increment
        G = increment / self._eta * (count if update.over_batch == "sum" else 1)
        tau = self._sign(G) if update.manhattan else G
        if name in self.tau:
            tau = tau + update.momentum * self.tau[name]
        if update.weight_decay:
            tau = tau - update.weight_decay * weight
        if update.manhattan == 2:
            tau = self._sign(tau)
        if update.momentum:
            self.tau[name] = tau
        return self._eta * update.factor(step) * (self._sign(tau) if update.manhattan == 3 else tau)
