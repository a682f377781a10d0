from __future__ import annotations

from pathlib import Path

import pytest

from difflut.hdl_templates import TemplateError, render


def write(folder: Path, text: str) -> Path:
    (folder / "part.v.j2").write_text(text)
    return folder


def test_a_missing_name_is_reported_with_template_and_line(tmp_path: Path) -> None:
    folder = write(tmp_path, "module {{ name }};\n\nwire {{ width }};\n")
    with pytest.raises(TemplateError, match=r"^template part\.v\.j2, line 3: 'width' is undefined$"):
        render("part.v.j2", {"name": "a"}, folder)


def test_a_missing_name_in_an_included_template_is_reported_there(tmp_path: Path) -> None:
    write(tmp_path, "\n{{ width }}\n")
    (tmp_path / "whole.v.j2").write_text('{% include "part.v.j2" %}\n')
    with pytest.raises(TemplateError, match=r"^template part\.v\.j2, line 2: 'width' is undefined$"):
        render("whole.v.j2", {}, tmp_path)


def test_a_syntax_error_is_reported_with_template_and_line(tmp_path: Path) -> None:
    folder = write(tmp_path, "a\n{% for %}\n")
    with pytest.raises(TemplateError, match=r"^template part\.v\.j2, line 2: "):
        render("part.v.j2", {}, folder)


def test_a_missing_template_is_reported() -> None:
    with pytest.raises(TemplateError, match=r"^there is no template 'nothing\.v\.j2' in hdl_templates/; reinstall"):
        render("nothing.v.j2", {})
