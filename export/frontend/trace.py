"""From a model to a circuit: the model's own forward is run on ids of bits, and recorded.

`torch.export` turns the forward into a graph of the primitives of `difflut.functional` and ATen operators. The graph is
walked once, with integer tensors in place of values: a tensor of features in place of the input codes, a tensor of ids
in place of bits. Data movement (reshape, permute, cat, index, pad, ...) runs on these ids as it is, a primitive is
recorded. Everything else is refused. `difflut.export.frontend.unrolled` and `.windowed` make circuits of the recording.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx
from torch.export.graph_signature import InputKind

from difflut.encoders import Encoder
from difflut.errors import NotFittedError
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import InputFormat, Netlist
from difflut.export.errors import TraceError
from difflut.export.frontend.recording import Ids, Recording, refusal
from difflut.export.frontend.unrolled import build_netlist
from difflut.export.frontend.windowed import build_circuit
from difflut.functional import encode
from difflut.input_format import InputFormat as ModelInputFormat
from difflut.models.base_model import BaseModel, device_of

aten = torch.ops.aten


@dataclass(frozen=True)
class Codes:
    """A tensor of input features: int64 feature indices in the tensor's shape."""

    ids: Tensor
    what = "input numbers"


@dataclass(frozen=True)
class Bits:
    """A tensor of bits: int64 net ids in the tensor's shape."""

    ids: Tensor
    what = "bits"


@dataclass(frozen=True)
class Scores:
    """The result of group_sum, perhaps scaled by a positive number: the nets that each score counts (classes, size)."""

    groups: Tensor
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
_IGNORED: set[Any] = {aten._assert_tensor_metadata}
_LOOKUPS: set[Any] = {torch.ops.difflut.lut_lookup, torch.ops.difflut.convolve}


