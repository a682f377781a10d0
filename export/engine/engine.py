"""A circuit as a function of codes, compiled where the machine has a C compiler."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from difflut.errors import ConfigError
from difflut.export.circuit.circuit import Circuit, as_circuit
from difflut.export.circuit.netlist import Netlist
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import Codes, Outputs, simulate
from difflut.export.circuit.unroll import unroll
from difflut.export.engine import native
from difflut.export.engine.program import Longs, bits_as_features, code_dtype, program_of
from difflut.export.errors import ToolError
from difflut.files import WriteError
from difflut.shown import Brief

BLOCK = 512  # samples that the kernel computes at once
_ROW = 64
# Samples whose codes are converted at once, where they are of another type than the kernel takes.
_CONVERTED = 16 * BLOCK


class Engine(Brief):
    """A compiled circuit: `engine(codes)` is `simulate(circuit, codes)`, some ten to a hundred times as fast.

    Threads may call one engine at the same time.

    Attributes:
        circuit: what it computes.
        missing: why there is no compiled code and `simulate` computes instead, in one line; empty if there is.
    """

    def __init__(self, circuit: Circuit | Netlist) -> None:
        """Compile a circuit, each kernel once for every position.

        Raises:
            NetlistError: it breaks its specification.
        """
        check(circuit)
        self.circuit = as_circuit(circuit)
        self.missing = ""
        self._memory: list[npt.NDArray[np.uint8]] = []
        try:
            self._run = native.load().difflut_run
        except (ToolError, WriteError) as error:
            self.missing = str(error)
            return
        netlist, self._bits = bits_as_features(unroll(self.circuit))
        self._program = program_of(netlist)
        self._struct = native.Struct.of(self._program)

    def __call__(self, codes: npt.ArrayLike, threads: int = 1) -> Outputs:
        """Scores and class words; see `simulate`.

        Args:
            codes: integers (N, features), or (N, ...) with so many a sample; those of the type `dtype` whose rows are
                contiguous are not copied.
            threads: how many threads share the samples.

        Raises:
            CodesError: `codes` has the wrong type, shape or range.
            ConfigError: there is no such number of threads.
        """
        checked = self._checked(codes, threads)
        if self.missing:
            return simulate(self.circuit, checked)
        scores = np.empty((len(checked), self.circuit.body.head.classes), np.int64)
        return Outputs(scores, self._computed(checked, scores, threads))

    def classes(self, codes: npt.ArrayLike, threads: int = 1) -> Longs:
        """int64 (N,): the class words alone, without writing scores. Arguments and errors are those of a call."""
        checked = self._checked(codes, threads)
        return simulate(self.circuit, checked).classes if self.missing else self._computed(checked, None, threads)

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """The type of codes that is not converted."""
        return code_dtype(self.circuit.input)

    def _checked(self, codes: npt.ArrayLike, threads: int) -> Codes:
        if threads < 1:
            raise ConfigError(f"threads is {threads}; expected at least 1")
        array = np.asarray(codes)
        if array.ndim > 2:
            array = array.reshape(len(array), -1)
        return self.circuit.input.check_codes(array)

    def _computed(self, codes: Codes, scores: Longs | None, threads: int) -> Longs:
        """The class words of checked codes; scores are written where there is a place for them."""
        classes = np.empty(len(codes), np.int64)
        blocks = -(-len(codes) // BLOCK)
        share = -(-blocks // threads) * BLOCK
        parts = [slice(start, start + share) for start in range(0, len(codes), max(1, share))]

        def compute(part: slice) -> None:
            self._compute(codes[part], None if scores is None else scores[part], classes[part])

        if len(parts) < 2:
            compute(slice(None))
        else:
            with ThreadPoolExecutor(len(parts)) as pool:
                list(pool.map(compute, parts))
        return classes

    def _compute(self, codes: Codes, scores: Longs | None, classes: Longs) -> None:
        known = codes.dtype == self._program.dtype and not len(self._bits)
        if known and (codes.strides[1] == codes.itemsize or codes.shape[1] == 1):
            self._call(codes, scores, classes)
            return
        for start in range(0, len(codes), _CONVERTED):
            some = slice(start, start + _CONVERTED)
            converted = self._converted(codes[some])
            self._call(converted, None if scores is None else scores[some], classes[some])

    def _converted(self, codes: Codes) -> Codes:
        """Codes of the kernel's type, and behind them the bits of codes that it reads."""
        if not len(self._bits):
            return np.ascontiguousarray(codes, self._program.dtype)
        features = codes.shape[1]
        converted = np.empty((len(codes), features + len(self._bits)), self._program.dtype)
        converted[:, :features] = codes
        feature, bit = self.circuit.input.features_and_bits(self._bits)
        converted[:, features:] = converted[:, feature] >> bit.astype(converted.dtype) & converted.dtype.type(1)
        return converted

    def _call(self, codes: Codes, scores: Longs | None, classes: Longs) -> None:
        try:
            memory = self._memory.pop()
        except IndexError:
            memory = np.empty(self._program.rows * _ROW + _ROW, np.uint8)
        place = memory.ctypes.data
        self._run(
            ctypes.byref(self._struct),
            *(codes.ctypes.data, codes.strides[0], len(codes)),
            place + -place % _ROW,
            None if scores is None else scores.ctypes.data,
            classes.ctypes.data,
        )
        self._memory.append(memory)
