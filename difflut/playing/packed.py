"""A circuit as the JSON value that `circuit.js` runs. Free of torch."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.errors import ConfigError
from difflut.export.circuit.circuit import Circuit, MapSize, WindowLayer
from difflut.export.circuit.netlist import Netlist
from difflut.export.circuit.pixel import compared

# docs/play.md has the times that set them.
MOST_SHOWN = 1 << 19
MOST_COMPUTED = 1 << 22

_TYPES = ("u1", "u2", "u4")


def packed(values: npt.ArrayLike) -> str:
    """Integers as text: base64 of little-endian numbers of the smallest type that has them all, behind its name."""
    array = np.asarray(values).reshape(-1)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    kind = "i4" if low < 0 else next(name for name in _TYPES if high <= np.iinfo(name).max)
    return f"{kind}:{base64.b64encode(array.astype('<' + kind).tobytes()).decode()}"


def window_layers(circuit: Circuit) -> list[WindowLayer]:
    """What makes each map: of map 0 the comparisons of a pixel, whose source, the codes, has the number -1."""
    encoder = [WindowLayer(-1, compared(circuit), (1, 1), (1, 1), (0, 0)) for _ in circuit.maps[:1]]
    return [*encoder, *circuit.layers]


def check_size(circuit: Circuit) -> None:
    """Refuse a circuit that a browser would not run while somebody draws.

    Raises:
        ConfigError: its page would have too many codes, bits of maps and nets of the body, or it computes too many nets
            for a sample, those of a kernel at every position.
    """
    made = zip(circuit.maps, window_layers(circuit), strict=True)
    computed = circuit.body.nets + sum(size.pixels * layer.kernel.nets for size, layer in made)
    shown = circuit.input.features + circuit.body.nets + sum(size.bits for size in circuit.maps)
    sizes = ((shown, MOST_SHOWN, "bits and codes to show"), (computed, MOST_COMPUTED, "bits to compute"))
    for found, most, what in sizes:
        if found > most:
            raise ConfigError(
                f"circuit {circuit.name!r} has {found:,} {what} for a sample; a page takes at most {most:,}: see "
                "single samples with `difflut trace-input`"
            )


def circuit_value(circuit: Circuit) -> dict[str, Any]:
    """The circuit: the sizes of its maps, the codes first, what makes each of the others, and the body behind them."""
    codes = [MapSize(circuit.input.features // size.pixels, size.rows, size.columns) for size in circuit.maps[:1]]
    return {
        "features": circuit.input.features,
        "maps": [list(size) for size in (*codes, *circuit.maps)],
        "layers": [_layer_value(layer) for layer in window_layers(circuit)],
        "body": _part_value(circuit.body),
        "body_bits": packed(circuit.body_bits),
        "decisions": circuit.body.head.decisions.tolist(),
    }


def _layer_value(layer: WindowLayer) -> dict[str, Any]:
    return {
        "source": layer.source + 1,
        "window": layer.window,
        "stride": layer.stride,
        "padding": layer.padding,
        "part": _part_value(layer.kernel),
    }


def _part_value(part: Netlist) -> dict[str, Any]:
    feature, bit = part.input.features_and_bits(part.compare_feature)
    arrays: dict[str, npt.NDArray[Any]] = {
        "compare_feature": feature,
        "compare_bit": bit + 1 if bool((bit >= 0).any()) else bit[:0],
        "compare_threshold": part.compare_threshold,
        "lut_inputs": part.lut_inputs,
        "lut_fanin": part.lut_fanin,
        "lut_tables": _table_bytes(part),
        "lut_layer": part.lut_layer,
        "lut_node": part.lut_node,
        "head_offsets": part.head.offsets,
        "head_nets": part.head.nets,
    }
    return {name: packed(values) for name, values in arrays.items()}


def _table_bytes(part: Netlist) -> npt.NDArray[np.uint8]:
    """The tables one behind the other, each of whole bytes: bit a of a table is bit a % 8 of its byte a // 8."""
    octets = part.lut_tables.astype("<u8").view(np.uint8).reshape(-1, 8)
    lut_of_word = np.repeat(np.arange(part.luts), np.diff(part.table_offsets))
    used = np.maximum(1, np.left_shift(1, part.lut_inputs) >> 3)[lut_of_word]
    tables: npt.NDArray[np.uint8] = octets[np.arange(8) < used[:, None]]
    return tables
