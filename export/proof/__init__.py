"""Proofs for all inputs: emitted RTL against the netlist, and the result of a pass against what it was given.

Torch-free. docs/proofs.md says what is proved and what is assumed; docs/adr/0005-proofs.md why it is done this way.
"""
