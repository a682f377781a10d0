"""The exceptions that difflut raises on purpose.

Every message says what was given, what was expected and the remedy. The command line prints the message of a
`DifflutError` and exits with its status.
"""

from __future__ import annotations

from typing import ClassVar


class DifflutError(Exception):
    """Base class of all errors that difflut raises on purpose.

    Attributes:
        exit_status: with which the command line ends: 2 for unusable input, 1 where a check found a fault.
    """

    exit_status: ClassVar[int] = 2


class ConfigError(DifflutError, ValueError):
    """An argument or configuration value is outside what is supported."""


class InputShapeError(DifflutError, ValueError):
    """A tensor has a shape or dtype that the model does not take."""


class NotFittedError(DifflutError, RuntimeError):
    """A model was used before its encoder was fitted or a checkpoint was loaded."""


class UnknownNameError(DifflutError, KeyError):
    """A registry has no entry of the given name."""

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0])


class CheckpointError(DifflutError):
    """A checkpoint file is missing, unreadable, or belongs to another model."""


class NetworkFileError(DifflutError):
    """A file of a network of another library cannot be read, or what it does not say is missing."""


class DataError(DifflutError):
    """A data set is missing or is not what it should be."""


class LostFeatureWarning(UserWarning):
    """Training goes on without a feature of its data."""
