"""Synthesised sizes and clocks of trained networks, ours beside dwn2rtl's: the figures of docs/HARDWARE.md."""
