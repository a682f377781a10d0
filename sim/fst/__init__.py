"""C++ headers that stand in for LZ4 and zlib in the FST writer of Verilator; no Python."""
