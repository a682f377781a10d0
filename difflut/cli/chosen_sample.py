"""The one sample that a command is given: a test sample by number, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from difflut.cli.common import labelled_test_samples

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from difflut.inspect.input_trace import TakesSamples


def chosen_sample(
    circuit: TakesSamples,
    model_name: str,
    image: str,
    data_dir: Path | None,
    dataset: str | None,
    note: str | None,
    download: bool,
) -> tuple[npt.NDArray[np.int64], int | None, str]:
    """The codes, the label if it is known, and what the sample is in words.

    Args:
        circuit: what takes it.
        model_name: of the model, whose test samples may be in the package.
        image: the number of a test sample, or a .npy or .png file.
        data_dir, dataset, note, download: see `labelled_test_samples`.

    Raises:
        ConfigError: no such sample, another kind of file, or the package has no samples.
        DataError: the file cannot be read or holds something else than one sample.
    """
    from difflut.errors import ConfigError
    from difflut.inspect.input_trace import load_codes, quantised

    if not image.lstrip("-").isdigit():
        path = Path(image)
        return load_codes(path, circuit), None, path.name
    split, name = labelled_test_samples(model_name, data_dir, dataset, note, download)
    index = int(image)
    if not 0 <= index < len(split):
        raise ConfigError(f"--image {image}: {name} has the test samples 0 to {len(split) - 1}")
    codes = quantised(split.x[index].numpy(), circuit, f"{name}, test sample {index}")
    return codes, int(split.y[index]), f"{name}, test sample {index}"
