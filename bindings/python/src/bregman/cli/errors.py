"""The error of the command line's own."""


class UsageError(ValueError):
    """What was asked for cannot be done: a file, a name or a model is not as it must be. The text says why."""
