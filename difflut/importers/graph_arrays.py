"""Arrays of any graph of nodes in an npz file, as `difflut export --target tables` writes them."""

from __future__ import annotations

import numpy as np

from difflut.importers.contents import Content, array_of
from difflut.importers.graph import GraphNetwork
from difflut.importers.importer import Importer
from difflut.importers.logic import words_of
from difflut.importers.network import Network
from difflut.importers.said import Said

_KNOWN = ("inputs", "offsets", "connections", "tables", "outputs")


def recognises(content: Content) -> bool:
    """Whether an npz file has the offsets of nodes."""
    return content.container == "npz" and "offsets" in content.value


def read(content: Content, said: Said) -> Network:
    """The circuit of a file: bits in, bits out."""
    if set(content.value) != set(_KNOWN):
        raise content.refuse(f"has arrays {', '.join(sorted(content.value))!a:.200}; expected {', '.join(_KNOWN)}")
    found = {}
    for name in _KNOWN:
        found[name] = array_of(content, name, content.value[name])
        if found[name].dtype.kind not in "biu" or found[name].ndim != (name != "inputs"):
            given = f"{found[name].dtype} {found[name].shape}"
            raise content.refuse(f"{name} is {given}; expected {'integers' if name != 'inputs' else 'a number'}")
    if not np.isin(found["tables"], (0, 1)).all() or not len(found["offsets"]):
        raise content.refuse("has tables of other values than 0 and 1, or no offsets")
    outputs = found["outputs"].astype(np.int64)
    return GraphNetwork(
        thresholds=None,
        features=int(found["inputs"]),
        offsets=found["offsets"].astype(np.int64),
        connections=found["connections"].astype(np.int64),
        tables=found["tables"].astype(np.bool_),
        outputs=tuple(outputs[:, None]),
        head="bits",
        options={"words": [list(word) for word in words_of([f"{i}" for i in range(len(outputs))], said.numbers)]},
    )


IMPORTER = Importer("arrays of any graph of nodes in an npz file", recognises, read)
