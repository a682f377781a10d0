"""What a format is: how a file of it is known, and how its network is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from difflut.importers.contents import Content
from difflut.importers.network import Network
from difflut.importers.said import Said


@dataclass(frozen=True)
class Importer:
    """One format.

    Attributes:
        description: one line about it.
        recognises: whether a content is of the format.
        read: its network, with what the user says; raises `NetworkFileError`, of a content of another format too.
        takes: what no file of the format tells, and how it is taken, in words; empty if there is nothing.
    """

    description: str
    recognises: Callable[[Content], bool]
    read: Callable[[Content, Said], Network]
    takes: str = ""
