"""The transfer functions of Appendix 1, each defined once for NumPy, Numba and Brian2.

A function here is a single ``return`` of arithmetic and comparisons. NumPy runs it on arrays as it stands, Numba
compiles it, and `brian_expression` turns its source into the text of a Brian2 equation, so the three
cannot drift apart.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable


def saturate(h, gain=1.0):
    """σ(h) = clip(g h, -1, 1): the activity x of a unit with input h (section 2); dimensionless, as `h`."""
    return gain * h * (abs(gain * h) < 1.0) + 1.0 * (gain * h >= 1.0) - 1.0 * (gain * h <= -1.0)


def drive(h, s, tc, M):
    """H = h + 2 M s - 2 M tc: the whole input of the error unit.

    Written with s - tc, so that a unit which its control has shut off (tc = s) receives exactly h, without the rounding
    of h + 2 M: near |h| = M that rounding could lift H onto the plateau.
    """
    return h + 2.0 * M * (s - tc)


def sigma_delta(H, M, S, mu, epsilon):
    """σ_δ(H): five levels, -mu - epsilon, -mu, 0, 1 and 1 + epsilon (figure 13, left).

    The definition assigns H = M to both 1 and 0, and H = -M to both 0 and -mu. Here both belong to the plateau, which
    is what a unit with |h| < M needs when h + 2 M rounds to M.
    """
    return 1.0 * (H >= M) + epsilon * (H > 2.0 * M + S) - mu * (H <= -M) - epsilon * (H < -2.0 * M - S)


def sigma_t(delta, upper, lower):
    """σ_t(δ): 1 above `upper`, -1 below `lower`, 0 from one to the other inclusive (figure 13, right).

    The paper's thresholds are 1 and -mu; `circuits.parameters.OutputError` holds them.
    """
    return 1.0 * (delta > upper) - 1.0 * (delta < lower)


def u(x):
    """The upper shutdown unit, 1[x >= 1]."""
    return 1.0 * (x >= 1.0)


def v(x):
    """The lower shutdown unit, -1[x <= -1]."""
    return -1.0 * (x <= -1.0)


def inhibited(delta, u, v, K):
    """δ - 2 K u + 2 K v: the feedback as it reaches the unit with its shutdown units."""
    return delta - 2.0 * K * u + 2.0 * K * v


def shut_off(z, K):
    """σ_δ of the shutdown circuit: z where z >= -K, else 0."""
    return z * (z >= -K)


def brian_expression(function: Callable, **arguments: str | float) -> str:
    """The text of a transfer function as a Brian2 expression, the same for every code generation target.

    Parameters
    ----------
    function : callable
        One of the functions of this module.
    **arguments : str or float
        What stands for each argument: an expression, or a number. An argument left out keeps its name, or its default
        value where it has one.

    Returns
    -------
    str
        Comparisons are wrapped in ``int()``, Brian2's conversion from boolean to number.

    Examples
    --------
    >>> brian_expression(u, x="clip(p, -1, 1)")
    '1.0 * int(clip(p, -1, 1) >= 1.0)'
    """
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(definition, ast.FunctionDef)
    last = definition.body[-1]
    assert isinstance(last, ast.Return) and last.value is not None
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    unknown = set(arguments) - set(inspect.signature(function).parameters)
    if unknown:
        raise TypeError(f"{function.__name__} has no argument {', '.join(sorted(unknown))}")
    replacements = {name: ast.parse(str(text), mode="eval").body for name, text in (defaults | arguments).items()}
    return ast.unparse(_ToBrian(replacements).visit(last.value))


class _ToBrian(ast.NodeTransformer):
    """Put expressions for names, and ``int()`` around comparisons."""

    def __init__(self, replacements: dict[str, ast.expr]):
        self.replacements = replacements

    def visit_Name(self, node: ast.Name) -> ast.expr:
        # What is put in is the caller's own text: it is not visited again.
        return self.replacements.get(node.id, node)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        return ast.Call(func=ast.Name(id="int", ctx=ast.Load()), args=[node], keywords=[])
