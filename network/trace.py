"""What one presentation did: the value that every engine returns, so that any two can be compared."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = dict[int, np.ndarray]


@dataclass
class StepTrace:
    """One presentation of a batch: activity going up, feedback coming down, and the Hebbian increments.

    All are keyed by i = 1, 2, ... counting only the layers with weights, from the input. Frozen layers have h and x
    alone.

    Attributes
    ----------
    h : dict of int to numpy.ndarray
        Input of the units, equation (1); (N, C, H, W) or (N, units).
    x : dict of int to numpy.ndarray
        Their activity, clip(g h, -1, 1); at the output h itself. As `h`.
    delta : dict of int to numpy.ndarray
        Feedback activity, equations (2), (3) and (6): -dL/dh where feedback goes through W. As `h`.
    dW, dR : dict of int to numpy.ndarray
        What is added to W and R, in their layouts: the mean over the batch. `dR` has the layers that have an R, and
        none where the rule makes R anew from W.
    dgamma, dbeta : dict of int to numpy.ndarray
        What is added to slope and offset where a layer's batch normalisation learns; one a feature map or full unit.
    ties : int
        Outputs so near the margin that a comparison made in the circuit's range could go either way.
    meta : dict
        ``engine``, ``rule``, ``order``, ``eta``, ``mu``, ``gain``, ``net``, ``dtype``, ``versions``.
    """

    h: Arrays = field(default_factory=dict)
    x: Arrays = field(default_factory=dict)
    delta: Arrays = field(default_factory=dict)
    dW: Arrays = field(default_factory=dict)
    dR: Arrays = field(default_factory=dict)
    dgamma: Arrays = field(default_factory=dict)
    dbeta: Arrays = field(default_factory=dict)
    ties: int = 0
    meta: dict[str, Any] = field(default_factory=dict)

    def arrays(self) -> dict[str, Arrays]:
        """The arrays by quantity, in the order in which a presentation makes them."""
        normalised = {"dgamma": self.dgamma, "dbeta": self.dbeta} if self.dgamma else {}
        return {"h": self.h, "x": self.x, "delta": self.delta, "dW": self.dW, "dR": self.dR, **normalised}

    def increments(self) -> dict[str, Arrays]:
        """What is added, by what it is added to: the fields of `network.weights.Weights`."""
        return {"W": self.dW, "R": self.dR, "gamma": self.dgamma, "beta": self.dbeta}


def count_ties(outputs: np.ndarray, labels: np.ndarray, margin: float, dtype: str) -> int:
    """Outputs whose side of the margin the circuit could misjudge in `dtype`.

    The circuit compares h + 2 M s with 2 M + S: near that sum, floating point numbers lie further apart than near S.

    Parameters
    ----------
    outputs : numpy.ndarray, (N, classes)
        h of the output layer.
    labels : numpy.ndarray of int, (N,)
    margin : float
        S.
    dtype : str
        The precision that the comparison would be made in.

    Returns
    -------
    int
        How many have |h - s S| below the spacing of `dtype` at 2 M + S, where M = max(|h|, S) is the least it can be.
    """
    supervision = np.where(np.arange(outputs.shape[1]) == labels[:, None], 1.0, -1.0)  # s
    bound = max(float(np.abs(outputs).max()), margin)  # M
    spacing = np.spacing(np.asarray(2 * bound + margin, dtype=dtype))
    return int(np.count_nonzero(np.abs(outputs - supervision * margin) < spacing))
