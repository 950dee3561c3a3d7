"""Compiled kernels of the torch engine on the CPU."""
