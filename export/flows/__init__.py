"""Flows: external tools that turn a build directory into a circuit of real cells.

`yosys.synthesise` counts cells, `nextpnr.implement` places and routes, `vivado.implement` writes (and runs) Vivado's
scripts. Each takes a build directory and options of its own and returns a report with `to_json()`, which it also leaves
in the build directory (`difflut.export.flows.reports`).
"""
