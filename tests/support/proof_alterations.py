"""Netlists with one thing changed, and all inputs of a small one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from difflut.export.circuit.netlist import Netlist


def every_code(netlist: Netlist) -> np.ndarray:
    """int64 (all, features): every input."""
    form = netlist.input
    axes = [np.arange(form.lowest, form.highest + 1)] * form.features
    return np.stack([axis.reshape(-1) for axis in np.meshgrid(*axes)], axis=1)


@st.composite
def altered(draw: st.DrawFn, netlist: Netlist) -> Netlist:
    """One table bit, connection, threshold, bit of a code or counted net is another."""
    kinds = ["head"] + ["table", "connection"] * bool(netlist.luts) + ["threshold"] * bool(netlist.comparators)
    kind = draw(st.sampled_from(kinds))
    if kind == "table":
        lut = draw(st.integers(0, netlist.luts - 1))
        address = draw(st.integers(0, (1 << int(netlist.lut_inputs[lut])) - 1))
        tables = netlist.lut_tables.copy()
        tables[netlist.table_offsets[lut] + address // 64] ^= np.uint64(1 << address % 64)
        return netlist.with_(lut_tables=tables)
    if kind == "connection":
        fanin = netlist.lut_fanin.copy()
        fanin[draw(st.integers(0, len(fanin) - 1))] = draw(st.integers(0, netlist.first_lut_net - 1))
        return netlist.with_(lut_fanin=fanin)
    if kind == "threshold":
        thresholds = netlist.compare_threshold.copy()
        cell = draw(st.integers(0, len(thresholds) - 1))
        form = netlist.input
        if netlist.compare_feature[cell] >= form.features:
            numbers = netlist.compare_feature.copy()
            numbers[cell] = form.features + draw(st.integers(0, form.features * form.width_bits - 1))
            return netlist.with_(compare_feature=numbers)
        thresholds[cell] = draw(st.integers(form.lowest + 1, form.highest))
        return netlist.with_(compare_threshold=thresholds)
    nets = netlist.head.nets.copy()
    nets[draw(st.integers(0, len(nets) - 1))] = draw(st.integers(0, netlist.nets - 1))
    return netlist.with_(head=replace(netlist.head, nets=nets))
