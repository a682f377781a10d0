"""Gates as BLIF, which Yosys, ABC and VPR read."""

from __future__ import annotations

from collections.abc import Iterator

from difflut.export.exchange.gates import Gates


def blif(gates: Gates, name: str) -> bytes:
    """The text of one model; a name of a net has no blank."""
    return ("\n".join(_lines(gates, name)) + "\n").encode("ascii")


def _lines(gates: Gates, name: str) -> Iterator[str]:
    nets = ["$false", "$true", *gates.inputs, *(f"n{number}" for number in range(len(gates.nodes)))]
    yield f".model {name}"
    yield f".inputs {' '.join(gates.inputs)}"
    yield f".outputs {' '.join(output for output, _ in gates.outputs)}"
    yield from (".names $false", ".names $true", "1")
    for own, (feeds, table) in zip(nets[2 + len(gates.inputs) :], gates.nodes, strict=True):
        yield f".names {' '.join(nets[feed] for feed in feeds)} {own}"
        n = len(feeds)
        ones = [address for address in range(1 << n) if table >> address & 1]
        if len(ones) == 1 << n:
            yield f"{'-' * n} 1"
        elif 2 * len(ones) <= 1 << n:
            yield from (f"{_row(address, n)} 1" for address in ones)
        else:
            yield from (f"{_row(address, n)} 0" for address in range(1 << n) if not table >> address & 1)
    for output, net in gates.outputs:
        yield from (f".names {nets[net]} {output}", "1 1")
    yield ".end"


def _row(address: int, n: int) -> str:
    return "".join(str(address >> i & 1) for i in range(n))
