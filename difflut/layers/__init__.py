"""LUT layers: fully connected and convolutional, their pooling, and what helps to train them."""

from difflut.layers.bit_flip import flip_bits
from difflut.layers.config import LayerConfig
from difflut.layers.connections import (
    CONNECTIONS,
    LearnableConnections,
    butterfly_connections,
    consecutive_connections,
    random_connections,
)
from difflut.layers.convolution import ConvLUTLayer
from difflut.layers.gradients import GRADIENTS, stabilize_gradient
from difflut.layers.initializers import INITIALIZERS, initialize
from difflut.layers.lut_graph import LUTGraph
from difflut.layers.lut_layer import LUTLayer
from difflut.layers.majority import POOLINGS, MajorityPool, majority_pool
from difflut.layers.pooling import OrPool, Pooling, or_pool
from difflut.layers.regularizers import REGULARIZERS, walsh_hadamard

__all__ = [
    "CONNECTIONS",
    "GRADIENTS",
    "INITIALIZERS",
    "POOLINGS",
    "REGULARIZERS",
    "ConvLUTLayer",
    "LUTGraph",
    "LUTLayer",
    "LayerConfig",
    "LearnableConnections",
    "MajorityPool",
    "OrPool",
    "Pooling",
    "butterfly_connections",
    "consecutive_connections",
    "flip_bits",
    "initialize",
    "majority_pool",
    "or_pool",
    "random_connections",
    "stabilize_gradient",
    "walsh_hadamard",
]
