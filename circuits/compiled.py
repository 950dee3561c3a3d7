"""Numba as the exact solutions use it."""

try:
    import numba
except ModuleNotFoundError as error:
    message = "the exact solutions need numba: pip install 'hebb[circuits]'; or use the discrete form"
    raise ModuleNotFoundError(message, name=error.name) from error

# Kept on disk, so that only the first use ever waits for the compiler; without the interpreter's lock, for threads.
compiled = numba.njit(cache=True, nogil=True)
