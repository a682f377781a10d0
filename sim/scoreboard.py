"""Compares what the RTL gave with what was expected, and finds the first net that went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.errors import ConfigError
from difflut.export.circuit.names import net_name
from difflut.export.circuit.netlist import Netlist
from difflut.sim.interface import ProbeLike


@dataclass(frozen=True)
class Mismatch:
    """One sample whose scores, class or ranking differ; what the RTL does not put out is None."""

    sample: int
    expected_scores: tuple[int, ...]
    rtl_scores: tuple[int, ...] | None
    expected_class: int
    rtl_class: int | None
    expected_top: tuple[int, ...] = ()
    rtl_top: tuple[int, ...] | None = None

    def __str__(self) -> str:
        rows = [("score", self.expected_scores, self.rtl_scores), ("rank", self.expected_top, self.rtl_top)]
        differing = [
            f"{name} {index} expected {expected}, got {got}"
            for name, every, given in rows
            if given is not None
            for index, (expected, got) in enumerate(zip(every, given, strict=True))
            if expected != got
        ]
        if self.rtl_class is not None and self.expected_class != self.rtl_class:
            differing.append(f"class expected {self.expected_class}, got {self.rtl_class}")
        return f"sample {self.sample}: {'; '.join(differing)}"


@dataclass(frozen=True)
class Comparison:
    """The result of `compare`; the mismatches count samples."""

    checked: int
    score_mismatches: int
    class_mismatches: int
    first: Mismatch | None
    top_mismatches: int = 0

    @property
    def ok(self) -> bool:
        """Whether every checked sample agrees in everything that the RTL puts out."""
        return self.first is None


def ranking(scores: npt.ArrayLike, ranks: int) -> npt.NDArray[np.int64]:
    """int64 (N, ranks): the classes of the largest of scores (N, classes), descending, of equal ones the lowest
    first.
    """
    result: npt.NDArray[np.int64] = np.argsort(-np.asarray(scores, np.int64), axis=1, kind="stable")[:, :ranks]
    return result


def mismatching(
    expected_scores: npt.ArrayLike,
    expected_classes: npt.ArrayLike,
    rtl_scores: npt.ArrayLike | None,
    rtl_classes: npt.ArrayLike | None,
    rtl_top: npt.ArrayLike | None = None,
) -> npt.NDArray[np.bool_]:
    """bool (N, 3): whether scores, class and ranking of each sample differ; False for what the RTL does not put out.

    Raises:
        ConfigError: the shapes differ, or there is no sample, or nothing that the RTL puts out: a comparison that
            checked nothing is a failure.
    """
    scores, classes = np.asarray(expected_scores), np.asarray(expected_classes)
    got_scores = scores if rtl_scores is None else np.asarray(rtl_scores)
    got_classes = classes if rtl_classes is None else np.asarray(rtl_classes)
    if rtl_scores is None and rtl_classes is None and rtl_top is None:
        raise ConfigError("the RTL gave neither scores nor classes; a comparison that checked nothing is a failure")
    if scores.ndim != 2 or scores.shape != got_scores.shape or classes.shape != got_classes.shape:
        raise ConfigError(
            f"expected scores {scores.shape} and classes {classes.shape}, "
            f"the RTL gave {got_scores.shape} and {got_classes.shape}"
        )
    if classes.shape != scores.shape[:1]:
        raise ConfigError(f"{len(scores)} rows of scores need classes of shape ({len(scores)},), got {classes.shape}")
    if len(scores) == 0:
        raise ConfigError("no sample was compared; a comparison that checked nothing is a failure")
    differs = np.zeros((len(scores), 3), np.bool_)
    differs[:, 0] = (scores != got_scores).any(axis=1)
    differs[:, 1] = classes != got_classes
    if rtl_top is not None:
        top = np.asarray(rtl_top)
        if top.ndim != 2 or len(top) != len(scores) or not 1 <= top.shape[1] <= scores.shape[1]:
            raise ConfigError(f"expected rankings ({len(scores)}, 1 to {scores.shape[1]}), the RTL gave {top.shape}")
        differs[:, 2] = (ranking(scores, top.shape[1]) != top).any(axis=1)
    return differs


def compare(
    expected_scores: npt.ArrayLike,
    expected_classes: npt.ArrayLike,
    rtl_scores: npt.ArrayLike | None,
    rtl_classes: npt.ArrayLike | None,
    rtl_top: npt.ArrayLike | None = None,
) -> Comparison:
    """Compare scores int (N, classes), classes int (N,) and rankings int (N, ranks), as far as the RTL puts them out.

    Raises:
        ConfigError: as `mismatching`.
    """
    differs = mismatching(expected_scores, expected_classes, rtl_scores, rtl_classes, rtl_top)
    first = None
    if differs.any():
        sample = int(np.argmax(differs.any(axis=1)))
        scores = np.asarray(expected_scores)
        ranks = 0 if rtl_top is None else np.asarray(rtl_top).shape[1]
        first = Mismatch(
            sample=sample,
            expected_scores=tuple(scores[sample].tolist()),
            rtl_scores=None if rtl_scores is None else tuple(np.asarray(rtl_scores)[sample].tolist()),
            expected_class=int(np.asarray(expected_classes)[sample]),
            rtl_class=None if rtl_classes is None else int(np.asarray(rtl_classes)[sample]),
            expected_top=tuple(ranking(scores[sample : sample + 1], ranks)[0].tolist()),
            rtl_top=None if rtl_top is None else tuple(np.asarray(rtl_top)[sample].tolist()),
        )
    by_kind = differs.sum(axis=0).tolist()
    return Comparison(len(differs), by_kind[0], by_kind[1], first, by_kind[2])


@dataclass(frozen=True)
class NetDifference:
    """The first net, in topological order, that an RTL signal shows wrong for one sample.

    `cell` is the name of the net as `difflut show --node` takes it, `L2.17`, or a comparison, `feature 3 >= 128`.
    """

    net: int
    cell: str
    signal: str
    bit: int
    expected: bool
    got: bool

    def __str__(self) -> str:
        return (
            f"{self.cell}: expected {int(self.expected)}, got {int(self.got)} "
            f"(net {self.net}, signal {self.signal} bit {self.bit})"
        )


def locate(
    netlist: Netlist,
    probes: Sequence[ProbeLike],
    expected_nets: npt.NDArray[np.bool_],
    probe_values: Sequence[npt.NDArray[np.bool_]],
) -> NetDifference | None:
    """Find the first net that differs for one sample; everything that it reads and that was probed agrees.

    Args:
        netlist: the netlist that the RTL was made from.
        probes: the probes that were read.
        expected_nets: bool (nets,), the values that `difflut.export.circuit.simulate.simulate_nets` gives for the
            sample.
        probe_values: for each probe bool (width,), what the RTL showed for the sample.

    Returns:
        The difference, or None when all probed nets agree: then the fault lies behind them, in the head.

    Raises:
        ConfigError: shapes do not fit, or nothing was probed.
    """
    if expected_nets.shape != (netlist.nets,):
        raise ConfigError(f"expected_nets must have the shape ({netlist.nets},), got {expected_nets.shape}")
    if not probes or len(probes) != len(probe_values):
        raise ConfigError(f"got {len(probes)} probes and {len(probe_values)} values; need at least one, equally many")
    found: NetDifference | None = None
    for probe, values in zip(probes, probe_values, strict=True):
        nets = np.asarray(probe.nets)
        if values.shape != nets.shape:
            raise ConfigError(f"probe {probe.signal} carries {len(nets)} nets, got values of shape {values.shape}")
        for bit in np.flatnonzero(values != expected_nets[nets]).tolist():
            net = int(nets[bit])
            if found is None or net < found.net:
                expected = bool(expected_nets[net])
                found = NetDifference(net, net_name(netlist, net), probe.signal, bit, expected, not expected)
    return found