def trace(model: BaseModel) -> Netlist:
    """The circuit of a fitted model, as its eval forward defines it; unoptimised, all in stage 0.

    Args:
        model: any fitted `BaseModel` whose forward is made of encoders, LUT layers, one group sum and data movement.

    Raises:
        NotFittedError: if the model is not fitted.
        TraceError: if the forward uses anything that has no circuit; names the operator and the source line.
    """
    return build_netlist(record(model))


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
    try:
        return torch.export.export(model, (example,), strict=False)
    except Exception as error:  # torch.export raises many kinds, a model's own code any
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TraceError(
            f"model {model.name!r}: torch.export cannot follow its forward ({type(error).__name__}: {reason}); use no "
            f"Python control flow that depends on values"
        ) from error
    finally:
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
                self.recording.groups = list(self._groups(fx.map_arg(node.args, lambda n: values[n])[0]).numpy())
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
        return self.program.constants[spec.target].detach().cpu()

    def _groups(self, outputs: Any) -> Tensor:
        if len(outputs) != 1 or not isinstance(outputs[0], Scores):
            given = ", ".join(value.what if isinstance(value, Symbolic) else type(value).__name__ for value in outputs)
            raise TraceError(
                f"model {self.model.name!r}: its forward returns {given}; expected the scores of one GroupSum, at most "
                f"cast and divided by a positive temperature"
            )
        groups = outputs[0].groups
        if groups.shape[0] != self.model.num_classes:
            raise TraceError(
                f"model {self.model.name!r}: its group sum has {groups.shape[0]} classes, its num_classes is "
                f"{self.model.num_classes}"
            )
        return groups

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
            torch.ops.difflut.encode: self._encode,
            torch.ops.difflut.lut_lookup: self._lut_lookup,
            torch.ops.difflut.convolve: self._convolve,
            torch.ops.difflut.group_sum: self._group_sum,
        }
        handler = primitives.get(packet)
        if handler is not None:
            return handler(node, *args, **kwargs)
        if packet in _CASTS:
            return self._cast(node, args, kwargs)
        kinds = {type(value) for value in symbols}
        if kinds == {Scores}:
            return self._scale(node, packet, args, kwargs)
        if packet in _MOVES and len(kinds) == 1:
            return self._move(node, packet, kinds.pop(), args, kwargs)
        raise self._refuse(node, symbols)

    def _refuse(self, node: fx.Node, symbols: list[Any], why: str = "") -> TraceError:
        what = " and ".join(sorted({value.what for value in symbols}))
        return refusal(self.model.name, str(node.target), what, why, _source(node))

    def _nearest_numbers(self, node: fx.Node, x: Any, divisor: Any, offset: Any, lowest: Any, highest: Any) -> Codes:
        """Codes are codes already, of the model's format."""
        if not isinstance(x, Codes) or not _same(self.format.tensors(x.ids), (divisor, offset)):
            raise self._refuse(node, [x], ": numbers are rounded to the codes of the model's input format only")
        return x

    def _encode(self, node: fx.Node, x: Any, thresholds: Any) -> Bits:
        if not isinstance(x, Codes) or not isinstance(thresholds, Tensor):
            raise self._refuse(node, [x], ": an encoder takes input numbers and fixed thresholds")
        return Bits(_tensor(self.recording.compare(x.ids[:, :, None].numpy(), self._codes(x.ids, thresholds).numpy())))

    def _codes(self, features: Tensor, thresholds: Tensor) -> Tensor:
        """`code_thresholds` of thresholds (F, T); (N, F, T) for features (N, F) if their formats differ."""
        if not self.format.per_feature:
            return code_thresholds(self.format, thresholds)
        each = thresholds.expand(*features.shape, thresholds.shape[-1])
        codes = torch.empty(each.shape, dtype=torch.int64)
        for feature in sorted(set(features.flatten().tolist())):
            places = features == feature
            codes[places] = code_thresholds(self.format.of_feature(feature), each[places])
        return codes

    def _lut_lookup(self, node: fx.Node, bits: Any, connections: Any, tables: Any) -> Bits:
        if not isinstance(bits, Bits) or not isinstance(connections, Tensor) or not isinstance(tables, Tensor):
            raise self._refuse(node, [bits], ": a LUT layer takes bits, fixed connections and fixed tables")
        # A layer that is shared by several positions gets them as rows of its batch; each row is built.
        rows, (nodes, n) = len(bits.ids), connections.shape
        fanin = bits.ids[:, connections].reshape(rows * nodes, n)
        source = node.args[1]
        of_encoder = source in self.specs and self.specs[source].target in self.encoder_buffers
        ids = self.recording.look_up(fanin.numpy(), tables.repeat(rows, 1).numpy(), not of_encoder)
        return Bits(_tensor(ids).reshape(rows, nodes))

    def _convolve(
        self, node: fx.Node, bits: Any, connections: Any, tables: Any, window: Any, stride: Any, padding: Any
    ) -> Bits:
        if not isinstance(bits, Bits) or not all(isinstance(value, Tensor) for value in [*connections, *tables]):
            raise self._refuse(node, [bits], ": a convolution takes bits, fixed connections and fixed tables")
        ids = self.recording.convolve(
            bits.ids.numpy(),
            tuple(level.numpy() for level in connections),
            tuple(level.numpy() for level in tables),
            (tuple(window), tuple(stride), tuple(padding)),
            str(node.target),
            _source(node),
        )
        return Bits(_tensor(ids))

    def _group_sum(self, node: fx.Node, bits: Any, classes: int) -> Scores:
        if not isinstance(bits, Bits) or len(bits.ids) != 1:
            raise self._refuse(node, [bits], ": a group sum counts the bits of one sample")
        return Scores(bits.ids[0].reshape(classes, -1))

    def _cast(self, node: fx.Node, args: Any, kwargs: dict[str, Any]) -> Any:
        value = args[0]
        dtype = node.meta["val"].dtype
        narrow = {
            Codes: (torch.float32, torch.float64),
            Scores: (torch.float32, torch.float64, torch.int32, torch.int64),
        }
        if isinstance(value, Symbolic) and (type(value) not in narrow or dtype in narrow[type(value)]):
            return value
        raise self._refuse(node, [v for v in (value,) if isinstance(v, Symbolic)], f": the cast to {dtype} may round")

    def _scale(self, node: fx.Node, packet: Any, args: Any, kwargs: dict[str, Any]) -> Scores:
        symbols = [value for value in args if isinstance(value, Scores)]
        factor = next((value for value in args[1:] if not isinstance(value, Scores)), None)
        if packet in (aten.clone, aten.contiguous, aten.alias, aten.detach):
            return symbols[0]
        if packet in (aten.div, aten.mul) and isinstance(args[0], Scores) and len(symbols) == 1 and not kwargs:
            number = float(factor) if factor is not None and torch.as_tensor(factor).numel() == 1 else 0.0
            if number > 0 and np.isfinite(number):
                return symbols[0]
        raise self._refuse(node, symbols, ": after the group sum only a cast and a positive scale keep the class")

    def _move(self, node: fx.Node, packet: Any, kind: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        if packet in _PADS:
            args, kwargs = self._pad_arguments(node, kind, args, kwargs)
        floating = packet in _FLOATING_MOVES

        def ids(value: Any) -> Any:
            if isinstance(value, Codes | Bits):
                return value.ids.double() if floating else value.ids
            return value

        def wrap(value: Any) -> Any:
            return kind(value.long()) if isinstance(value, Tensor) else value

        if any(isinstance(value, Tensor) and packet in (aten.cat, aten.stack) for value in _leaves(args)):
            if kind is not Bits:
                raise self._refuse(node, [kind], ": input numbers cannot be joined with constants; encode them first")
            args = _map(args, lambda v: v.bool().long() if isinstance(v, Tensor) else v)
        if packet is aten.im2col and kind is not Bits:
            raise self._refuse(node, [kind], ": unfold pads with zeros; encode first")
        return _map(node.target(*_map(args, ids), **_map(kwargs, ids)), wrap)  # type: ignore[operator]

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


def code_thresholds(input_format: ModelInputFormat, thresholds: Tensor) -> Tensor:
    """int64, the shape of `thresholds`: the smallest code for which the float comparison holds, for every threshold.

    The format is that of one feature, or the same for all.

    The comparison is evaluated for every code, so `code >= result` agrees with it for all of them; a result above
    the highest code means that it never holds.
    """
    codes = input_format.all_codes()
    unique, inverse = torch.unique(thresholds.detach().cpu(), return_inverse=True)
    levels = []
    for part in unique.split(1024):
        above = encode(input_format.values(codes)[:, None], part[None].float())[:, 0]
        if bool((above[1:] < above[:-1]).any()):
            raise TraceError("the encoder's comparison is not monotone in the input code; this is a bug of the encoder")
        levels.append(int(codes[0]) + (~above).sum(dim=0))
    return torch.cat(levels)[inverse]


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
    """The last source line outside torch that led to the node, for error messages."""
    trace_text = node.meta.get("stack_trace") or ""
    frames = re.findall(r'File "([^"]+)", line (\d+), in \S+\n\s*(.*)', trace_text)
    frames = [frame for frame in frames if "/torch/" not in frame[0].replace("\\", "/")]
    if not frames:
        return ""
    file, line, code = frames[-1]
    return f"\n  at {file}, line {line}: {code.strip()}"
