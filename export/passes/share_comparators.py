"""Build equal comparisons once."""

from __future__ import annotations

import numpy as np

from difflut.export.circuit.netlist import FIRST_NET, Netlist, comparator_keys


def share_comparators(netlist: Netlist) -> Netlist:
    """Merge comparators of equal feature and threshold into the one of the earliest stage, of those the first.

    The earliest stage, because a reader of any copy may read it. The comparators that stay keep their order.
    """
    keys = comparator_keys(netlist.compare_feature, netlist.compare_threshold)
    order = np.lexsort((netlist.stage[: netlist.comparators], keys))
    leads = np.ones(netlist.comparators, np.bool_)
    leads[1:] = keys[order][1:] != keys[order][:-1]
    if leads.all():
        return netlist
    alias = np.arange(netlist.nets)
    alias[FIRST_NET + order] = FIRST_NET + order[leads][np.cumsum(leads) - 1]
    keep = np.ones(netlist.comparators + netlist.luts, np.bool_)
    keep[order[~leads]] = False
    return netlist.keep_cells(keep, alias)
