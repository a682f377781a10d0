"""Data sets: what the package ships, and what a user has in a directory."""

from difflut.data.dataset import Dataset, Split
from difflut.data.mnist import load_mnist, mnist_test

__all__ = ["Dataset", "Split", "load_mnist", "mnist_test"]
