"""The torch engine on a GPU: the same equations, with nothing left to the host between one epoch and the next."""
