"""The errors that a user can do something about."""

from __future__ import annotations


class UserError(ValueError):
    """What was given cannot work; the message is one sentence that names the thing, its value and the remedy.

    Commands print it instead of a traceback; every other error keeps its traceback.
    """


class AbsentError(UserError, FileNotFoundError):
    """A file or folder that was named is not there."""


class NonFiniteError(UserError, FloatingPointError):
    """A training has left the numbers that can be computed with."""


class SpaceError(UserError, OSError):
    """A disk has too little room for what is about to be written."""
