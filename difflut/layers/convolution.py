"""The convolutional LUT layer: each kernel is a tree of LUTs, shared by all positions of an image."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from difflut.errors import ConfigError, InputShapeError
from difflut.functional import convolve
from difflut.layers.config import LayerConfig
from difflut.layers.connections import FixedConnections, LearnableConnections, channel_candidates
from difflut.layers.gradients import stabilize_gradient
from difflut.layers.lut_layer import LUTLayer
from difflut.layers.windows import Pair, from_columns, pair, positions, window_columns


class ConvLUTLayer(nn.Module):
    """`kernels` trees of n-input LUTs, each of which reads n**depth bits of its receptive field.

    The kernels are `depth` LUT layers, shared by all positions: the first has kernels * n**(depth - 1) nodes that read
    the window's bits (random or learnable connections), each further one reads n outputs of the one before and the
    last has one node a kernel. In eval mode the layer is the primitive `convolve`; while training, windows enter the
    LUT layers as rows of the batch. Source: Petersen et al., "Convolutional Differentiable Logic Gate Networks",
    NeurIPS 2024, where n is 2.

    Args:
        in_channels: the number of input channels.
        kernels: the number of kernels, which is the number of output channels.
        kernel_size: rows and columns of the receptive field, one number for both or a pair.
        stride: rows and columns from one position to the next.
        padding: rows and columns of zeros on each side of the image.
        groups: into how many equal parts channels and kernels are split; a kernel reads its part's channels only.
        depth: levels of a kernel's tree.
        channels_per_kernel: of how many channels, drawn at random so that all are read about equally often, a kernel
            reads bits; None for any. With learnable connections each input of its first level then chooses among
            `candidates` bits of their windows, drawn for that input; all of them by default.
        config: the nodes' options. Bit flips and regularisers act on every level, gradient stabilisation on the
            layer's output, where a sample is one image.
    """

    def __init__(
        self,
        in_channels: int,
        kernels: int,
        kernel_size: int | Pair = 3,
        *,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        groups: int = 1,
        depth: int = 1,
        channels_per_kernel: int | None = None,
        config: LayerConfig | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if min(in_channels, kernels, depth) < 1:
            raise ConfigError(
                f"{name}: in_channels {in_channels}, kernels {kernels} and depth {depth} must be at least 1"
            )
        if groups < 1 or in_channels % groups or kernels % groups:
            raise ConfigError(
                f"{name}: {in_channels} channels and {kernels} kernels do not split into {groups} equal groups; make "
                f"both multiples of groups"
            )
        self.in_channels, self.kernels, self.groups = in_channels, kernels, groups
        self.kernel_size = pair(name, "kernel_size", kernel_size, 1)
        self.stride = pair(name, "stride", stride, 1)
        self.padding = pair(name, "padding", padding, 0)
        self.config = config or LayerConfig()
        first = replace(self.config, gradient="none")
        further = replace(first, connections="consecutive", candidates=None)
        n = first.n
        width = in_channels * self.kernel_size[0] * self.kernel_size[1]
        self.levels = nn.ModuleList()
        for level in reversed(range(depth)):
            nodes = kernels * n**level
            options = further if self.levels else first
            if channels_per_kernel is not None and not self.levels:
                options = replace(first, candidates=None)
            self.levels.append(LUTLayer(width, nodes, groups=groups, **options.keywords()))
            width = nodes
        self.channels_per_kernel = channels_per_kernel
        if channels_per_kernel is not None:
            self._read_channels(channels_per_kernel)

    def _read_channels(self, chosen: int) -> None:
        """Connect the first level to so many channels a kernel."""
        name, first = type(self).__name__, self.levels[0]
        assert isinstance(first, LUTLayer)
        if self.groups != 1 or self.config.connections not in ("learnable", "random"):
            raise ConfigError(
                f"{name}: channels_per_kernel is for random or learnable connections in one group; got "
                f"{self.config.connections} ones in {self.groups} group{'s' if self.groups != 1 else ''}"
            )
        if not 1 <= chosen <= self.in_channels:
            raise ConfigError(f"{name}: channels_per_kernel is {chosen}; it must be from 1 to {self.in_channels}")
        area = self.kernel_size[0] * self.kernel_size[1]
        candidates = chosen * area if self.config.candidates is None else self.config.candidates
        if not 1 <= candidates <= chosen * area:
            raise ConfigError(
                f"{name}: candidates is {candidates}; it must be from 1 to {chosen * area}, the bits of {chosen} "
                "channels"
            )
        ports = first.out_width * first.n // self.kernels
        learned = self.config.connections == "learnable"
        among = channel_candidates(self.in_channels, area, self.kernels, ports, chosen, candidates if learned else 1)
        first.wiring = (
            LearnableConnections.among(among) if learned else FixedConnections(among.view(first.out_width, first.n))
        )

    @property
    def depth(self) -> int:
        """Levels of a kernel's tree."""
        return len(self.levels)

    def output_size(self, height: int, width: int) -> Pair:
        """(H', W') for images of H x W.

        Raises:
            InputShapeError: if the padded image is smaller than a kernel.
        """
        return positions(type(self).__name__, (height, width), self.kernel_size, self.stride, self.padding)

    def forward(self, bits: Tensor) -> Tensor:
        """Outputs (N, kernels, H', W') from bits (N, in_channels, H, W); bool in eval mode, floating while training."""
        if bits.ndim != 4 or bits.shape[1] != self.in_channels:
            raise InputShapeError(
                f"{type(self).__name__}: got bits of shape {tuple(bits.shape)}; expected (samples, {self.in_channels}, "
                f"rows, columns)"
            )
        size = self.output_size(bits.shape[2], bits.shape[3])
        if not self.training:
            levels = [level for level in self.levels if isinstance(level, LUTLayer)]
            connections = [level.connections for level in levels]
            tables = [level.truth_tables() for level in levels]
            convolved: Tensor = convolve(bits.bool(), connections, tables, self.kernel_size, self.stride, self.padding)
            return convolved
        # As columns: LUTLayer takes the transpose, which then is contiguous, and copies nothing.
        rows = window_columns(bits, self.kernel_size, self.stride, self.padding).t()
        for level in self.levels:
            rows = level(rows)
        return stabilize_gradient(from_columns(rows.t(), bits.shape[0], size), self.config.gradient)

    def extra_repr(self) -> str:
        return (
            f"in_channels={self.in_channels}, kernels={self.kernels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}, groups={self.groups}, depth={self.depth}"
        )
