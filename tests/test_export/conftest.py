"""Makes `tests/netlists.py` importable as `netlists` (pytest's importlib mode leaves sys.path alone)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
