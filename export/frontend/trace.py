"""From a model to a circuit: the model's own forward is run on ids of bits, and recorded.

`torch.export` turns the forward into a graph of the primitives of `difflut.functional` and ATen operators. The graph is
walked once, with integer tensors in place of values: a tensor of features in place of the input codes, a tensor of ids
in place of bits. Data movement (reshape, permute, cat, index, pad, ...) runs on these ids as it is, a primitive is
recorded. Everything else is refused. `difflut.export.frontend.unrolled` and `.windowed` make circuits of the recording.
"""

from __future__ import annotations

import logging
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx
from torch.export.graph_signature import InputKind

import difflut
from difflut.encoders import Encoder
from difflut.errors import NotFittedError
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import CONST0, CONST1, InputFormat, Netlist
from difflut.export.errors import TraceError
from difflut.export.frontend.numbers import MAPS, Codes, NotMonotone, code_levels, code_thresholds
from difflut.export.frontend.recording import Ids, Recording, refusal
from difflut.export.frontend.remedies import line_at_fault, module_at_fault, remedy
from difflut.export.frontend.unrolled import build_netlist
from difflut.export.frontend.windowed import build_circuit
from difflut.functional import MOST_SUM, graph_steps
from difflut.models.base_model import BaseModel, device_of
from difflut.models.wrappers import takes_wrapped

aten = torch.ops.aten
_PACKAGE = Path(difflut.__file__).parent


@dataclass(frozen=True)
class Bits:
    """A tensor of bits: int64 net ids in the tensor's shape; -id is the complement of a bit."""

    ids: Tensor
    what = "bits"


@dataclass(frozen=True)
class Scores:
    """The result of a head, perhaps scaled by a positive number or behind a softmax.

    Attributes:
        head: "classes", "labels" or "numbers".
        groups: for each score the nets that it counts, int64 (group size,).
        decisions: among how many of the scores each decision is taken.
        place: how many heads were met before.
        index: which of the head's results is where, int64 in the tensor's shape.
        scale: by how much it is scaled, 0 behind a softmax, whose differences may be of any size.
    """

    head: str
    groups: tuple[Tensor, ...]
    decisions: tuple[int, ...]
    place: int
    index: Tensor
    scale: float = 1.0
    what = "scores"


Symbolic = (Codes, Bits, Scores)

# Operators that only move elements. im2col and pad take the ids as floating numbers, exact up to 2**53.
_MOVES: set[Any] = {
    aten.alias,
    aten.as_strided,
    aten.broadcast_to,
    aten.cat,
    aten.chunk,
    aten.clone,
    aten.concat,
    aten.contiguous,
    aten.constant_pad_nd,
    aten.detach,
    aten.detach_,
    aten.diagonal,
    aten.expand,
    aten.expand_as,
    aten.flatten,
    aten.flip,
    aten.gather,
    aten.im2col,
    aten.index,
    aten.index_select,
    aten.lift_fresh,
    aten.lift_fresh_copy,
    aten.movedim,
    aten.narrow,
    aten.pad,
    aten.permute,
    aten.pixel_shuffle,
    aten.pixel_unshuffle,
    aten.ravel,
    aten.repeat,
    aten.repeat_interleave,
    aten.reshape,
    aten.roll,
    aten.rot90,
    aten.select,
    aten.slice,
    aten.split,
    aten.split_with_sizes,
    aten.squeeze,
    aten.stack,
    aten.swapaxes,
    aten.t,
    aten.take,
    aten.tensor_split,
    aten.tile,
    aten.transpose,
    aten.unbind,
    aten.unflatten,
    aten.unfold,
    aten.unsqueeze,
    aten.view,
    aten._unsafe_view,
    aten.view_as,
    aten.reshape_as,
}
_FLOATING_MOVES: set[Any] = {aten.im2col, aten.pad, aten.constant_pad_nd}
_PADS: set[Any] = {aten.pad, aten.constant_pad_nd}
_CASTS: set[Any] = {aten.to, aten._to_copy, aten.type_as}
_DROPOUTS: set[Any] = {aten.dropout, aten.feature_dropout, aten.alpha_dropout, aten.feature_alpha_dropout}
_SOFTMAX: set[Any] = {aten.softmax, aten._softmax}
_LOG_SOFTMAX: set[Any] = {aten.log_softmax, aten._log_softmax}
# Scores that differ by less could be equal behind a softmax in float32, which would change the class.
_LEAST_SCALE = 2.0**-16
# Scores that differ still do in float32 with so much added to each.
_LARGEST_OFFSET = 2.0**16
_IGNORED: set[Any] = {aten._assert_tensor_metadata}
_LOOKUPS: set[Any] = {torch.ops.difflut.lut_lookup, torch.ops.difflut.lut_graph, torch.ops.difflut.convolve}


