"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# The files of the longest tests run first: at the end, no worker waits for one of them.
LONG = ("test_docs.py", "test_make_stream.py", "test_notebook.py", "test_runtime.py", "test_snippets.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session", autouse=True)
def simulator_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Simulators that tests compile are kept for the session, apart from the user's; all workers share them."""
    before = os.environ.get("DIFFLUT_CACHE_DIR")
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    os.environ["DIFFLUT_CACHE_DIR"] = str(folder / "cache")
    yield
    if before is None:
        del os.environ["DIFFLUT_CACHE_DIR"]
    else:
        os.environ["DIFFLUT_CACHE_DIR"] = before


@pytest.fixture(autouse=True)
def no_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error is what a test asks for, however slow the machine is; `test_progress.py` tests the lines."""
    monkeypatch.setattr("difflut.progress.LINE_SECONDS", 1e6)
