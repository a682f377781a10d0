"""The text form: golden text, round trips, and errors that name the line."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from netlists import netlists

from difflut.export.circuit.circuit import Circuit, EncodedImage, MapSize, WindowLayer
from difflut.export.circuit.netlist import Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.rules import check
from difflut.export.circuit.text import from_text, to_text
from difflut.export.errors import NetlistSyntaxError
from difflut.export.passes.assign_stages import assign_stages

GOLDEN = """\
difflut netlist 1
name "toy \\"1\\""
input 4 features, 8 bits unsigned
2: compare x0 >= 128 stage 1
3: compare x3 >= 17 stage 1
4: lut 2 3 1 table 6a stage 2 from 1.0
5: lut 4 table 1 stage 3 from 2.0
6: lut 2 3 4 2 3 4 2 table 80000000000000000000000000000001 stage 3 from 3.0
score 0: 4 2
score 1: 6 5 6
end
"""


def golden() -> Netlist:
    builder = NetlistBuilder('toy "1"', InputFormat(4, 8))
    x, y = builder.add_comparators([0, 3], [128, 17])
    a = builder.add_layer([[x, y, 1]], np.array([[0, 1, 0, 1, 0, 1, 1, 0]], bool))[0]
    b = builder.add_layer([[a]], np.array([[1, 0]], bool))[0]
    wide = np.zeros((1, 128), bool)
    wide[0, [0, 127]] = True
    c = builder.add_layer([[x, y, a, x, y, a, x]], wide)[0]
    return assign_stages(builder.finish(Head(np.array([0, 2, 5]), np.array([a, x, c, b, c]))))


def test_golden() -> None:
    check(golden())
    assert to_text(golden()) == GOLDEN
    assert from_text(GOLDEN) == Circuit.of(golden())


@given(netlists())
@settings(max_examples=100, deadline=None)
def test_round_trip(netlist: Netlist) -> None:
    text = to_text(netlist)
    assert from_text(text) == Circuit.of(netlist)
    assert to_text(from_text(text)) == text


def test_bits_of_codes() -> None:
    builder = NetlistBuilder("bits", InputFormat(2, 3, signed=True))
    nets = builder.add_bits([0, 1], [2, 0])
    text = to_text(builder.finish(nets[:, None]))
    assert "2: compare x0[2] >= 1 stage 0\n3: compare x1[0] >= 1 stage 0\n" in text
    assert from_text(text).body.compare_feature.tolist() == [2 + 2, 2 + 3]
    with pytest.raises(NetlistSyntaxError) as caught:
        from_text(text.replace("x0[2]", "x0[3]"))
    given = "got '2: compare x0[3] >= 1 stage 0'"
    assert str(caught.value) == f"line 4: bit 3 of a code of 3 bits; expected 0 to 2; {given}"


def test_signed_input_and_invented_luts_round_trip() -> None:
    netlist = golden().with_(input=InputFormat(4, 12, signed=True), lut_layer=[-1] * 3, lut_node=[-1] * 3)
    netlist = netlist.with_(compare_threshold=[-2047, 5])
    assert "2: compare x0 >= -2047 stage 1\n" in to_text(netlist)
    assert from_text(to_text(netlist)).body == netlist


def test_comments_empty_lines_and_other_line_ends_are_accepted() -> None:
    text = "# seen on a board\n\n" + GOLDEN.replace("\n", "\r\n") + "\n# the end\n"
    assert from_text(text).body == golden()


def test_the_parser_leaves_rules_to_check() -> None:
    netlist = from_text(GOLDEN.replace("lut 2 3 1 ", "lut 2 9 1 ")).body
    assert netlist.fanin(0).tolist() == [2, 9, 1]


@pytest.mark.parametrize(
    ("line", "replacement", "message"),
    [
        (
            1,
            "difflut netlist 2",
            "line 1: expected 'difflut netlist 1' or 'difflut circuit 2'; got 'difflut netlist 2'",
        ),
        (2, "name toy", "line 2: expected 'name' and a JSON string; got 'name toy'"),
        (2, r'name "\x"', r"""line 2: expected 'name' and a JSON string; got 'name "\\x"'"""),
        (
            3,
            "input 4",
            "line 3: expected 'input F features, W bits unsigned' or '... signed'; got 'input 4'",
        ),
        (
            4,
            "2: compare x0 > 128 stage 1",
            (
                "line 4: expected a line 'NET: compare ...', 'NET: lut ...' or 'score 0: ...'; "
                "got '2: compare x0 > 128 stage 1'"
            ),
        ),
        (
            5,
            "4: compare x3 >= 17 stage 1",
            "line 5: expected net 3, as nets are numbered in the order of the lines; got '4: compare x3 >= 17 stage 1'",
        ),
        (
            7,
            "5: compare x3 >= 17 stage 1",
            "line 7: a comparator follows a LUT; expected all comparators first; got '5: compare x3 >= 17 stage 1'",
        ),
        (
            6,
            "4: lut 2 3 1 table 6 stage 2 from 1.0",
            (
                "line 6: expected a table of 8 bits as 2 hexadecimal digits for 3 inputs; "
                "got '4: lut 2 3 1 table 6 stage 2 from 1.0'"
            ),
        ),
        (
            7,
            "5: lut 4 table 4 stage 3 from 2.0",
            (
                "line 7: expected a table of 2 bits as 1 hexadecimal digits for 1 inputs; "
                "got '5: lut 4 table 4 stage 3 from 2.0'"
            ),
        ),
        (
            7,
            "5: lut 0 0 0 0 0 0 0 0 0 table 0 stage 3 from 2.0",
            "line 7: a LUT of 9 inputs; expected 1 to 8; got '5: lut 0 0 0 0 0 0 0 0 0 table 0 stage 3 from 2.0'",
        ),
        (
            10,
            "score 2: 6",
            "line 10: expected 'score 1: NET ...', 'decisions ...' or 'end'; got 'score 2: 6'",
        ),
        (11, "", "line 12: the text ends here; expected it to end with a line 'end'"),
        (11, "end\nend", "line 12: expected nothing after 'end'; got 'end'"),
    ],
)
def test_errors_name_the_line(line: int, replacement: str, message: str) -> None:
    lines = GOLDEN.split("\n")
    lines[line - 1] = replacement
    with pytest.raises(NetlistSyntaxError) as caught:
        from_text("\n".join(lines))
    assert str(caught.value) == message


@pytest.mark.parametrize("field", ["x3", "17", "stage 1"])
def test_numbers_that_do_not_fit_name_the_line(field: str) -> None:
    huge = re.sub(r"\d+", "99999999999", field)
    text = GOLDEN.replace("3: compare x3 >= 17 stage 1", "3: compare x3 >= 17 stage 1".replace(field, huge))
    with pytest.raises(NetlistSyntaxError, match=r"^line 5: .*; got '3: compare .*'$"):
        from_text(text)


def test_long_lines_are_shortened_in_messages() -> None:
    with pytest.raises(NetlistSyntaxError) as caught:
        from_text(GOLDEN.replace("score 0: 4 2", "score 0: " + "4 " * 500 + "x"))
    assert len(str(caught.value)) < 300
    assert str(caught.value).endswith("...'")


def test_empty_text() -> None:
    with pytest.raises(NetlistSyntaxError, match=r"^line 1: the text ends here; expected it to end with a line 'end'$"):
        from_text("")


OF_IMAGES = """\
difflut circuit 2
name "image"
image 1 colours, 2 rows, 3 columns, 4 bits signed
channel 0: colour 0 >= 3
layer 1: map 0, window 1 2, stride 1 1, padding 0 0, kernel:
difflut netlist 1
name "pair"
input 2 features, 1 bits unsigned
2: compare x0 >= 1 stage 0
3: compare x1 >= 1 stage 0
4: lut 2 3 table 8 stage 0 from 1.0
score 0: 4
end
body bits 0 6 9:
difflut netlist 1
name "rest"
input 3 features, 1 bits unsigned
2: compare x0 >= 1 stage 0
3: compare x2 >= 1 stage 0
score 0: 2
score 1: 3
end
"""


def of_images() -> Circuit:
    builder = NetlistBuilder("pair", InputFormat(2, 1))
    bits = builder.add_comparators([0, 1], 1)
    kernel = builder.finish([builder.add_layer([bits], np.array([[0, 0, 0, 1]], bool))])
    builder = NetlistBuilder("rest", InputFormat(3, 1))
    body = builder.finish(builder.add_comparators([[0], [2]], 1))
    return Circuit(
        name="image",
        input=InputFormat(6, 4, signed=True),
        image=EncodedImage(MapSize(1, 2, 3), np.zeros(1, np.int32), np.full(1, 3, np.int32)),
        layers=(WindowLayer(0, kernel, (1, 2), (1, 1), (0, 0)),),
        body=body,
        body_bits=np.array([0, 6, 9]),
    )


def test_golden_circuit_of_images() -> None:
    check(of_images())
    assert to_text(of_images()) == OF_IMAGES
    assert from_text(OF_IMAGES) == of_images()
    assert from_text("# kept\n" + OF_IMAGES.replace("layer 1", "\n# the only one\nlayer 1")) == of_images()


@pytest.mark.parametrize(
    ("line", "replacement", "message"),
    [
        (3, "image 1", "line 3: expected 'image C colours, R rows, C columns, W bits unsigned' or '... signed'"),
        (4, "channel 1: colour 0 >= 3", "line 4: expected channel 0, as they are numbered in the order of the lines"),
        (4, "channel 0: colour 0 >= 99999999999", "line 4: "),
        (5, "layer 2: map 0, window 1 2, stride 1 1, padding 0 0, kernel:", "line 5: expected layer 1, as they are"),
        (5, "layer", "line 5: expected 'channel ...', 'layer ...' or 'body bits ...'; got 'layer'"),
        (11, "4: lut 2 3 table 18 stage 0 from 1.0", "line 11: expected a table of 4 bits as 1 hexadecimal digits"),
        (14, "body bits 99999999999999999999:", "line 14: "),
        (14, "end", "line 14: expected 'channel ...', 'layer ...' or 'body bits ...'; got 'end'"),
        (22, "", "line 23: the text ends here; expected it to end with a line 'end'"),
        (22, "end\nend", "line 23: expected nothing after 'end'; got 'end'"),
    ],
)
def test_errors_in_a_circuit_of_images_name_the_line(line: int, replacement: str, message: str) -> None:
    lines = OF_IMAGES.split("\n")
    lines[line - 1] = replacement
    with pytest.raises(NetlistSyntaxError) as caught:
        from_text("\n".join(lines))
    assert str(caught.value).startswith(message)


def test_endless_numbers_name_the_line() -> None:
    """Python refuses to convert more than 4300 digits with an error of its own kind."""
    with pytest.raises(NetlistSyntaxError, match=r"^line 4: "):
        from_text(GOLDEN.replace(">= 128", ">= 1" + 5000 * "0"))
