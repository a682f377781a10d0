"""LUT layers: fully connected and convolutional, their pooling, and what helps to train them."""

from difflut.layers.bit_flip import flip_bits
from difflut.layers.config import LayerConfig
from difflut.layers.connections import CONNECTIONS, LearnableConnections, consecutive_connections, random_connections
from difflut.layers.convolution import ConvLUTLayer
from difflut.layers.gradients import GRADIENTS, stabilize_gradient
from difflut.layers.initializers import INITIALIZERS, initialize
from difflut.layers.lut_graph import LUTGraph
from difflut.layers.lut_layer import LUTLayer
from difflut.layers.pooling import OrPool, or_pool
from difflut.layers.regularizers import REGULARIZERS, walsh_hadamard

__all__ = [
    "CONNECTIONS",
    "GRADIENTS",
    "INITIALIZERS",
    "REGULARIZERS",
    "ConvLUTLayer",
    "LUTGraph",
    "LUTLayer",
    "LayerConfig",
    "LearnableConnections",
    "OrPool",
    "consecutive_connections",
    "flip_bits",
    "initialize",
    "or_pool",
    "random_connections",
    "stabilize_gradient",
    "walsh_hadamard",
]
