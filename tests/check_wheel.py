"""Builds the wheel and uses it from an empty directory; run by `make wheel`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

USE = """
import importlib, pkgutil, sys
from pathlib import Path
import difflut
site = Path(sys.argv[1]).resolve()
assert Path(difflut.__file__).resolve().is_relative_to(site), difflut.__file__
for module in pkgutil.walk_packages(difflut.__path__, "difflut."):
    # One runs inside the simulator only, one needs Triton.
    if module.name not in ("difflut.sim.bench", "difflut.gpu_kernels"):
        importlib.import_module(module.name)
from difflut.data import mnist_test
from difflut.models import zoo
from difflut.export.builds.make import export_model
from difflut.training import predict
for name in difflut.list_models():
    model = difflut.get_model(name, pretrained=True)
    if zoo()[name].dataset != "mnist":
        continue
    test = mnist_test()
    right = int((predict(model, test.x[:200]).argmax(1) == test.y[:200]).sum())
    assert right >= 160, (name, right)
    print(name, right, "of 200 right;", export_model(model, Path(name)))
from difflut.report import draw, read_facts, render
facts = read_facts(Path("mnist_bitflip_0"))
assert "<svg" in render(facts, draw(facts))
assert "class Circuit" in difflut.play("mnist_bitflip_0", "circuit.html").path.read_text()
assert {file.name for file in (site / "difflut" / "sim" / "fst").glob("*.h")} == {"lz4.h", "zlib.h"}
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
        subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = folder.glob("*.whl")
        site, empty = folder / "site", folder / "empty"
        empty.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
        environment = {**os.environ, "PYTHONPATH": str(site)}
        subprocess.run([sys.executable, "-c", USE, str(site)], cwd=empty, env=environment, check=True)
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, works from an empty directory")


if __name__ == "__main__":
    main()
