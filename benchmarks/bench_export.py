"""Export of the 8,000-node model: time from `import torch` done to the build directory written.

    python benchmarks/bench_export.py

Each run is a process of its own, because torch.export's first call in a process is the slow one.
"""

from __future__ import annotations

import subprocess
import sys

CODE = """
import time, tempfile, pathlib
import torch
started = time.perf_counter()
import difflut
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.frontend.trace import trace
imported = time.perf_counter()
model = difflut.get_model("mnist_fc_8k_dwn", pretrained=True)
loaded = time.perf_counter()
trace(model)
traced = time.perf_counter()
with tempfile.TemporaryDirectory() as folder:
    again = time.perf_counter()
    store.write(make_build(model), pathlib.Path(folder) / "net")
    done = time.perf_counter()
print(imported - started, loaded - imported, traced - loaded, done - again)
"""


def main() -> None:
    rows = []
    for _ in range(5):
        out = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
        rows.append([float(value) for value in out.split()])
    print("| step | median s | worst s |\n| --- | --- | --- |")
    names = ["import difflut", "load the model", "first trace", "trace again, passes, Verilog, write"]
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        print(f"| {name} | {sorted(values)[2]:.2f} | {max(values):.2f} |")
    totals = sorted(sum(row) for row in rows)
    print(f"| in all (target 6 s) | {totals[2]:.2f} | {totals[-1]:.2f} |")


if __name__ == "__main__":
    main()
