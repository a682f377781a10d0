"""Compare the estimate of an AXI4-Stream wrapper's slowest path with the longest path of the netlist that Yosys makes.

    python benchmarks/bench_wrapper.py [--fpga ecp5 --fpga ice40 ...]

The core is so small that the wrapper decides the clock. Both figures come from the same delays: the difference is how
synthesis cuts the wrapper's logic into LUTs. Wires are a guess in both; a routed design is not measured here.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from difflut.encoders import Thermometer
from difflut.export.builds import store
from difflut.export.builds.make import export_model
from difflut.export.families.registry import FAMILIES
from difflut.export.flows import yosys
from difflut.export.schedule.pipelining import LEVELS
from difflut.heads import GroupSum
from difflut.layers import LUTLayer
from difflut.models import BaseModel


class Network(BaseModel):
    """60 and 50 nodes of four inputs on 784 pixels."""

    def __init__(self) -> None:
        super().__init__("wrapped", 784, 10)
        self.encoder = Thermometer(1)

    def _build_layers(self) -> None:
        self.first, self.second = LUTLayer(784, 60, n=4), LUTLayer(60, 50, n=4)
        self.head = GroupSum(10)

    def _forward_impl(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(self.encoder(x))))


def main() -> None:
    """Export, synthesise, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fpga", action="append", choices=list(FAMILIES))
    chosen = parser.parse_args().fpga or list(FAMILIES)
    torch.manual_seed(0)
    model = Network()
    model.fit_encoder(torch.randint(0, 256, (64, 784))).eval()
    print("| family | estimate, ns | slowest by the estimate | Yosys' netlist, ns | error |")
    print("| --- | --- | --- | --- | --- |")
    for fpga in chosen:
        with tempfile.TemporaryDirectory() as folder:
            build = export_model(model, Path(folder) / "net", fpga=fpga, interface="axi-stream", pipeline=LEVELS)
            timing, made = store.read(build).info.timing, yosys.synthesise(build).path.delay_ns
        assert timing is not None
        estimate = 1e3 / timing.fmax_mhz
        error = f"{100 * (estimate / made - 1):+.0f} %".replace("-", "−")
        print(f"| {fpga} | {estimate:.2f} | {timing.slowest} | {made:.2f} | {error} |", flush=True)


if __name__ == "__main__":
    main()
