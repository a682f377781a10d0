"""What the exports of the model zoo consist of: a digest of every file, to compare before and after a change.

    python tests/support/record_exports.py record FILE        write the digests of all exports as JSON
    python tests/support/record_exports.py compare FILE       make the exports again and name each file that differs
    python tests/support/record_exports.py check FILE         verify each export on random codes and prove it

`check` takes hours; FILE keeps each verdict with the digest of the build that it is of, so that a second run goes on
where one was cut, and a later one checks what has changed since. `exports_checked.json` beside this is such
a FILE.

`--only TEXT` takes the exports whose name contains TEXT, such as mnist_bitflip_0, xcup, axi-stream or folded=32.
Exports go through the command line, so that the script outlives a redesign of what lies behind it. `--keep DIR` leaves
the builds there, for a look at what changed.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from difflut.cli import cli
from difflut.models import zoo

FAMILIES = ("generic", "xcup", "ecp5")
INTERFACES = ("plain", "axi-stream")
FORMS = ("unrolled", "streaming", "folded=32", "folded=1024")
CONVOLUTIONAL = ("cifar10_conv",)


def cases() -> Iterator[tuple[str, list[str]]]:
    """The name of each export, and the arguments of `difflut export` that make it."""
    for model in zoo():
        for form in FORMS if model in CONVOLUTIONAL else (None,):
            for family in FAMILIES:
                for interface in INTERFACES:
                    name = " ".join(filter(None, (model, form, family, interface)))
                    arguments = [model, "--fpga", family, "--interface", interface]
                    yield name, [*arguments, *(("--conv", form) if form else ())]


def digests(arguments: list[str], folder: Path) -> dict[str, str]:
    """Export into a folder; the SHA-256 digest of each file by its path."""
    result = CliRunner().invoke(cli, ["export", *arguments, "--out", str(folder)], catch_exceptions=False)
    if result.exit_code != 0:
        raise RuntimeError(f"difflut export {' '.join(arguments)}: exit status {result.exit_code}\n{result.output}")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def checked(arguments: list[str], folder: Path, known: dict[str, str]) -> dict[str, str]:
    """Export into a folder; its digest and how `verify` on random codes and `prove` end on it, unless that is known."""
    digests(arguments, folder)
    said = {"digest": json.loads((folder / "build.json").read_text(encoding="utf-8"))["digest"]}
    if known.get("digest") == said["digest"] and not faults(known):
        return known
    for name, options in (("verify", ["--random-only"]), ("prove", [])):
        command = [sys.executable, "-m", "difflut", name, str(folder), *options]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        said[name] = f"exit status {ended.returncode}: {(ended.stdout.splitlines() or ['nothing said'])[-1]}"
    return said


def faults(said: dict[str, str]) -> list[str]:
    """What a check found wrong."""
    return [f"{name}: {said[name]}" for name in ("verify", "prove") if not said[name].startswith("exit status 0")]


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The files that are not the same, with what happened to them."""
    words = [f"{name}: missing" for name in before.keys() - after.keys()]
    words += [f"{name}: new" for name in after.keys() - before.keys()]
    words += [f"{name}: differs" for name in before.keys() & after.keys() if before[name] != after[name]]
    return sorted(words)


@click.command(help=__doc__)
@click.argument("action", type=click.Choice(["record", "compare", "check"]))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--only", default="", help="Take only the exports whose name contains this text.")
@click.option("--keep", type=click.Path(path_type=Path), help="Leave the builds in this folder.")
def main(action: str, file: Path, only: str, keep: Path | None) -> None:
    """Record, compare or check."""
    chosen = [(name, arguments) for name, arguments in cases() if only in name]
    known = json.loads(file.read_text(encoding="utf-8")) if action == "compare" or file.exists() else {}
    found: dict[str, dict[str, str]] = dict(known) if action == "check" else {}
    bad = 0
    for name, arguments in chosen:
        with tempfile.TemporaryDirectory(prefix="difflut-exports-") as scratch:
            folder = (keep or Path(scratch)) / name.replace(" ", "_")
            if action == "check":
                found[name] = checked(arguments, folder, known.get(name, {}))
                words = faults(found[name])
            else:
                found[name] = digests(arguments, folder)
                words = differences(known.get(name, {}), found[name]) if action == "compare" else []
        if action != "compare":
            file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        bad += bool(words)
        click.echo(f"{name}: {'; '.join(words) or 'as it should be'}")
    click.echo(f"{len(chosen)} exports, {bad} of them not as they should be")
    sys.exit(1 if bad or not chosen else 0)


if __name__ == "__main__":
    main()
