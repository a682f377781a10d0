"""What an inexact pass could save: LUT addresses that training images hardly ever produce, taken as don't-cares.

    python benchmarks/experiments/compare_unseen.py NAME --data mnist/ [--fewer-than 1 60 600]

For each node, the addresses that fewer than so many training images produce may get any value; the largest set of
inputs that the node can then do without is removed, as `use_dont_cares` does it exactly. Prints what the passes leave
of the network, and its accuracy on the test images.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from difflut.data import Dataset, load_dataset
from difflut.export.circuit.bits import pack, unpack
from difflut.export.families.generic import GENERIC
from difflut.export.frontend.trace import trace
from difflut.export.passes import pipelines
from difflut.export.passes.use_dont_cares import smallest
from difflut.export.schedule.estimate import estimate_luts
from difflut.layers import LUTLayer
from difflut.models import BaseModel, get_model
from difflut.training import predict_scores

BATCH = 2000


def count_addresses(model: BaseModel, images: Tensor) -> dict[LUTLayer, Tensor]:
    """For each layer int64 (nodes, 2**n): how many images produce each address of each node."""
    counts = {layer: torch.zeros(layer.out_width, 1 << layer.n, dtype=torch.int64) for _, layer in model.lut_layers()}

    def count(layer: LUTLayer, inputs: tuple[Tensor]) -> None:
        columns = inputs[0].t().to(torch.uint8).contiguous()
        address = torch.zeros(layer.out_width, columns.shape[1], dtype=torch.int64)
        for i in range(layer.n):
            address |= columns[layer.connections[:, i]].long() << i
        counts[layer].scatter_add_(1, address, torch.ones_like(address))

    hooks = [layer.register_forward_pre_hook(count) for layer in counts]
    for batch in images.split(BATCH):
        model(batch)
    for hook in hooks:
        hook.remove()
    return counts


def shrink(model: BaseModel, counts: dict[LUTLayer, Tensor], fewer_than: int) -> None:
    """Take addresses with fewer images as don't-cares, in the tables of a frozen model."""
    for layer, seen in counts.items():
        used = torch.ones(layer.out_width, layer.n, dtype=torch.bool).numpy()
        tables = pack(layer.truth_tables().numpy())
        _, shrunk = smallest(tables, pack((seen >= fewer_than).numpy()), used)
        bits = unpack(shrunk)[:, : 1 << layer.n].astype(bool)
        layer.nodes.tables.copy_(torch.from_numpy(bits))


def row(label: str, model: BaseModel, test: Dataset) -> str:
    """A row of the table for the model as it is."""
    netlist, _ = pipelines.run(trace(model), pipelines.default(GENERIC))
    total = estimate_luts(netlist).total
    classes = predict_scores(model, test.test.x)[0].argmax(dim=1)
    accuracy = 100 * float((classes == test.test.y).double().mean())
    return (
        f"| {label} | {netlist.comparators:,} | {netlist.luts:,} | {len(netlist.lut_fanin):,} | "
        f"{total:,} | {accuracy:.2f} % |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", metavar="NAME", help="a zoo model of fully connected layers")
    parser.add_argument("--data", required=True, help="directory with MNIST")
    parser.add_argument("--fewer-than", type=int, nargs="+", default=[1, 60, 600])
    options = parser.parse_args()
    data = load_dataset("mnist", options.data)
    model = get_model(options.name, pretrained=True).freeze().eval()
    print(f"`{options.name}`, addresses counted on {len(data.train):,} training images\n")
    print(
        "| don't care if seen fewer times than | comparators | LUTs | inputs | LUT6 in all, estimated | test accuracy |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    print(row("(exact)", model, data), flush=True)
    counts = count_addresses(model, data.train.x)
    original = {layer: layer.truth_tables().clone() for layer in counts}
    for fewer_than in options.fewer_than:
        for layer, tables in original.items():
            layer.nodes.tables.copy_(tables)
        shrink(model, counts, fewer_than)
        print(row(f"{fewer_than:,}", model, data), flush=True)


if __name__ == "__main__":
    main()
