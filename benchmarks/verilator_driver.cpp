// Feeds a Verilator model of an emitted design one new random sample per clock cycle and prints samples per CPU second.
// Usage: Vtop SAMPLES. Prints also a checksum of the outputs, which must agree between emission styles.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

template <typename Port>
static uint32_t digest(uint32_t sum, const Port& port) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&port);
    for (size_t i = 0; i < sizeof port; ++i) sum = (sum ^ bytes[i]) * 16777619u;
    return sum;
}

int main(int argc, char** argv) {
    const int samples = argc > 1 ? std::atoi(argv[1]) : 1000;
    constexpr size_t pool_words = 1 << 16;
    constexpr size_t code_words = sizeof(Vtop::in_codes) / sizeof(uint32_t);
    std::vector<uint32_t> pool(pool_words + code_words);
    uint64_t state = 88172645463325252ull;
    const auto next = [&state] {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return static_cast<uint32_t>(state >> 16);
    };
    for (uint32_t& word : pool) word = next();

    VerilatedContext context;
    Vtop top{&context};
    top.rst = 0;
    top.in_valid = 1;
    uint32_t sum = 2166136261u;
    const std::clock_t start = std::clock();
    for (int sample = 0; sample < samples; ++sample) {
        const size_t offset = next() % pool_words;
        for (size_t word = 0; word < code_words; ++word) top.in_codes[word] = pool[offset + word];
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
        if (top.out_valid) sum = digest(digest(sum, top.out_scores), top.out_class);
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("%.0f %08x\n", samples / seconds, sum);
}
