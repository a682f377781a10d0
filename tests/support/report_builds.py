"""Builds for the tests of the report, with everything that verification, proof and synthesis leave in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from small_models import fitted, random_codes

from difflut.check.records import RtlOutputs, keep
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.circuit.simulate import simulate
from difflut.models import BaseModel

SAMPLES, RANDOM = 60, 20


def export(model: BaseModel, folder: Path, **options: Any) -> Build:
    """Write a build of a fitted model and return it."""
    made = make_build(model, **options)
    store.write(made, folder)
    return made


def outputs_of(build: Build, model: BaseModel) -> RtlOutputs:
    """What right RTL returns; a quarter of the labels are wrong."""
    codes = random_codes(model, SAMPLES + RANDOM, seed=3).reshape(SAMPLES + RANDOM, -1).numpy()
    expected = simulate(build.circuit, codes)
    labels = expected.classes[:SAMPLES].copy()
    labels[::4] = (labels[::4] + 1) % model.num_classes
    ports = build.info.output
    return RtlOutputs(
        scores=expected.scores if ports.scores else None,
        classes=expected.classes if ports.best else None,
        top=np.argsort(-expected.scores, axis=1, kind="stable")[:, : ports.top.count] if ports.top else None,
        labels=labels,
    )


def verification(build: Build, outputs: RtlOutputs | None, **changes: Any) -> dict[str, Any]:
    """A kept report as `difflut verify` writes it."""
    steps = [{"name": "netlist", "images": 100, "random": RANDOM, "mismatches": 0, "accuracy": 0.75}]
    if outputs is not None:
        right = (
            float((outputs.predicted()[: len(outputs.labels)] == outputs.labels).mean())
            if len(outputs.labels)
            else None
        )
        steps.append(
            {"name": "RTL", "images": len(outputs.labels), "random": RANDOM, "mismatches": 0, "accuracy": right}
        )
    return {
        "build": build.info.name,
        "digest": build.digest,
        "data": "made-up samples",
        "date": "2026-01-02T03:04:05+00:00",
        "steps": steps,
        "simulator": "icarus" if outputs is not None else "none",
        "latency_cycles": build.info.latency_cycles,
        "waves": None,
        **changes,
    }


def complete(model: BaseModel, folder: Path, **options: Any) -> Build:
    """A build with a verification, a proof and a synthesis report."""
    build = export(model if model.fitted else fitted(model), folder, **options)
    outputs = outputs_of(build, model)
    keep(folder, verification(build, outputs), outputs)
    claim = {"subject": "argmax", "statement": "the class is <right>", "verdict": "proved", "detail": "by SAT"}
    proof = {"build": "x", "digest": build.digest, "date": "2026-01-03T00:00:00+00:00", "claims": [claim], "ok": True}
    write_report(folder, "proof", proof)
    write_report(folder, "yosys-ecp5", synthesis(build))
    return build


def synthesis(build: Build) -> dict[str, Any]:
    """A report as `difflut synth --flow yosys` writes it."""
    cells = {"luts": 12, "carries": {"CCU2C": 3}, "muxes": 1, "flip_flops": 7}
    return {
        "flow": "yosys",
        "status": "done",
        "build": build.info.name,
        "digest": build.digest,
        "fpga": "ecp5",
        "command": "synth_ecp5",
        "tools": {"Yosys": "0.70"},
        "total": {**cells, "luts": 20},
        "parts": dict.fromkeys(("argmax", "encoder", "group_sum", "stage10", "stage2", "top"), cells)
        | {"empty": {"luts": 0, "carries": {}, "muxes": 0, "flip_flops": 0}},
        "path": {"delay_ns": 5.0, "cells": {}, "fmax_mhz": 200.0},
    }


def write_report(folder: Path, name: str, content: Any) -> None:
    """Put a report.json into the build's work folder."""
    path = folder / store.WORK_FOLDER / name / "report.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
