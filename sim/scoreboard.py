"""Compares what the RTL gave with what was expected, and finds the first net that went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from difflut.errors import ConfigError
from difflut.export.ir import FIRST_NET, Netlist
from difflut.sim.interface import ProbeLike


@dataclass(frozen=True)
class Mismatch:
    """One sample whose scores or class differ."""

    sample: int
    expected_scores: tuple[int, ...]
    rtl_scores: tuple[int, ...]
    expected_class: int
    rtl_class: int

    def __str__(self) -> str:
        differing = [
            f"score {index} expected {expected}, got {got}"
            for index, (expected, got) in enumerate(zip(self.expected_scores, self.rtl_scores, strict=True))
            if expected != got
        ]
        if self.expected_class != self.rtl_class:
            differing.append(f"class expected {self.expected_class}, got {self.rtl_class}")
        return f"sample {self.sample}: {'; '.join(differing)}"


@dataclass(frozen=True)
class Comparison:
    """The result of `compare`; `score_mismatches` and `class_mismatches` count samples."""

    checked: int
    score_mismatches: int
    class_mismatches: int
    first: Mismatch | None

    @property
    def ok(self) -> bool:
        """Whether every checked sample agrees in all scores and in the class."""
        return self.first is None


def compare(
    expected_scores: npt.ArrayLike,
    expected_classes: npt.ArrayLike,
    rtl_scores: npt.ArrayLike,
    rtl_classes: npt.ArrayLike,
) -> Comparison:
    """Compare scores int (N, classes) and classes int (N,).

    Raises:
        ConfigError: the shapes differ, or there is no sample: a comparison that checked nothing is a failure.
    """
    scores, got_scores = np.asarray(expected_scores), np.asarray(rtl_scores)
    classes, got_classes = np.asarray(expected_classes), np.asarray(rtl_classes)
    if scores.ndim != 2 or scores.shape != got_scores.shape or classes.shape != got_classes.shape:
        raise ConfigError(
            f"expected scores {scores.shape} and classes {classes.shape}, "
            f"the RTL gave {got_scores.shape} and {got_classes.shape}"
        )
    if classes.shape != scores.shape[:1]:
        raise ConfigError(f"{len(scores)} rows of scores need classes of shape ({len(scores)},), got {classes.shape}")
    if len(scores) == 0:
        raise ConfigError("no sample was compared; a comparison that checked nothing is a failure")
    score_differs = (scores != got_scores).any(axis=1)
    class_differs = classes != got_classes
    differs = score_differs | class_differs
    first = None
    if differs.any():
        sample = int(np.argmax(differs))
        first = Mismatch(
            sample=sample,
            expected_scores=tuple(scores[sample].tolist()),
            rtl_scores=tuple(got_scores[sample].tolist()),
            expected_class=int(classes[sample]),
            rtl_class=int(got_classes[sample]),
        )
    return Comparison(len(scores), int(score_differs.sum()), int(class_differs.sum()), first)


@dataclass(frozen=True)
class NetDifference:
    """The first net, in topological order, that an RTL signal shows wrong for one sample.

    `cell` says what drives the net: `layer 2, node 17`, or `comparator code[3] >= 128`.
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
        expected_nets: bool (nets,), the values that `difflut.export.simulate.simulate_nets` gives for the sample.
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
                found = NetDifference(net, describe_net(netlist, net), probe.signal, bit, expected, not expected)
    return found


def describe_net(netlist: Netlist, net: int) -> str:
    """Say in the model's words what drives a net."""
    if net < FIRST_NET:
        return f"constant {net}"
    if net < netlist.first_lut_net:
        cell = net - FIRST_NET
        return f"comparator code[{netlist.compare_feature[cell]}] >= {netlist.compare_threshold[cell]}"
    lut = net - netlist.first_lut_net
    if netlist.lut_layer[lut] < 0:
        return f"LUT {lut} (made by the encoder or a pass)"
    return f"layer {netlist.lut_layer[lut]}, node {netlist.lut_node[lut]}"
