// Verilator's FST writer wants LZ4. So that waveforms need no development package, this writes valid LZ4 blocks that
// compress nothing: one sequence of literals (LZ4 block format: token, length in steps of 255, bytes).
#pragma once
#include <cstring>

inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

inline int LZ4_compress_default(const char* source, char* destination, int size, int capacity) {
    if (capacity < LZ4_compressBound(size)) return 0;
    char* out = destination;
    *out++ = static_cast<char>((size < 15 ? size : 15) << 4);
    if (size >= 15) {
        int rest = size - 15;
        for (; rest >= 255; rest -= 255) *out++ = static_cast<char>(255);
        *out++ = static_cast<char>(rest);
    }
    std::memcpy(out, source, static_cast<size_t>(size));
    return static_cast<int>(out - destination) + size;
}
