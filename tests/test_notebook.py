"""The notebook of the docs runs, cell by cell, and shows its results."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tools import require_package

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def test_the_notebook_is_kept_without_results() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert [cell["outputs"] for cell in cells if cell["cell_type"] == "code" and cell["outputs"]] == []


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("nbclient", "ipykernel", "pyosys", "pysat", "matplotlib"):
        require_package(package, "dev")
    import nbclient
    import nbformat

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    shown: list[dict[str, Any]] = [
        output["data"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]
    texts = "\n".join(data["text/plain"] for data in shown)
    assert len(shown) == 7 and sum("text/html" in data for data in shown) == 6
    for words in ("an untrained structure", "the netlist agrees bit for bit", "proved: the RTL equals", "report.html"):
        assert words in texts
    accuracy = float(next(data["text/plain"] for data in shown if " % of 1000 images" in data["text/plain"])[1:5])
    assert accuracy > 70
    assert (tmp_path / "build/notebook/work/report.html").is_file()
