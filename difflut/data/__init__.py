"""Data sets: what the package ships, and what a user has in a directory."""

from difflut.data.arrays import load_npz
from difflut.data.cifar10 import load_cifar10
from difflut.data.dataset import Dataset, Split
from difflut.data.given import dataset_of, samples_of, split_of, tensor_of
from difflut.data.mnist import load_fashion_mnist, load_mnist, mnist_test, mnist_test_images
from difflut.data.registry import DATASETS, load_dataset, with_note

__all__ = [
    "DATASETS",
    "Dataset",
    "Split",
    "dataset_of",
    "load_cifar10",
    "load_dataset",
    "load_fashion_mnist",
    "load_mnist",
    "load_npz",
    "mnist_test",
    "mnist_test_images",
    "samples_of",
    "split_of",
    "tensor_of",
    "with_note",
]
