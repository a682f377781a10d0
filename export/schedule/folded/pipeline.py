"""The pipeline of a folded dense part: how many clock edges behind the number of a row each of its results comes.

`folded_dense.v.j2` and the modules in it are this pipeline in Verilog; everything else that counts its edges asks here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pipeline:
    """Clock edges from the one that shows the number of a row to the one that shows something of that row.

    Attributes:
        connections: the addresses of the bits that it reads.
        read: the words that hold these bits, as memory gives them.
        words: the same words, out of a second register.
        bits: the bits, and the tables that they look up.
        results: what the tables give.
        counts: how many results are 1; the results are in memory.
        scores: the sum of the score so far; after its last row, the score.
    """

    connections: int = 1
    read: int = 2
    words: int = 3
    bits: int = 4
    results: int = 5
    counts: int = 6
    scores: int = 7

    @property
    def result_rows(self) -> int:
        """Rows from the one that makes a result to the first that may read it, an edge after it was written."""
        return self.results + 2 - self.read

    @property
    def table_row(self) -> int:
        """How many edges late the tables' memory, which takes two, gets the number of a row."""
        return self.bits - 2


PIPELINE = Pipeline()
