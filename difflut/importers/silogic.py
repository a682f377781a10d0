"""silogic: the state dict of its LogicNet of fully connected logic layers.

Source: the repository silogic, its modules layers, connectomes and nodes: what `forward_hard` computes. Inputs are bits
x >= t, threshold by threshold: bit t * features + f. Input 0 of a node is the least significant one, but for the
sixteen gates, whose first input is the more significant.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.importers.contents import Content, array_of
from difflut.importers.importer import Importer
from difflut.importers.network import Ints, Network
from difflut.importers.said import Said, network_of, reached
from difflut.importers.sequential import Tables, floats, gate_tables, integers, keys_of, numbered

_NODES = r"node\.(?:gate_logits|logits|theta|basis|truth|corners|mono_mask)"
_WIRES = r"_conn\.(?:cand|cand_i32|conn|idx)"


def recognises(content: Content) -> bool:
    """Whether a file is a mapping with connectomes."""
    return any("._conn." in key for key in keys_of(content))


def read(content: Content, said: Said) -> Network:
    """The network of a file of a state dict."""
    for key in keys_of(content):
        if key.startswith("blocks."):
            raise content.refuse("has convolutional blocks, which are not read; expected layers of a LogicNet")
        if key.startswith("head."):
            raise content.refuse(f"has a learned decoder, {key!a:.60}, which has no circuit here; expected a GroupSum")
    connections, tables = [], []
    for number, parts in numbered(content, f"{_NODES}|{_WIRES}", "silogic"):
        wires = _wires(content, number, parts)
        reverse, entries = _tables(content, number, parts, wires.shape[1], said)
        if len(entries) != len(wires):
            raise content.refuse(f"layer {number} has {len(entries)} tables and {len(wires)} nodes with connections")
        connections.append(np.ascontiguousarray(wires[:, ::-1]) if reverse else wires)
        tables.append(entries)
    return network_of(content, reached(said), (tuple(connections), tuple(tables)), planes=1, whole_groups=True)


def _wires(content: Content, number: int, parts: Mapping[str, Any]) -> Ints:
    """int64 (nodes, n)."""
    if "_conn.idx" in parts:
        return integers(content, f"{number}._conn.idx", parts["_conn.idx"], 2)
    weights = floats(content, f"{number}._conn.conn", parts.get("_conn.conn"), None, None, None)
    chosen: Ints = weights.argmax(axis=2)
    if "_conn.cand" not in parts:
        return chosen
    candidates = integers(content, f"{number}._conn.cand", parts["_conn.cand"], 3)
    if candidates.shape != weights.shape:
        raise content.refuse(f"layer {number} has candidates {candidates.shape} and weights of {weights.shape}")
    found: Ints = np.take_along_axis(candidates, chosen[:, :, None], axis=2)[:, :, 0]
    return found


def _tables(content: Content, number: int, parts: Mapping[str, Any], n: int, said: Said) -> tuple[bool, Tables]:
    """Whether input 0 is the most significant one, and tables (nodes, 2**n)."""
    if n > 8:
        raise content.refuse(f"layer {number} has nodes of {n} inputs; at most 8 are supported")
    kinds = [part for part in ("node.gate_logits", "node.logits", "node.theta") if part in parts]
    if len(kinds) != 1:
        raise content.refuse(f"layer {number} has {sorted(parts)}; expected one of gate_logits, logits and theta")
    what, value = f"{number}.{kinds[0]}", parts[kinds[0]]
    if kinds == ["node.gate_logits"]:
        weights = floats(content, what, value, None, 16)
        if n != 2:
            raise content.refuse(f"layer {number} has gates of two inputs and connections for {n}")
        return True, gate_tables(weights.argmax(axis=1))
    if kinds == ["node.logits"]:
        return False, floats(content, what, value, None, 1 << n) > 0
    bits = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1  # (addresses, n)
    if "node.mono_mask" in parts:
        mask = array_of(content, f"{number}.node.mono_mask", parts["node.mono_mask"])
        if mask.ndim != 2 or not any(np.array_equal(mask, _monomials(n, d)) for d in range(1, n + 1)):
            raise content.refuse(f"{number}.node.mono_mask is {mask.shape}; expected all products of some degree")
        products = np.all((bits[:, None, :] == 1) | (mask[None] == 0), axis=2)
        return False, _sums(floats(content, what, value, None, len(mask)), products) >= 0
    family = _family(content, number, array_of(content, what, value), n, said)
    if family == "walsh":
        signs = 1 - 2 * (((bits[:, None, :] == 0) & (bits[None] == 1)).sum(axis=2) & 1)
        return False, _sums(floats(content, what, value, None, 1 << n), signs) > 0
    ones = np.concatenate([np.ones((1 << n, 1)), bits], axis=1)
    return False, _sums(floats(content, what, value, None, n + 1), ones) >= 0


def _sums(theta: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """float64 (nodes, addresses), of theta (nodes, terms) and values (addresses, terms); float32 sums would depend on
    the order of their terms.
    """
    return theta.astype(np.float64) @ values.astype(np.float64).T


def _family(content: Content, number: int, theta: npt.NDArray[Any], n: int, said: Said) -> str:
    sizes = {"walsh": 1 << n, "linear": n + 1}
    fitting = [name for name, size in sizes.items() if theta.shape[1:] == (size,)]
    if len(fitting) == 1:
        return fitting[0]
    if len(fitting) == 2 and said.nodes in fitting:
        return str(said.nodes)
    if fitting:
        raise content.refuse(f"layer {number} may have walsh or linear nodes; give --nodes (nodes= in Python)")
    raise content.refuse(f"{number}.node.theta is {theta.shape}; expected 2**n or n + 1 columns for {n} inputs")


def _monomials(n: int, degree: int) -> npt.NDArray[np.float32]:
    """(products, n): which inputs each product of at most so many of them has."""
    subsets = [subset for size in range(degree + 1) for subset in combinations(range(n), size)]
    mask = np.zeros((len(subsets), n), np.float32)
    for row, subset in zip(mask, subsets, strict=True):
        row[list(subset)] = 1
    return mask


TAKES = "no outputs of layers are wires (wire_residual=0)"
IMPORTER = Importer("state dict of silogic's LogicNet", recognises, read, TAKES)
