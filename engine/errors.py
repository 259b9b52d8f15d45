"""What the engine raises when it cannot go on: every message says what was found, where, and what would be right."""


class EngineError(Exception):
    """Any failure that a user can understand and mend; the command line prints it as one line."""


class DataError(EngineError):
    """A file or an array does not hold what it should."""


class ConfigError(EngineError):
    """A setting is unknown, out of range or at odds with the data."""


class RunError(EngineError):
    """A run folder is missing, incomplete, damaged or cannot be written."""


class Cancelled(EngineError):  # noqa: N818 (a request, not a fault)
    """The work was stopped on request; what was written before is intact."""
