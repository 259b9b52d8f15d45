"""Why a descriptor has no value at a site."""

from engine.errors import EngineError


class NotDefinedError(EngineError):
    """A descriptor has no value at this site; the message is the reason that the table of failures shows."""


class TimedOutError(NotDefinedError):
    """A descriptor was given up for time; unlike other reasons it is not remembered in the cache."""
