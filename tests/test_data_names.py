"""Names of features and classes: from the data to the checkpoint, the build, its README, `show` and the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import run
from report_builds import complete
from small_models import Chain
from tools import require_package

from difflut.data import Dataset, load_npz
from difflut.data_names import DataNames, Wording
from difflut.errors import CheckpointError, ConfigError, DataError
from difflut.export.builds import info, store
from difflut.export.builds.make import make_build
from difflut.export.errors import BundleError
from difflut.input_format import InputFormat
from difflut.models.checkpoint import read_header

# Each would be something else in Markdown, HTML, mathematics of matplotlib or a terminal.
FEATURES = ("petal length", "a|b", "`tick`", "$x_1", "<b>bold</b>", "größe")
UNITS = ("cm", "$", "|", "", "<i>", "%")
CLASSES = ("setosa", "$\\alpha$", "<script>", "ünï")


def named(**changes: Any) -> Chain:
    """A fitted model of six features with names and units, with negative numbers among them."""
    torch.manual_seed(0)
    form = InputFormat(8, False, (43.2, 2.0, 10.0, 1.0, 100.0, 0.5), (1.0, -60.0, -10.0, 0.0, 0.0, -100.0))
    model = Chain(6, classes=4, input_format=form)
    model.fit_encoder(torch.randint(0, 256, (200, 6)))
    model.names = DataNames(**{"features": FEATURES, "units": UNITS, "classes": CLASSES, **changes})
    return model.eval()


@pytest.mark.parametrize(
    "wrong",
    [
        {"features": ("a", "a")},
        {"classes": ("a", "")},
        {"features": ("a\nb",)},
        {"features": (" a",)},
        {"classes": ("x" * 81,)},
        {"classes": ("\x1b[31m",)},
        {"features": "abc"},
        {"features": (1,)},
        {"features": ("a",), "units": ("cm", "cm")},
        {"units": ("cm",)},
    ],
    ids=repr,
)
def test_what_is_no_name_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^({'|'.join(DataNames.__struct_fields__)}): "):
        DataNames(**wrong)


def test_a_model_has_names_for_all_or_none() -> None:
    model = named()
    for wrong in ({"features": ("a", "b")}, {"classes": ("a",)}):
        with pytest.raises(ConfigError, match=r"the model has [64]"):
            model.names = DataNames(**wrong)
    model.names = DataNames(classes=CLASSES)
    model.names = None


@pytest.mark.parametrize("bits", [1, 3, 8, 16])
@pytest.mark.parametrize("low, high", [(1.0, 6.9), (-40.0, 40.0), (-3e-7, -1e-7), (0.0, 1.0), (1e6, 3e6)])
def test_the_number_of_a_comparison_is_where_codes_begin(bits: int, low: float, high: float) -> None:
    form = InputFormat.fit(np.array([[low], [high]]), bits)
    wording = Wording(DataNames(("x",), ("m",)), form)
    step = (high - low) / (2**bits - 1)
    for threshold in {1, 2**bits // 2, 2**bits - 1}:
        text = wording.comparison(0, threshold)
        assert text.startswith("x >= ") and text.endswith(" m")
        shown = float(text.split()[2])
        below, above = form.codes_of(np.array([[shown - 0.3 * step], [shown + 0.3 * step]]))[:, 0].tolist()
        assert below < threshold <= above


def test_without_names_codes_stay_codes() -> None:
    assert Wording(None, InputFormat(), (2, 3)).comparison(4, 17) == "pixel (1, 1) >= 17"
    assert Wording(DataNames(classes=("a",)), InputFormat()).comparison(4, 17) == "feature 4 >= 17"
    assert Wording(DataNames(classes=("a",)), InputFormat()).class_name(3) == "3"


def test_checkpoints_keep_names(tmp_path: Path) -> None:
    model, path = named(), tmp_path / "net.safetensors"
    model.save_checkpoint(path)
    assert read_header(path).names == model.names
    loaded = model.made_again().load_checkpoint(path)
    assert loaded.names == model.names and loaded.checkpoint_bytes() == model.checkpoint_bytes()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"setosa", b"ab\\\\ncd")[: len(content)])
    with pytest.raises(CheckpointError):
        read_header(path)
    path.write_bytes(content.replace(b'\\"petal length\\"', b'\\"a|b\\",\\"zzzzz\\"'))  # as long, but one name more
    with pytest.raises(CheckpointError):
        read_header(path)


def test_build_json_has_them_for_all_or_none() -> None:
    described = make_build(named()).info
    assert info.from_bytes(info.to_bytes(described)).names == named().names
    for wrong in (DataNames(features=("a", "b")), DataNames(classes=("a",))):
        with pytest.raises(BundleError, match="the model has"):
            info.from_bytes(info.to_bytes(_with(described, wrong)))


def _with(described: info.BuildInfo, names: DataNames) -> info.BuildInfo:
    from msgspec.structs import replace as changed

    return changed(described, names=names)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("named") / "build"
    complete(named(), folder, fpga="ecp5")
    return folder


def test_the_readme_says_what_codes_stand_for(build: Path) -> None:
    text = (build / "README.md").read_text()
    rows = [line for line in text[text.index("## Names") :].splitlines() if line.startswith("| ")]
    assert rows[2] == "| 0 | `petal length` | `1.00 to 6.90 cm` |"
    assert rows[3].startswith(r"| 1 | `a\|b` | `-60.0 to 67.5 $` |")
    assert len(rows) == 2 + len(FEATURES) + 2 + len(CLASSES)
    assert "`<script>`" in text and "| 0 | `setosa` |" in text


def test_show_and_its_picture_speak_of_numbers(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    netlist = store.read(build).circuit.body
    node = next(lut for lut in range(netlist.luts) if min(netlist.fanin(lut)) < netlist.first_lut_net)
    name = f"L{netlist.lut_layer[node]}.{netlist.lut_node[node]}"
    status, out, _ = run(capsys, "show", build, "--node", name, "--json", "--out", tmp_path / "cone.svg")
    facts = json.loads(out)
    for words, source in zip(facts["inputs"], netlist.fanin(node).tolist(), strict=True):
        if 2 <= source < netlist.first_lut_net:
            feature = int(netlist.compare_feature[source - 2])
            assert words.startswith(f"{FEATURES[feature]} >= ") and words.endswith(UNITS[feature])
    assert status == 0 and facts["classes"][0] == "class 0 (setosa)"
    picture = (tmp_path / "cone.svg").read_text()
    assert "<b>" not in picture


def test_trace_input_says_each_number(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", np.array([2.44, -58.9, 1.0, 3.0, 0.5, 20.0], np.float32))
    status, out, _ = run(capsys, "trace-input", build, "--image", tmp_path / "x.npy")
    assert status == 0
    assert "  petal length  2.44 cm  (code 62)\n  a|b           -59.0 $  (code 2)\n" in out
    assert any(f"  class: {name}\n" in out for name in CLASSES)
    status, out, _ = run(capsys, "trace-input", build, "--image", tmp_path / "x.npy", "--json")
    result = json.loads(out)
    assert [row["name"] for row in result["inputs"]] == list(FEATURES)
    assert result["class_name"] == CLASSES[result["class"]]


def test_the_report_has_them_and_nothing_of_them_is_markup(build: Path) -> None:
    require_package("matplotlib", "report")
    from difflut.report import draw, read_facts, render

    facts = read_facts(build)
    page = render(facts, draw(facts))
    assert "petal length" in page and "setosa" in page
    assert "1.00 to 6.90 cm" in page
    for wild in ("<b>bold", "<script>", "<i>"):
        assert wild not in page
    assert "$\\alpha$" in page


def arrays(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.normal(size=(40, 2)),
        "y_train": np.arange(40) % 3,
        "x_test": rng.normal(size=(5, 2)),
        "y_test": np.arange(5) % 3,
        "feature_names": ["a", "b"],
        "feature_units": ["cm", ""],
        "class_names": ["u", "v", "w"],
        **changes,
    }


def test_npz_files_have_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", **arrays())
    data = load_npz(tmp_path / "t.npz")
    assert data.names == DataNames(("a", "b"), ("cm", ""), ("u", "v", "w"))
    given = arrays()
    for key in ("feature_names", "feature_units", "class_names"):
        del given[key]
    np.savez(tmp_path / "t.npz", **given)
    assert load_npz(tmp_path / "t.npz").names is None
    assert replace(data, names=None) == Dataset(data.name, data.train, data.test)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"feature_names": ["a"], "feature_units": ["cm"]}, "got 1 names of features; the model has 2"),
        ({"feature_names": [1, 2]}, "texts"),
        ({"feature_names": np.array(["a", "b"], object)}, r"texts \(dtype=str\) expected"),
        ({"feature_names": "ab"}, "expected a list of texts"),
        ({"feature_names": [["a", "b"]]}, "expected a list of texts"),
        ({"class_names": ["u", "v"]}, "a label 2, and class_names only of 0 to 1"),
        ({"class_names": ["u", "u", "w"]}, "stands twice"),
        ({"feature_units": ["cm"]}, "got 1 for 2 names"),
        ({"feature_names": np.frombuffer(b"\xff" * 8, "<U1")}, "are no names|cannot be read"),
    ],
    ids=range(9),
)
def test_files_whose_names_do_not_fit(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "t.npz", **arrays(**changes))
    with pytest.raises(DataError, match=message):
        load_npz(tmp_path / "t.npz")


def test_training_gives_the_model_the_names_of_its_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "t.npz", **arrays())
    (tmp_path / "table_of_names.py").write_text(
        "from difflut import BaseModel, GroupSum, LUTLayer\n"
        "class Net(BaseModel):\n"
        "    def __init__(self): super().__init__('net', 2, 3, input_bits=6)\n"
        "    def _build_layers(self):\n"
        "        self.layer, self.head = LUTLayer(self.encoder.output_width, 6, n=2), GroupSum(3)\n"
        "    def _forward_impl(self, x): return self.head(self.layer(self.encoder(x)))\n"
    )
    options = ["--validation", 8, "--batch-size", 8, "--epochs", 1, "--out", tmp_path / "net.safetensors"]
    status, _, err = run(capsys, "train", f"{tmp_path}/table_of_names.py:Net", "--data", tmp_path / "t.npz", *options)
    assert status == 0, err
    names = read_header(tmp_path / "net.safetensors").names
    assert names == load_npz(tmp_path / "t.npz").names
