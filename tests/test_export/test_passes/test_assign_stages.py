import numpy as np
from hypothesis import given, settings
from netlists import netlists_with_codes

from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate_nets
from difflut.export.passes.assign_stages import assign_stages


@given(netlists_with_codes())
@settings(max_examples=50, deadline=None)
def test_only_stages_change_and_each_follows_its_fanin(case: tuple[Netlist, np.ndarray]) -> None:
    netlist, codes = case
    result = assign_stages(netlist)
    check(result)
    assert result.with_(stage=netlist.stage) == netlist
    assert np.array_equal(simulate_nets(result, codes), simulate_nets(netlist, codes))
    stage_of_net = [0, 0, *result.stage.tolist()]
    assert stage_of_net[2 : netlist.first_lut_net] == [1] * netlist.comparators
    for lut in range(netlist.luts):
        latest = max(stage_of_net[net] for net in netlist.fanin(lut))
        assert stage_of_net[netlist.first_lut_net + lut] == 1 + latest
    assert assign_stages(result) == result


def test_a_skip_connection_and_a_constant_lut() -> None:
    builder = NetlistBuilder("skip", InputFormat(1, 1))
    x = builder.add_comparators([0], [1])[0]
    buffer, invert = np.array([[0, 1]], bool), np.array([[1, 0]], bool)
    a = builder.add_layer([[x]], buffer)[0]
    b = builder.add_layer([[a]], invert)[0]
    builder.add_layer([[1]], buffer)
    c = builder.add_layer([[x, b]], np.array([[0, 1, 1, 0]], bool))
    assert assign_stages(builder.finish([c])).stage.tolist() == [1, 2, 3, 1, 4]
