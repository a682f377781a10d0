"""LUT networks in PyTorch, exported as verified FPGA circuits."""
