import numpy as np
from hypothesis import given, settings
from netlists import layered_netlist, netlists

from difflut.export.circuit.analysis import features_read, independent_runs, levels, live_nets
from difflut.export.circuit.netlist import Netlist


@given(netlists())
@settings(max_examples=100, deadline=None)
def test_levels_liveness_and_runs_as_defined(netlist: Netlist) -> None:
    level = [0, 0] + [1] * netlist.comparators
    for lut in range(netlist.luts):
        level.append(1 + max(level[net] for net in netlist.fanin(lut)))
    assert levels(netlist).tolist() == level[2:]

    live = set(netlist.head.nets.tolist())
    for lut in reversed(range(netlist.luts)):
        if netlist.first_lut_net + lut in live:
            live.update(netlist.fanin(lut).tolist())
    assert set(np.flatnonzero(live_nets(netlist)).tolist()) == live
    read = {int(netlist.compare_feature[net - 2]) for net in live if 2 <= net < netlist.first_lut_net}
    assert features_read(netlist).tolist() == sorted(read)

    runs = list(independent_runs(netlist))
    assert [lut for run in runs for lut in range(run.start, run.stop)] == list(range(netlist.luts))
    for run in runs:
        nets = {int(net) for lut in range(run.start, run.stop) for net in netlist.fanin(lut)}
        assert max(nets) < netlist.first_lut_net + run.start


def test_one_run_a_layer() -> None:
    netlist = layered_netlist((300, 200, 100), features=5, comparators=50)
    assert list(independent_runs(netlist)) == [slice(0, 300), slice(300, 500), slice(500, 600)]
