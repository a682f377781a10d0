"""Gates as arrays in an npz file, numbered as `difflut.from_netlist` takes them."""

from __future__ import annotations

import io

import numpy as np

from difflut.export.exchange.gates import Gates


def tables(gates: Gates, name: str) -> bytes:
    """The file: `inputs`, their number; `offsets`, `connections` and `tables` of the nodes; `outputs`, a net for each
    output bit. Inputs and outputs stand in the order of the ports; nothing in it has a name.
    """
    inputs = np.array([len(feeds) for feeds, _ in gates.nodes], np.int64)
    entries = [
        np.unpackbits(np.frombuffer(table.to_bytes(32, "little"), np.uint8), bitorder="little")[: 1 << len(feeds)]
        for feeds, table in gates.nodes
    ]
    file = io.BytesIO()
    np.savez(
        file,
        inputs=np.array(len(gates.inputs)),
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(inputs)]),
        connections=np.array([feed for feeds, _ in gates.nodes for feed in feeds], np.int64),
        tables=np.concatenate([np.zeros(0, np.uint8), *entries]),
        outputs=np.array([net for _, net in gates.outputs], np.int64),
    )
    return file.getvalue()
