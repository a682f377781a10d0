// Verilator's FST writer wants zlib. So that waveforms need no development package, this writes valid zlib streams that
// compress nothing: stored blocks (RFC 1951, 3.2.4) between the header and the Adler-32 sum (RFC 1950).
#pragma once
#include <cstring>

typedef unsigned char Bytef;
typedef unsigned long uLong;
typedef unsigned long uLongf;
constexpr int Z_OK = 0;
constexpr int Z_BUF_ERROR = -5;

inline uLong compressBound(uLong size) { return size + 5 * (size / 65535 + 1) + 6; }

inline int compress2(Bytef* destination, uLongf* capacity, const Bytef* source, uLong size, int) {
    if (*capacity < compressBound(size)) return Z_BUF_ERROR;
    Bytef* out = destination;
    *out++ = 0x78;  // deflate, a window of 32 KiB
    *out++ = 0x01;  // makes the header a multiple of 31
    uLong done = 0;
    do {
        const uLong length = size - done < 65535 ? size - done : 65535;
        *out++ = done + length == size;  // the last block, stored
        *out++ = static_cast<Bytef>(length);
        *out++ = static_cast<Bytef>(length >> 8);
        *out++ = static_cast<Bytef>(~length);
        *out++ = static_cast<Bytef>(~length >> 8);
        if (length != 0) std::memcpy(out, source + done, length);
        out += length;
        done += length;
    } while (done < size);
    uLong low = 1, high = 0;
    for (uLong i = 0; i < size; ++i) {
        low = (low + source[i]) % 65521;
        high = (high + low) % 65521;
    }
    const uLong sum = high << 16 | low;
    for (int shift = 24; shift >= 0; shift -= 8) *out++ = static_cast<Bytef>(sum >> shift);
    *capacity = static_cast<uLongf>(out - destination);
    return Z_OK;
}
