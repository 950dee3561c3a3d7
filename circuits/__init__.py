"""Single-unit microcircuits: Amit's Appendix 1 as circuits in time, with their oscillation cycles and figures.

Importing the package loads none of its parts, so that one who needs only the transfer functions waits for no compiler.
"""