@takes_wrapped
def trace(model: BaseModel) -> Netlist:
    """The circuit of a fitted model, as its eval forward defines it; unoptimised, all in stage 0.

    Args:
        model: any fitted `BaseModel` whose forward is made of encoders, LUT layers, one group sum and data movement.

    Raises:
        NotFittedError: if the model is not fitted.
        TraceError: if the forward uses anything that has no circuit; names the operator and the source line.
    """
    return build_netlist(record(model))


@takes_wrapped
def trace_circuit(model: BaseModel) -> Circuit:
    """The circuit of a fitted convolutional model, each kernel once.

    Args:
        model: a model of images, `input_shape` (colours, rows, columns) or (rows, columns), of which each convolution
            and pooling reads one whole map: the encoded image, where all pixels of a colour have the same thresholds,
            or what another convolution or pooling gave. Its time and memory do not grow with the positions of a kernel.

    Raises:
        NotFittedError: if the model is not fitted.
        TraceError: if the forward uses anything that has no circuit, or the model is of another kind.
    """
    return build_circuit(record(model))


@takes_wrapped
def record(model: BaseModel) -> Recording:
    """What the model's eval forward does, whose arrays may be the model's own; errors as for `trace`."""
    if not model.fitted:
        raise NotFittedError(f"model {model.name!r} is not fitted, so it has no circuit; fit, train or load it first")
    was_training = model.training
    model.eval()
    try:
        return _Tracer(model, _export(model)).run()
    finally:
        model.train(was_training)


def _export(model: BaseModel) -> torch.export.ExportedProgram:
    example = torch.zeros(1, *model.input_shape, device=device_of(model))
    # torch.export keeps only the stack frames of functions named "forward"; _forward_impl borrows that name, so that
    # errors can point at the model's own line.
    method = type(model)._forward_impl
    code = method.__code__.replace(co_name="forward")
    renamed = FunctionType(code, method.__globals__, "forward", method.__defaults__, method.__closure__)
    object.__setattr__(model, "_forward_impl", MethodType(renamed, model))
    log = logging.getLogger("torch._subclasses.fake_tensor")  # has a traceback of its own for what is refused below
    was_disabled, log.disabled = log.disabled, True
    try:
        return torch.export.export(model, (example,), strict=False)
    except Exception as error:  # torch.export raises many kinds, a model's own code any
        place, module = line_at_fault(error.__traceback__), module_at_fault(error.__traceback__)
        if module is not None and remedy(module):
            raise refusal(model.name, module, "bits", remedy(module), place) from error
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TraceError(
            f"model {model.name!r}: torch.export cannot follow its forward ({type(error).__name__}: {reason}); use no "
            f"Python control flow that depends on values{place}"
        ) from error
    finally:
        log.disabled = was_disabled
        object.__delattr__(model, "_forward_impl")


