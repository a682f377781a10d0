"""A LiteX system with the modules of a build: no processor, its bus at ports of the top, as Verilog.

    python tests/support/litex_soc.py BUILD FOLDER

writes FOLDER/soc.v, the same for Icarus as FOLDER/icarus.v, and prints the addresses of the CSRs by name as JSON.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

from litex.build.generic_platform import Pins, Subsignal
from litex.build.sim import SimPlatform
from litex.soc.integration.export import get_csr_json
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCMini
from litex.soc.interconnect import wishbone
from migen import ClockDomain

_PADS = {
    "adr": 30,
    "dat_w": 32,
    "dat_r": 32,
    "sel": 4,
    "cyc": 1,
    "stb": 1,
    "ack": 1,
    "we": 1,
    "cti": 3,
    "bte": 2,
    "err": 1,
}
_IO = [
    ("sys_clk", 0, Pins(1)),
    ("sys_rst", 0, Pins(1)),
    ("host", 0, *(Subsignal(name, Pins(width)) for name, width in _PADS.items())),
]


def generated(build: Path) -> Any:
    """The module that the build has."""
    (path,) = (build / "sw").glob("*_litex.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocking(text: str) -> str:
    """The text with blocking assignments in combinational blocks. LiteX writes others, as Verilator takes them; a block
    that reads what it assigns then runs for ever in Icarus.
    """

    def block(found: re.Match[str]) -> str:
        return re.sub(r"^( +[\w\[\]:]+) <= ", r"\1 = ", found[0], flags=re.MULTILINE)

    return re.sub(r"^always @\(\*\) begin\n.*?^end$", block, text, flags=re.MULTILINE | re.DOTALL)


def main(build: Path, folder: Path) -> None:
    """Write the system and print where things are."""
    module, platform = generated(build), SimPlatform("SIM", _IO)
    soc = SoCMini(platform, clk_freq=int(1e6))
    soc.clock_domains.cd_sys = domain = ClockDomain("sys")
    soc.comb += [domain.clk.eq(platform.request("sys_clk")), domain.rst.eq(platform.request("sys_rst"))]
    host = wishbone.Interface()
    soc.comb += host.connect_to_pads(platform.request("host"), mode="slave")
    soc.bus.add_master("host", host)
    soc.classifier = module.ClassifierCSR(platform)
    if hasattr(module, "CONSTANTS"):
        region = SoCRegion(origin=0x30000000, size=0x1000, cached=False)
        soc.bus.add_slave("classifier_registers", soc.classifier.bus, region)
    soc.finalize()
    platform.get_verilog(soc, name="soc").write(str(folder / "soc.v"))
    (folder / "icarus.v").write_text(blocking((folder / "soc.v").read_text()))
    known = json.loads(get_csr_json(soc.csr.regions, soc.constants, soc.mem_regions))
    json.dump({name: value["addr"] for name, value in known["csr_registers"].items()}, sys.stdout)
    sources = [Path(path).name for path, *_ in platform.sources]
    assert sorted(sources) == sorted(path.name for path in (build / "rtl").glob("*.v"))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
