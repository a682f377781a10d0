"""A circuit as one file for other tools: what it computes without registers, from codes to scores and class word."""
