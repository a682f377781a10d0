"""Compiled inference: a circuit as a program of the C code in `kernel.c`, from integer codes to scores and classes."""