class _Tracer:
    """Walks the graph of a model's forward."""

    def __init__(self, model: BaseModel, program: torch.export.ExportedProgram) -> None:
        self.model = model
        self.program = program
        self.format = model.input_format
        form = InputFormat(model.input_size, self.format.width_bits, self.format.signed)
        self.recording = Recording(model.name, form, tuple(model.input_shape))
        nodes = program.graph_module.graph.nodes
        placeholders = [node for node in nodes if node.op == "placeholder"]
        self.specs = dict(zip(placeholders, program.graph_signature.input_specs, strict=True))
        self.encoder_buffers = {
            f"{name}.{buffer}"
            for name, module in model.named_modules()
            if isinstance(module, Encoder)
            for buffer, _ in module.named_buffers()
        }
        self.heads = 0
        self.complements: dict[int, int] = {}  # a bit's id -> that of its complement

    def run(self) -> Recording:
        values: dict[fx.Node, Any] = {}
        for node in self._comparators_first():
            if node.op == "placeholder":
                values[node] = self._placeholder(self.specs[node])
            elif node.op == "get_attr":
                values[node] = getattr(self.program.graph_module, str(node.target))
            elif node.op == "call_function":
                args = fx.map_arg(node.args, lambda n: values[n])
                kwargs = fx.map_arg(node.kwargs, lambda n: values[n])
                values[node] = self._call(node, args, dict(kwargs))
            elif node.op == "output":
                self._finish(fx.map_arg(node.args, lambda n: values[n])[0])
                return self.recording
        raise TraceError(f"model {self.model.name!r}: its graph has no output")

    def _comparators_first(self) -> list[fx.Node]:
        """The graph's nodes; those that depend on a lookup come last, as a recording has all comparisons first."""
        early: list[fx.Node] = []
        late: dict[fx.Node, None] = {}  # an ordered set
        for node in self.program.graph_module.graph.nodes:
            lookup = getattr(node.target, "overloadpacket", None) in _LOOKUPS
            if lookup or node.op == "output" or any(source in late for source in node.all_input_nodes):
                late[node] = None
            else:
                early.append(node)
        return [*early, *late]

    def _placeholder(self, spec: Any) -> Any:
        if spec.kind == InputKind.USER_INPUT:
            return Codes(torch.arange(self.model.input_size).reshape(1, *self.model.input_shape))
        if spec.target in self.program.state_dict:
            return self.program.state_dict[spec.target].detach().cpu()
        constant = self.program.constants[spec.target]
        if not isinstance(constant, torch.Tensor):
            raise TraceError(
                f"model {self.model.name!r}: its forward uses a {type(constant).__name__}, which no circuit has; what "
                "it computes in eval mode must follow from its input and its tensors alone"
            )
        return constant.detach().cpu()

    def _finish(self, outputs: Any) -> None:
        """Record the heads."""
        if not outputs or not all(isinstance(value, Scores) for value in outputs):
            given = ", ".join(value.what if isinstance(value, Symbolic) else type(value).__name__ for value in outputs)
            raise TraceError(
                f"model {self.model.name!r}: its forward returns {given}; expected the scores of one GroupSum, at most "
                f"cast and divided by a positive temperature, or the results of several heads"
            )
        places = [value.place for value in outputs]
        if places != list(range(self.heads)):
            raise TraceError(
                f"model {self.model.name!r}: calls {self.heads} heads and returns those called as number "
                f"{', '.join(str(place + 1) for place in places)}; expected all, in the order of the calls"
            )
        decisions = tuple(count for value in outputs for count in value.decisions)
        defined = self.model.output_heads
        if defined.results != self.model.num_classes:
            raise TraceError(
                f"model {self.model.name!r}: its heads give {defined.results} results, its num_classes is "
                f"{self.model.num_classes}"
            )
        if decisions != defined.decisions:
            raise TraceError(
                f"model {self.model.name!r}: its heads are {', '.join(defined.by_name)}, in the order of their "
                f"definition, for decisions among {list(defined.decisions)} scores; its forward returns "
                f"{list(decisions)}: return each head's result once, in that order"
            )
        self.recording.groups = [group.numpy() for value in outputs for group in value.groups]
        self.recording.decisions = decisions

    def _call(self, node: fx.Node, args: Any, kwargs: dict[str, Any]) -> Any:
        target: Any = node.target
        symbols = [value for value in _leaves((args, kwargs)) if isinstance(value, Symbolic)]
        if not symbols:
            device = {"device": "cpu"} if "device" in kwargs else {}
            return target(*args, **{**kwargs, **device})
        if target is operator.getitem:
            return args[0][args[1]]
        packet = getattr(target, "overloadpacket", target)
        if packet in _IGNORED:
            return None
        primitives: dict[Any, Callable[..., Any]] = {
            torch.ops.difflut.nearest_numbers: self._nearest_numbers,
            torch.ops.difflut.filter_codes: self._filter_codes,
            torch.ops.difflut.encode: self._encode,
            torch.ops.difflut.lut_lookup: self._lut_lookup,
            torch.ops.difflut.lut_graph: self._lut_graph,
            torch.ops.difflut.convolve: self._convolve,
            torch.ops.difflut.group_sum: self._group_sum,
            torch.ops.difflut.threshold_sum: self._threshold_sum,
            torch.ops.difflut.number_sum: self._number_sum,
        }
        handler = primitives.get(packet)
        if handler is not None:
            return handler(node, *args, **kwargs)
        if packet in _DROPOUTS and not args[2]:
            return args[0]  # while it evaluates
        if packet in _CASTS:
            return self._cast(node, args, kwargs)
        kinds = {type(value) for value in symbols}
        if kinds == {Scores}:
            return self._behind_head(node, packet, args, kwargs)
        if packet in MAPS and kinds == {Codes}:
            return self._map_numbers(node, symbols, args, kwargs)
        if packet in _MOVES and len(kinds) == 1:
            return self._move(node, packet, kinds.pop(), args, kwargs)
        raise self._refuse(node, symbols, remedy(str(packet)) if Bits in kinds else "")

    def _refuse(self, node: fx.Node, symbols: list[Any], why: str = "") -> TraceError:
        what = " and ".join(sorted({value.what for value in symbols}))
        return refusal(self.model.name, str(node.target), what, why, _source(node))

    def _nearest_numbers(self, node: fx.Node, x: Any, divisor: Any, offset: Any, lowest: Any, highest: Any) -> Codes:
        """Codes are codes already, of the model's format."""
        if not isinstance(x, Codes) or x.steps or not _same(self.format.tensors(x.ids), (divisor, offset)):
            raise self._refuse(node, [x], ": numbers are rounded to the codes of the model's input format only")
        return x

    def _filter_codes(
        self, node: fx.Node, x: Any, weights: Any, divisor: Any, offset: Any, lowest: Any, highest: Any
    ) -> Codes:
        form = self.format
        known = isinstance(x, Codes) and not x.steps and isinstance(weights, Tensor) and not self._has_sums(x)
        if not known or len(x.ids) != 1 or not _same(form.tensors(x.ids), (divisor, offset)):
            raise self._refuse(node, [x], ": a filter takes input numbers of one sample and the model's input format")
        codes = form.all_codes()
        if not torch.equal(((form.values(codes) - offset) * divisor).round().long(), codes):
            why = ": float32 does not tell the numbers of all input codes apart; use a format with a smaller offset"
            raise self._refuse(node, [x], why)
        ids = self.recording.add_sums(x.ids[0].numpy(), weights.long().numpy())
        return Codes(_tensor(ids)[None])

    def _has_sums(self, numbers: Codes) -> bool:
        return bool((numbers.ids >= self.recording.input.features).any())

    def _encode(self, node: fx.Node, x: Any, thresholds: Any) -> Bits:
        if not isinstance(x, Codes) or not isinstance(thresholds, Tensor):
            raise self._refuse(node, [x], ": an encoder takes input numbers and fixed thresholds")
        if self._has_sums(x):
            if x.steps:
                raise self._refuse(
                    node, [x], ": sums of a filter are encoded as they are; scale the thresholds instead"
                )
            of_codes = (x.ids < self.recording.input.features)[:, :, None]
            of_sums = thresholds.double().clamp(-MOST_SUM, MOST_SUM).floor().long() + 1
            levels = torch.where(of_codes, code_thresholds(self.format, thresholds), of_sums)
            return Bits(_tensor(self.recording.compare(x.ids[:, :, None].numpy(), levels.numpy())))
        try:
            if x.steps or self.format.per_feature:
                levels, falls = code_levels(self.format, x, thresholds)
            else:
                levels, falls = code_thresholds(self.format, thresholds), torch.zeros((), dtype=torch.bool)
        except NotMonotone:
            why = ": what an encoder gets must rise or fall with the input code (its comparison is not monotone)"
            raise self._refuse(node, [x], why) from None
        ids = _tensor(self.recording.compare(x.ids[:, :, None].numpy(), levels.numpy()))
        return Bits(torch.where(falls, -ids, ids))

    def _map_numbers(self, node: fx.Node, symbols: list[Any], args: Any, kwargs: dict[str, Any]) -> Codes:
        if len(symbols) != 1 or not any(value is symbols[0] for value in args) or kwargs.get("rounding_mode"):
            raise self._refuse(node, symbols, ": only maps of each number by itself can be folded into the encoder")
        moved: Codes = symbols[0].then(node.target, tuple(args), kwargs)
        return moved

    def _plain(self, ids: Tensor) -> Tensor:
        """The ids of bits as they are looked up: complements are bits of their own, LUTs of the encoder."""
        wanted = sorted({-one for one in ids[ids < 0].tolist()} - self.complements.keys())
        if wanted:
            fanin, tables = np.array(wanted)[:, None], np.tile([True, False], (len(wanted), 1))
            self.complements.update(zip(wanted, self.recording.look_up(fanin, tables, False).tolist(), strict=True))
        if self.complements and bool((ids < 0).any()):
            return ids.clone().apply_(lambda one: one if one >= 0 else self.complements[-one])
        return ids

    def _lut_lookup(self, node: fx.Node, bits: Any, connections: Any, tables: Any) -> Bits:
        if not isinstance(bits, Bits) or not isinstance(connections, Tensor) or not isinstance(tables, Tensor):
            raise self._refuse(node, [bits], ": a LUT layer takes bits, fixed connections and fixed tables")
        # A layer that is shared by several positions gets them as rows of its batch; each row is built.
        rows, (nodes, n) = len(bits.ids), connections.shape
        fanin = self._plain(bits.ids)[:, connections].reshape(rows * nodes, n)
        source = node.args[1]
        of_encoder = source in self.specs and self.specs[source].target in self.encoder_buffers
        ids = self.recording.look_up(fanin.numpy(), tables.repeat(rows, 1).numpy(), not of_encoder)
        return Bits(_tensor(ids).reshape(rows, nodes))

    def _lut_graph(
        self, node: fx.Node, bits: Any, steps: Any, inputs: Any, connections: Any, tables: Any, outputs: Any
    ) -> Bits:
        given = (connections, tables, outputs)
        if not isinstance(bits, Bits) or not all(isinstance(value, Tensor) for value in given):
            raise self._refuse(node, [bits], ": a graph of LUTs takes bits, fixed connections and fixed tables")
        rows, width = bits.ids.shape
        known = torch.empty((rows, 2 + width + sum(steps)), dtype=torch.int64)
        known[:, :2] = torch.tensor([CONST0, CONST1])
        known[:, 2 : 2 + width] = self._plain(bits.ids)
        for first, wires, entries in graph_steps(width, steps, inputs, connections, tables):
            nodes, n = wires.shape
            fanin = known[:, wires].reshape(rows * nodes, n)
            ids = self.recording.look_up(fanin.numpy(), entries.repeat(rows, 1).numpy())
            known[:, first : first + nodes] = _tensor(ids).reshape(rows, nodes)
        return Bits(known[:, outputs])

    def _convolve(
        self, node: fx.Node, bits: Any, connections: Any, tables: Any, window: Any, stride: Any, padding: Any
    ) -> Bits:
        if not isinstance(bits, Bits) or not all(isinstance(value, Tensor) for value in [*connections, *tables]):
            raise self._refuse(node, [bits], ": a convolution takes bits, fixed connections and fixed tables")
        ids = self.recording.convolve(
            self._plain(bits.ids).numpy(),
            tuple(level.numpy() for level in connections),
            tuple(level.numpy() for level in tables),
            (tuple(window), tuple(stride), tuple(padding)),
            str(node.target),
            _source(node),
        )
        return Bits(_tensor(ids))

    def _group_sum(self, node: fx.Node, bits: Any, classes: int) -> Scores:
        return self._head("classes", self._counted(node, bits, classes), (classes,), classes)

    def _threshold_sum(self, node: fx.Node, bits: Any, thresholds: Any, tau: float) -> Scores:
        groups = []
        for threshold, group in zip(thresholds.tolist(), self._counted(node, bits, len(thresholds)), strict=True):
            less = threshold - 1  # ones of the score that the label's must be larger than
            groups += [torch.full((less,), CONST1) if less else torch.tensor([CONST0]), group]
        return self._head("labels", groups, (2,) * len(thresholds), len(thresholds))

    def _number_sum(self, node: fx.Node, bits: Any, outputs: int, scale: float, offset: float) -> Scores:
        return self._head("numbers", self._counted(node, bits, outputs), (1,) * outputs, outputs)

    def _counted(self, node: fx.Node, bits: Any, groups: int) -> Tensor:
        if not isinstance(bits, Bits) or len(bits.ids) != 1:
            raise self._refuse(node, [bits], ": a head counts the bits of one sample")
        return self._plain(bits.ids[0]).reshape(groups, -1)

    def _head(self, kind: str, groups: Iterable[Tensor], decisions: tuple[int, ...], results: int) -> Scores:
        self.heads += 1
        return Scores(kind, tuple(groups), decisions, self.heads - 1, torch.arange(results)[None])

    def _cast(self, node: fx.Node, args: Any, kwargs: dict[str, Any]) -> Any:
        value = args[0]
        dtype = node.meta["val"].dtype
        narrow = {
            Codes: (torch.float32, torch.float64),
            Scores: (torch.float32, torch.float64, torch.int32, torch.int64),
        }
        if isinstance(value, Codes) and dtype in narrow[Codes] and (value.steps or dtype != torch.float32):
            return value.then(aten.to.dtype, (value, dtype), {})
        if isinstance(value, Symbolic) and (type(value) not in narrow or dtype in narrow[type(value)]):
            return value
        raise self._refuse(node, [v for v in (value,) if isinstance(v, Symbolic)], f": the cast to {dtype} may round")

    def _behind_head(self, node: fx.Node, packet: Any, args: Any, kwargs: dict[str, Any]) -> Scores:
        """What keeps the class: a positive scale, a softmax over the classes, another shape."""
        symbols = [value for value in _leaves(args) if isinstance(value, Scores)]
        scores: Scores = symbols[0]
        first = len(symbols) == 1 and args[0] is symbols[0]
        if packet in (aten.div, aten.mul) and first and not kwargs:
            factor = args[1]
            number = float(factor) if factor is not None and torch.as_tensor(factor).numel() == 1 else 0.0
            if number > 0 and np.isfinite(number) and scores.head != "numbers":
                return replace(scores, scale=scores.scale * number if packet is aten.mul else scores.scale / number)
        if packet is aten.add and first and not kwargs and scores.head == "classes":
            number = float(args[1]) if isinstance(args[1], (int, float)) else np.inf
            if abs(number) <= _LARGEST_OFFSET and scores.scale == 1.0:
                return scores
        over_classes = scores.head == "classes" and packet in _SOFTMAX | _LOG_SOFTMAX
        if over_classes and scores.index.shape[args[1]] == scores.index.numel():
            if not scores.scale >= _LEAST_SCALE:
                why = "scores that differ could be equal behind it; leave it out, cross_entropy and argmax need none"
                raise self._refuse(node, symbols, f": {why}")
            return replace(scores, scale=0.0 if packet in _SOFTMAX else scores.scale)
        if packet in _MOVES and first:
            moved = node.target(scores.index, *args[1:], **kwargs)  # type: ignore[operator]
            if isinstance(moved, Tensor) and torch.equal(moved.reshape(-1), torch.arange(scores.index.numel())):
                return replace(scores, index=moved)
        why = (
            ": behind the group sum only casts, a number added to all scores, a positive scale, softmax, log_softmax "
            "and another shape keep the class"
        )
        raise self._refuse(node, symbols, why)

    def _move(self, node: fx.Node, packet: Any, kind: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        if packet in _PADS:
            args, kwargs = self._pad_arguments(node, kind, args, kwargs)
        if any(isinstance(value, Tensor) and packet in (aten.cat, aten.stack) for value in _leaves(args)):
            if kind is not Bits:
                raise self._refuse(node, [kind], ": input numbers cannot be joined with constants; encode them first")
            args = _map(args, lambda v: v.bool().long() if isinstance(v, Tensor) else v)
        if packet is aten.im2col and kind is not Bits:
            raise self._refuse(node, [kind], ": unfold pads with zeros; encode first")
        floating = packet in _FLOATING_MOVES
        moving: list[Any] = [value for value in _leaves((args, kwargs)) if isinstance(value, Codes | Bits)]
        planes = [value.planes if isinstance(value, Codes) else [value.ids] for value in moving]
        if len({value.kind for value in moving if isinstance(value, Codes)}) > 1:
            raise self._refuse(node, [kind], ": numbers of different maps cannot be joined; encode each, join the bits")

        def moved(plane: int) -> Any:
            def of(value: Any) -> Any:
                if not isinstance(value, Codes | Bits):
                    return value
                tensor = next(some for one, some in zip(moving, planes, strict=True) if one is value)[plane]
                return tensor.double() if floating else tensor

            return node.target(*_map(args, of), **_map(kwargs, of))  # type: ignore[operator]

        results = [moved(plane) for plane in range(len(planes[0]))]
        if kind is Bits:
            return _map(results[0], lambda value: Bits(value.long()) if isinstance(value, Tensor) else value)
        if isinstance(results[0], Tensor):
            return moving[0].of_planes(results)
        return [moving[0].of_planes(list(parts)) for parts in zip(*results, strict=True)]

    def _pad_arguments(self, node: fx.Node, kind: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        mode = (list(args) + [None] * 4)[2] if node.target is aten.pad.default else "constant"
        mode = kwargs.get("mode", mode) or "constant"
        if mode != "constant":
            return args, kwargs
        position = 3 if node.target is aten.pad.default else 2
        value = kwargs.get("value", args[position] if len(args) > position else 0) or 0
        if kind is not Bits or value not in (0, 1):
            raise self._refuse(node, [kind], f" with the constant {value}: only bits are padded, with 0 or 1")
        return args, kwargs  # constants 0 and 1 are the nets 0 and 1


def _same(expected: tuple[Tensor, ...], given: tuple[Any, ...]) -> bool:
    return all(isinstance(b, Tensor) and torch.equal(a, b) for a, b in zip(expected, given, strict=True))


def _tensor(ids: Ids) -> Tensor:
    return torch.from_numpy(ids)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _leaves(item)]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    return [value]


def _map(value: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_map(item, function) for item in value)
    if isinstance(value, dict):
        return {key: _map(item, function) for key, item in value.items()}
    return function(value)


def _source(node: fx.Node) -> str:
    """The last source line outside of torch and difflut that led to the node, for error messages."""
    trace_text = node.meta.get("stack_trace") or ""
    frames = re.findall(r'File "([^"]+)", line (\d+), in \S+\n\s*(.*)', trace_text)
    frames = [frame for frame in frames if "/torch/" not in frame[0].replace("\\", "/")]
    frames = [frame for frame in frames if not Path(frame[0]).is_relative_to(_PACKAGE)] or frames
    if not frames:
        return ""
    file, line, code = frames[-1]
    return f"\n  at {file}, line {line}: {code.strip()}"
