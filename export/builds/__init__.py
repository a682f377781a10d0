"""Build directories: what an export writes, and what every later step reads."""

from __future__ import annotations

from difflut.export.builds.frames import pack_samples, unpack_results

__all__ = ["pack_samples", "unpack_results"]
