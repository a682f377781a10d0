"""LUT layers: connections, the straight-through choice, freezing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from difflut.errors import ConfigError, InputShapeError, UnknownNameError
from difflut.functional import lut_lookup
from difflut.layers import LearnableConnections, LUTLayer, butterfly_connections, random_connections

TRAINED = ["dwn", "dwn_stable", "linear"]
KINDS: list[dict[str, object]] = [
    {},
    {"connections": "butterfly"},
    {"connections": "learnable"},
    {"connections": "learnable", "candidates": 5},
]


def bits_for(layer: LUTLayer, samples: int = 33) -> Tensor:
    return torch.rand(samples, layer.in_width, generator=torch.Generator().manual_seed(1)) < 0.5


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("connect", [random_connections, butterfly_connections])
@pytest.mark.parametrize(
    ("in_width", "nodes", "n"), [(1, 3, 2), (5, 4, 6), (12, 4, 3), (100, 7, 8), (64, 64, 4), (50, 33, 6), (7, 20, 3)]
)
def test_connections_use_each_bit_about_equally_often(
    connect: Callable[[int, int, int], Tensor], in_width: int, nodes: int, n: int
) -> None:
    connections = connect(in_width, nodes, n)
    assert connections.dtype == torch.int64
    assert connections.shape == (nodes, n)
    counts = torch.bincount(connections.flatten(), minlength=in_width)
    assert len(counts) == in_width
    assert int(counts.max() - counts.min()) <= 1
    if connect is butterfly_connections and n <= in_width:
        assert all(len(set(row)) == n for row in connections.tolist())


def test_random_connections_follow_the_seed() -> None:
    first = random_connections(50, 8, 6)
    assert not torch.equal(random_connections(50, 8, 6), first)
    torch.manual_seed(0)
    assert torch.equal(random_connections(50, 8, 6), first)


def test_butterflies_are_those_of_a_transform() -> None:
    assert butterfly_connections(8, 8, 2).tolist() == [[0, 4]] * 2 + [[1, 5]] * 2 + [[2, 6]] * 2 + [[3, 7]] * 2
    assert butterfly_connections(7, 4, 2).tolist() == [[0, 4], [1, 5], [2, 6], [3, 0]]


@pytest.mark.parametrize(("n", "depth"), [(2, 5), (4, 3), (6, 2)])
def test_after_as_many_butterflies_as_digits_every_node_depends_on_every_bit(n: int, depth: int) -> None:
    width = n**depth
    reached = torch.eye(width, dtype=torch.bool)  # of each node, the bits that it depends on
    for level in range(depth):
        reached = reached[LUTLayer(width, width, n, connections="butterfly").connections].any(dim=1)
        assert bool((reached.sum(dim=1) == n ** (level + 1)).all())


@pytest.mark.parametrize("family", TRAINED)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 3, 8])
def test_train_and_eval_agree(family: str, kind: dict[str, object], n: int) -> None:
    layer = LUTLayer(10, 9, n, family, **kind)  # type: ignore[arg-type]
    bits = bits_for(layer)
    trained = layer.train()(bits)
    evaluated = layer.eval()(bits)
    assert trained.dtype == torch.float32
    assert evaluated.dtype == torch.bool
    assert torch.equal(trained, evaluated.float())
    assert torch.equal(evaluated, lut_lookup(bits, layer.connections, layer.truth_tables()))
    assert torch.equal(layer(bits.float()), evaluated)
    assert torch.equal(layer(bits.t().contiguous().t()), evaluated)
    assert layer(bits[:0]).shape == layer.train()(bits[:0]).shape == (0, 9)


@pytest.mark.parametrize("kind", KINDS[2:])
def test_eval_follows_what_training_prefers(kind: dict[str, object]) -> None:
    layer = LUTLayer(10, 6, 2, **kind)  # type: ignore[arg-type]
    before = layer.connections.clone()
    assert layer.learnable is not None
    with torch.no_grad():
        layer.learnable.weight.neg_()
    layer.eval()
    assert not torch.equal(layer.connections, before)
    assert torch.equal(layer.connections.flatten(), layer.learnable.selected())


def slow_select(module: LearnableConnections, columns: Tensor, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs, gradient of the columns and of the weights, port by port."""
    blocks, per_block, offered = module.weight.shape
    outputs, grad_columns = torch.zeros_like(grad), torch.zeros_like(columns)
    grad_weight = torch.zeros(blocks, per_block, offered)
    for port in range(module.ports):
        block, row = divmod(port, per_block)
        candidates = module.candidates[block].tolist()
        weights = module.weight[block, row].tolist()
        chosen = candidates[weights.index(max(weights))]
        outputs[port] = columns[chosen]
        grad_columns[chosen] += grad[port]
        for place, candidate in enumerate(candidates):
            grad_weight[block, row, place] = sum(
                float(g) * (1.0 if float(bit) else -1.0) for g, bit in zip(grad[port], columns[candidate], strict=True)
            )
    return outputs, grad_columns, grad_weight


@pytest.mark.parametrize(("ports", "candidates"), [(6, None), (6, 3), (7, 3), (13, 5), (1, 1), (4, 8)])
def test_straight_through_choice(ports: int, candidates: int | None) -> None:
    module = LearnableConnections(8, ports, candidates)
    columns = (torch.rand(8, 4) < 0.5).float().requires_grad_()
    grad = torch.randn(ports, 4)
    outputs = module(columns)
    outputs.backward(grad)
    expected, grad_columns, grad_weight = slow_select(module, columns.detach(), grad)
    assert torch.equal(outputs, expected)
    torch.testing.assert_close(columns.grad, grad_columns)
    torch.testing.assert_close(module.weight.grad, grad_weight)


