"""docs/import.md: its blocks run, one after the other, on small networks."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from foreign_networks import dwn2rtl_dictionary, torch_bytes
from tools import require_prover

import difflut
from difflut.importers import IMPORTERS

FILES = Path(__file__).parent / "files" / "real.npz"
PAGE = (Path(__file__).parents[2] / "docs" / "import.md").read_text()


def test_blocks(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    require_prover()
    monkeypatch.chdir(tmp_path)
    Path("jsc.pt").write_bytes(torch_bytes(dwn2rtl_dictionary()))
    Path("clgn.pt").write_bytes(np.load(FILES)["convolutions.file"].tobytes())
    x, y = np.random.default_rng(1).random((20, 4)).astype(np.float32), np.arange(20) % 3
    np.savez("data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    known: dict[str, Any] = {}
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert [language for language, _ in blocks] == ["sh", "python", "sh", "python", "sh"]
    for language, block in blocks:
        if language == "python":
            exec(compile(block, "import.md", "exec"), known)  # noqa: S102 (the documents are ours)
            continue
        for line in block.splitlines():
            status, out, err = run(capsys, *shlex.split(line)[1:])
            assert status == 0, f"{line}\n{out}\n{err}"
    model: difflut.BaseModel = known["model"]
    # x[0] > 0.2, x[0] > 0.4 and x[1] > 0.9; x[0] > 0.6, x[1] > 0.1 and x[1] > 0.5
    assert model(np.array([[0.3, 0.95], [0.1, 0.95]], np.float32)).tolist() == [[0.0, 1.0], [1.0, 1.0]]


def test_every_format_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(IMPORTERS)
