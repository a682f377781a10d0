"""What a clock enable costs: a small core with and without, placed and routed by nextpnr in the shell of the flow.

    python benchmarks/bench_clock_enable.py [--device LFE5U-25F] [--seeds 3]

LUTs and flip-flops are those of core and shell together; the shell drives the clock enable from a register.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from difflut.encoders import Thermometer
from difflut.export.builds.make import export_model
from difflut.export.families.registry import chosen_family
from difflut.export.flows import nextpnr
from difflut.heads import GroupSum
from difflut.layers import LUTLayer
from difflut.models import BaseModel


class Network(BaseModel):
    """200 and 100 nodes of four inputs on 64 codes of 8 bits."""

    def __init__(self) -> None:
        super().__init__("small", 64, 10)
        self.encoder = Thermometer(3)

    def _build_layers(self) -> None:
        self.first, self.second = LUTLayer(192, 200, n=4), LUTLayer(200, 100, n=4)
        self.head = GroupSum(10)

    def _forward_impl(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(self.encoder(x))))


def main() -> None:
    """Export, route, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="LFE5U-25F")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(0)
    model = Network()
    model.fit_encoder(torch.randint(0, 256, (256, 64))).eval()
    print("| clock enable | LUTs | flip-flops | MHz of each seed |")
    print("| --- | ---: | ---: | --- |")
    for enable in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            fpga = chosen_family(options.device, None) or ""
            build = export_model(model, Path(folder) / "net", fpga=fpga, clock_enable=enable)
            report = nextpnr.implement(build, options.device, seeds=tuple(range(1, options.seeds + 1)))
        mhz = ", ".join(f"{placement.mhz:.1f}" for placement in report.placements)
        print(f"| {'yes' if enable else 'no'} | {report.total.luts} | {report.total.flip_flops} | {mhz} |", flush=True)


if __name__ == "__main__":
    main()