@pytest.mark.parametrize(("in_width", "ports", "candidates"), [(2352, 24_000, 588), (100, 7, 10), (100, 1201, 30)])
def test_candidates(in_width: int, ports: int, candidates: int) -> None:
    module = LearnableConnections(in_width, ports, candidates)
    blocks, per_block, offered = module.weight.shape
    assert offered == candidates
    assert per_block <= LearnableConnections.PORTS_PER_BLOCK
    assert (blocks - 1) * per_block < ports <= blocks * per_block  # no block without a port
    assert module.candidates.shape == (blocks, candidates)
    assert all(len(set(row)) == candidates for row in module.candidates.tolist())
    assert 0 <= int(module.candidates.min()) <= int(module.candidates.max()) < in_width
    selected = module.selected()
    assert selected.shape == (ports,)
    for port in range(0, ports, 97):
        assert int(selected[port]) in module.candidates[port // per_block].tolist()


def test_a_small_layer_is_offered_most_bits() -> None:
    """Sharing one block of candidates would hide the other bits from the whole layer."""
    module = LearnableConnections(1000, 60, 100)
    assert len(module.candidates.unique()) > 800


def test_learnable_connections_are_learned() -> None:
    """Node j must copy input bit j of 16, which only the choice of inputs can do."""
    layer = LUTLayer(16, 8, 1, connections="learnable")
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(150):
        bits = torch.rand(64, 16) < 0.5
        optimizer.zero_grad()
        (layer(bits) - bits[:, :8].float()).square().mean().backward()
        optimizer.step()
        layer.nodes.project()
    bits = torch.rand(256, 16) < 0.5
    assert torch.equal(layer.eval()(bits), bits[:, :8])


@pytest.mark.parametrize("family", TRAINED)
@pytest.mark.parametrize("kind", KINDS)
def test_freeze_keeps_the_function(family: str, kind: dict[str, object]) -> None:
    layer = LUTLayer(10, 6, 3, family, **kind).eval()  # type: ignore[arg-type]
    bits = bits_for(layer)
    before = layer(bits)
    layer.freeze_connections()
    assert layer.learnable is None
    assert torch.equal(layer(bits), before)
    assert torch.equal(layer.train()(bits), before.float())
    layer.eval().freeze()
    assert layer.family == "fixed"
    assert not list(layer.parameters())
    assert sorted(layer.state_dict()) == ["nodes.tables", "wiring.connections"]
    assert not layer.nodes.training
    assert torch.equal(layer(bits), before)
    layer.freeze()
    assert torch.equal(layer(bits), before)


def test_freeze_while_training_takes_the_preferred_connections() -> None:
    layer = LUTLayer(10, 6, 3, connections="learnable").train()
    assert layer.learnable is not None
    with torch.no_grad():
        layer.learnable.weight.neg_()
    bits = bits_for(layer)
    expected = layer(bits)
    layer.freeze()
    assert torch.equal(layer(bits), expected)
    assert torch.equal(layer.eval()(bits).float(), expected)


def test_few_tensors_hold_all_nodes() -> None:
    assert len(list(LUTLayer(100, 1000, connections="learnable").modules())) == 3


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(3, 9), (3, 11), (10,), (2, 10, 1)])
def test_wrong_shape(training: bool, shape: tuple[int, ...]) -> None:
    layer = LUTLayer(10, 6).train(training)
    with pytest.raises(InputShapeError) as caught:
        layer(torch.zeros(shape))
    assert str(caught.value) == f"LUTLayer: got bits of shape {shape}; expected (samples, 10)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_width": 0, "nodes": 3}, "LUTLayer: in_width is 0; it must be at least 1"),
        ({"in_width": 4, "nodes": 0}, "DWNStableNodes: nodes is 0; it must be at least 1"),
        ({"in_width": 4, "nodes": 3, "n": 9}, "LUT layer: n is 9; a node has from 1 to 8 inputs"),
        (
            {"in_width": 4, "nodes": 3, "candidates": 2},
            "LUT layer: candidates is for learnable connections; leave it None for random ones",
        ),
        (
            {"in_width": 4, "nodes": 3, "connections": "learnable", "candidates": 5},
            "LearnableConnections: candidates is 5; it must be from 1 to 4",
        ),
        (
            {"in_width": 4, "nodes": 3, "connections": "learnable", "candidates": 0},
            "LearnableConnections: candidates is 0; it must be from 1 to 4",
        ),
    ],
)
def test_wrong_arguments(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LUTLayer(**options)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_unknown_family() -> None:
    with pytest.raises(UnknownNameError) as caught:
        LUTLayer(4, 3, family="dnw")
    assert str(caught.value) == "unknown node family 'dnw'; did you mean dwn?"
    with pytest.raises(ConfigError) as refused:
        LUTLayer(4, 3, family=int)  # type: ignore[arg-type]
    assert str(refused.value) == (
        "LUT layer: family is <class 'int'>; expected a name of difflut.nodes.FAMILIES or a subclass of Nodes"
    )


@pytest.mark.parametrize("kind", ["random", "learnable"])
@pytest.mark.parametrize("bit", [-1, 10])
def test_a_state_dict_with_connections_to_no_bit(kind: str, bit: int) -> None:
    layer = LUTLayer(10, 5, 3, connections=kind)
    state = {key: value.clone() for key, value in layer.state_dict().items()}
    (wiring,) = (key for key in state if key in ("wiring.connections", "wiring.candidates"))
    layer.load_state_dict(state)
    state[wiring].view(-1)[0] = bit
    with pytest.raises(ValueError, match=r"connections from .* in a layer of 10 bits"):
        layer.load_state_dict(state)
