/* The training step of LUT layers on a CPU; `kernels.py` says what each function is for and checks what it is given.

   Sums are in the order of the samples, whatever part of the rows a call is for. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

enum { WORD = 64, LANES = 64 };

/* Bit s of words[w] of a row is value s + 64 w; 0 unless all values are 0 or 1. */
int64_t pack(const float *values, int64_t rows, int64_t samples, uint64_t *words) {
    const int64_t per_row = (samples + WORD - 1) / WORD;
    uint32_t other = 0;
    for (int64_t row = 0; row < rows; row++) {
        const float *from = values + row * samples;
        for (int64_t w = 0; w < per_row; w++) {
            const int64_t count = samples - w * WORD < WORD ? samples - w * WORD : WORD;
            float part[WORD] = {0};
            memcpy(part, from + w * WORD, (size_t)count * sizeof *part);
            uint64_t word = 0;
            for (int byte = 0; byte < WORD / 8; byte++) {
                uint32_t bits = 0;
#if defined(__AVX2__)
                const __m256 eight = _mm256_loadu_ps(part + 8 * byte);
                const __m256 set = _mm256_cmp_ps(eight, _mm256_set1_ps(1.0f), _CMP_EQ_OQ);
                const __m256 clear = _mm256_cmp_ps(eight, _mm256_setzero_ps(), _CMP_EQ_OQ);
                bits = (uint32_t)_mm256_movemask_ps(set);
                other |= bits ^ (uint32_t)_mm256_movemask_ps(clear) ^ 0xFF;
#else
                for (int i = 0; i < 8; i++) {
                    const float value = part[8 * byte + i];
                    bits |= (uint32_t)(value == 1.0f) << i;
                    other |= (uint32_t)!(value == 1.0f || value == 0.0f);
                }
#endif
                word |= (uint64_t)bits << (8 * byte);
            }
            words[row * per_row + w] = word;
        }
    }
    return other == 0;
}

typedef float vec __attribute__((vector_size(32)));
typedef int32_t ivec __attribute__((vector_size(32)));
enum { VECS = LANES / 8 };

static vec load(const float *from) {
    vec value;
    memcpy(&value, from, sizeof value);
    return value;
}

static void store(float *to, vec value) { memcpy(to, &value, sizeof value); }

/* a where it is larger, else b. */
static vec larger(vec a, vec b) {
    const ivec mask = a > b;
    return (vec)(((ivec)a & mask) | ((ivec)b & ~mask));
}

static vec root(vec a) {
#if defined(__AVX2__)
    return (vec)_mm256_sqrt_ps((__m256)a);
#else
    for (int k = 0; k < 8; k++)
        a[k] = __builtin_sqrtf(a[k]);
    return a;
#endif
}

static int any(ivec mask) {
    uint64_t part[4];
    memcpy(part, &mask, sizeof mask);
    return (part[0] | part[1] | part[2] | part[3]) != 0;
}

/* The place of the first largest of some values, or of the first NaN. */
static int64_t largest_of(const float *x, int64_t width) {
    enum { BLOCK = 32 };
    vec best[4], value[4];
    ivec unordered = {0};
    int64_t j = 0, place = 0;
    for (int v = 0; v < 4; v++)
        best[v] = x[0] - (vec){0};
    for (; j + BLOCK <= width; j += BLOCK)
        for (int v = 0; v < 4; v++) {
            value[v] = load(x + j + 8 * v);
            best[v] = larger(value[v], best[v]);
            unordered |= value[v] != value[v];
        }
    int nan = any(unordered);
    float largest = best[0][0];
    for (int v = 0; v < 4; v++)
        for (int k = 0; k < 8; k++)
            largest = best[v][k] > largest ? best[v][k] : largest;
    for (; j < width; j++) {
        largest = x[j] > largest ? x[j] : largest;
        nan |= x[j] != x[j];
    }
    if (nan) {
        while (x[place] == x[place])
            place++;
        return place;
    }
    const vec wanted = largest - (vec){0};
    while (place + BLOCK <= width && !any((load(x + place) == wanted) | (load(x + place + 8) == wanted) |
                                          (load(x + place + 16) == wanted) | (load(x + place + 24) == wanted)))
        place += BLOCK;
    while (x[place] != largest)
        place++;
    return place;
}

/* That place in each row. */
int64_t first_largest(const float *values, int64_t width, int64_t first, int64_t last, int64_t *places) {
    for (int64_t row = first; row < last; row++)
        places[row] = largest_of(values + row * width, width);
    return 1;
}

/* to[j][i] = from[i][j] of 8 x 8 values. */
static void transpose8(const float *from, int64_t from_stride, float *to, int64_t to_stride) {
#if defined(__AVX2__)
    __m256 a[8], b[8];
    for (int i = 0; i < 8; i++)
        a[i] = _mm256_loadu_ps(from + i * from_stride);
    for (int i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            a[i + 2 * k] = _mm256_shuffle_ps(b[i + k], b[i + k + 2], 0x44);
            a[i + 2 * k + 1] = _mm256_shuffle_ps(b[i + k], b[i + k + 2], 0xEE);
        }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(to + i * to_stride, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
        _mm256_storeu_ps(to + (i + 4) * to_stride, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
    }
#else
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            to[j * to_stride + i] = from[i * from_stride + j];
#endif
}

static void transpose(const float *from, int64_t from_stride, int64_t rows, int64_t columns, float *to,
                      int64_t to_stride) {
    const int64_t whole_rows = rows / 8 * 8, whole_columns = columns / 8 * 8;
    for (int64_t i = 0; i < whole_rows; i += 8)
        for (int64_t j = 0; j < whole_columns; j += 8)
            transpose8(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; j++)
            to[j * to_stride + i] = from[i * from_stride + j];
}

/* sum += the rows that a word names. */
static inline void add_rows(uint64_t word, const float (*rows)[LANES], vec *sum) {
    vec s0 = sum[0], s1 = sum[1], s2 = sum[2], s3 = sum[3], s4 = sum[4], s5 = sum[5], s6 = sum[6], s7 = sum[7];
    while (word) {
        const float *row = rows[__builtin_ctzll(word)];
        word &= word - 1;
        s0 += load(row), s1 += load(row + 8), s2 += load(row + 16), s3 += load(row + 24);
        s4 += load(row + 32), s5 += load(row + 40), s6 += load(row + 48), s7 += load(row + 56);
    }
    sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3, sum[4] = s4, sum[5] = s5, sum[6] = s6, sum[7] = s7;
}

/* What a tile of ports has for each candidate: sums[c][k], over the samples, of the gradient of port k, with the sign of
   the candidate's bit. */
static void tile_sums(const float *grad, int64_t ports, int64_t samples, const uint64_t *words,
                      const int64_t *candidates, int64_t offered, float (*sums)[LANES]) {
    const int64_t per_row = (samples + WORD - 1) / WORD;
    float rows[WORD][LANES] __attribute__((aligned(64)));
    vec total[VECS] = {{0}};
    memset(rows, 0, sizeof rows);
    if (!samples)
        memset(sums, 0, (size_t)offered * sizeof *sums);
    for (int64_t w = 0; w < per_row; w++) {
        const int64_t count = samples - w * WORD < WORD ? samples - w * WORD : WORD;
        const uint64_t all = ~0ULL >> (WORD - count);
        vec here[VECS] = {{0}};
        transpose(grad + w * WORD, samples, ports, count, rows[0], LANES);
        add_rows(all, rows, here);
        for (int v = 0; v < VECS; v++)
            total[v] += here[v];
        for (int64_t c = 0; c < offered; c++) {
            const uint64_t ones = words[candidates[c] * per_row + w];
            vec *kept = (vec *)sums[c], sum[VECS] = {{0}};
            if (2 * __builtin_popcountll(ones) <= count) {
                add_rows(ones, rows, sum);
            } else { /* fewer zeros than ones */
                add_rows(all & ~ones, rows, sum);
                for (int v = 0; v < VECS; v++)
                    sum[v] = here[v] - sum[v];
            }
            if (w)
                for (int v = 0; v < VECS; v++)
                    sum[v] += kept[v];
            if (w == per_row - 1)
                for (int v = 0; v < VECS; v++)
                    sum[v] = 2 * sum[v] - total[v];
            for (int v = 0; v < VECS; v++)
                kept[v] = sum[v];
        }
    }
}

/* The same for one port: sums[c][0]. Where a tile has few ports, rows of LANES would be nearly empty. */
static void port_sums(const float *grad, int64_t samples, const uint64_t *words, const int64_t *candidates,
                      int64_t offered, float (*sums)[LANES]) {
    enum { TOGETHER = 8, CHUNK = 64 }; /* candidates; words between two additions of parts */
    const int64_t per_row = (samples + WORD - 1) / WORD;
    const ivec lanes = {1, 2, 4, 8, 16, 32, 64, 128};
    for (int64_t c = 0; c < offered; c += TOGETHER) {
        const int64_t there = offered - c < TOGETHER ? offered - c : TOGETHER;
        const uint64_t *rows[TOGETHER];
        float total = 0, ones[TOGETHER] = {0};
        for (int k = 0; k < TOGETHER; k++)
            rows[k] = words + candidates[c + (k < there ? k : 0)] * per_row;
        for (int64_t start = 0; start < per_row; start += CHUNK) {
            const int64_t end = per_row - start < CHUNK ? per_row : start + CHUNK;
            vec all = {0}, part[TOGETHER] = {{0}};
            for (int64_t w = start; w < end; w++) {
                const int64_t count = samples - w * WORD < WORD ? samples - w * WORD : WORD;
                float last[WORD] = {0};
                const float *from = grad + w * WORD;
                if (count < WORD)
                    from = memcpy(last, from, (size_t)count * sizeof *last);
                for (int v = 0; v < WORD / 8; v++) {
                    const vec here = load(from + 8 * v);
                    all += here;
                    for (int k = 0; k < TOGETHER; k++) {
                        const ivec byte = (ivec){0} + (int32_t)(rows[k][w] >> (8 * v) & 255);
                        part[k] += (vec)((ivec)here & ((byte & lanes) == lanes));
                    }
                }
            }
            for (int lane = 0; lane < 8; lane++) {
                total += all[lane];
                for (int k = 0; k < TOGETHER; k++)
                    ones[k] += part[k][lane];
            }
        }
        for (int64_t k = 0; k < there; k++)
            sums[c + k][0] = 2 * ones[k] - total;
    }
}

/* One step of Adam (Kingma and Ba, ICLR 2015) for `count` weights. The rates are 1 - beta1, beta2, 1 - beta2, the learning
   rate over the first moment's bias correction, one over the root of the second's, and epsilon. */
static void adam(const float *grad, int64_t count, const float *given, float *weights, float *mean, float *square) {
    float rates[6];
    memcpy(rates, given, sizeof rates); /* which nothing that is stored can change */
    int64_t j = 0;
    for (; j + 8 <= count; j += 8) {
        const vec g = load(grad + j), m = load(mean + j) + rates[0] * (g - load(mean + j));
        const vec v = rates[1] * load(square + j) + rates[2] * g * g;
        store(mean + j, m);
        store(square + j, v);
        store(weights + j, load(weights + j) - rates[3] * m / (root(v) * rates[4] + rates[5]));
    }
    for (; j < count; j++) {
        mean[j] += rates[0] * (grad[j] - mean[j]);
        square[j] = rates[1] * square[j] + rates[2] * grad[j] * grad[j];
        weights[j] -= rates[3] * mean[j] / (__builtin_sqrtf(square[j]) * rates[4] + rates[5]);
    }
}

/* The weights that choose among candidates are (blocks, per_block, offered). Their gradient is the sum over the samples of
   that of a port, (ports, samples), with the sign of a candidate's bit. For tiles of LANES ports of a block: the gradient
   alone, where there are no rates; else one step of Adam with it, and the places of the largest weights after it. */
int64_t choose(const float *grad, int64_t ports, int64_t samples, const uint64_t *words, const int64_t *candidates,
               int64_t per_block, int64_t offered, const float *rates, float *weights, float *mean, float *square,
               int64_t *places, int64_t first, int64_t last) {
    enum { TOGETHER = 16, FEW = 4 }; /* rows: so few at a time that the cache holds them; ports: one by one is faster */
    const int64_t tiles = (per_block + LANES - 1) / LANES;
    void *memory;
    if (posix_memalign(&memory, 64, (size_t)offered * (LANES + TOGETHER) * sizeof(float)))
        return 0;
    float(*sums)[LANES] = memory, *rows = sums[offered];
    for (int64_t tile = first; tile < last; tile++) {
        const int64_t block = tile / tiles, row = tile % tiles * LANES, port = block * per_block + row;
        const int64_t all = per_block - row < LANES ? per_block - row : LANES;
        const int64_t there = ports - port < all ? (ports > port ? ports - port : 0) : all;
        const int64_t *among = candidates + block * offered;
        for (int64_t k = 0; there <= FEW && k < there; k++)
            port_sums(grad + (port + k) * samples, samples, words, among, offered, (float(*)[LANES])(sums[0] + k));
        if (there > FEW)
            tile_sums(grad + port * samples, there, samples, words, among, offered, sums);
        for (int64_t k = 0; k < there; k += TOGETHER) {
            const int64_t count = there - k < TOGETHER ? there - k : TOGETHER, at = (port + k) * offered;
            transpose(sums[0] + k, LANES, offered, count, rates ? rows : weights + at, offered);
            for (int64_t i = 0; rates && i < count; i++) {
                const int64_t to = at + i * offered;
                adam(rows + i * offered, offered, rates, weights + to, mean + to, square + to);
                places[port + k + i] = largest_of(weights + to, offered);
            }
        }
        for (int64_t k = port + there; k < port + all; k++) { /* rows without a port */
            if (rates)
                places[k] = 0;
            else
                memset(weights + k * offered, 0, (size_t)offered * sizeof *weights);
        }
    }
    free(memory);
    return 1;
}

/* The row of an input: of columns that connections, (nodes, n), name, or of (nodes, n) rows in their order. */
static inline int64_t row_of(const int64_t *connections, int64_t port) { return connections ? connections[port] : port; }

/* The addresses that the inputs of nodes select, of rows of samples (see `row_of`), and whether the entry there is above a
   threshold, 0 or 1, both (nodes, samples). An input is a 1 where it is more than 1/2. */
int64_t look_up(const float *rows, const int64_t *connections, const float *table, float threshold, int64_t n,
                int64_t samples, uint8_t *addresses, float *outputs, int64_t first, int64_t last) {
    enum { PART = 256 };
    const int64_t entries = (int64_t)1 << n;
    for (int64_t node = first; node < last; node++) {
        float bits[256];
        for (int64_t a = 0; a < entries; a++)
            bits[a] = table[node * entries + a] > threshold ? 1.0f : 0.0f;
        for (int64_t start = 0; start < samples; start += PART) {
            const int64_t count = samples - start < PART ? samples - start : PART;
            int32_t address[PART] = {0};
            for (int64_t i = 0; i < n; i++) {
                const float *from = rows + row_of(connections, node * n + i) * samples + start;
                for (int64_t s = 0; s < count; s++)
                    address[s] |= (from[s] > 0.5f) << i;
            }
            uint8_t *kept = addresses + node * samples + start;
            float *to = outputs + node * samples + start;
            for (int64_t s = 0; s < count; s++)
                kept[s] = (uint8_t)address[s];
            for (int64_t s = 0; s < count; s++)
                to[s] = bits[address[s]];
        }
    }
    return 1;
}

/* The gradient of `look_up` towards the rows from that of its outputs, (nodes, samples), for some nodes and samples:
   slopes[i] at the address times it, slopes being (nodes, n, entries) with strides; added up where there are connections. */
int64_t row_gradient(const uint8_t *addresses, const float *grad, const float *slopes, int64_t node_stride,
                     int64_t input_stride, int64_t n, int64_t samples, const int64_t *connections, float *rows,
                     int64_t first, int64_t last, int64_t start, int64_t stop) {
    for (int64_t node = first; node < last; node++) {
        const uint8_t *address = addresses + node * samples;
        const float *from = grad + node * samples;
        for (int64_t i = 0; i < n; i++) {
            const float *slope = slopes + node * node_stride + i * input_stride;
            float *to = rows + row_of(connections, node * n + i) * samples;
            if (connections)
                for (int64_t s = start; s < stop; s++)
                    to[s] += slope[address[s]] * from[s];
            else
                for (int64_t s = start; s < stop; s++)
                    to[s] = slope[address[s]] * from[s];
        }
    }
    return 1;
}

/* The gradient of `look_up` towards the tables, (nodes, entries): the sum of that of the outputs at each address. */
int64_t table_gradient(const uint8_t *addresses, const float *grad, int64_t n, int64_t samples, float *table,
                       int64_t first, int64_t last) {
    const int64_t entries = (int64_t)1 << n;
    for (int64_t node = first; node < last; node++) {
        float sums[256] = {0};
        for (int64_t s = 0; s < samples; s++)
            sums[addresses[node * samples + s]] += grad[node * samples + s];
        memcpy(table + node * entries, sums, (size_t)entries * sizeof *sums);
    }
    return 1;
}

/* One input of 8 tables, [address][table]: each pair of entries that differ in it, low and high, becomes
   (near low + far high, far low + near high). */
static void mix(const vec *from, vec *to, int64_t entries, int64_t input, float near, float far) {
    const int64_t step = (int64_t)1 << input;
    for (int64_t block = 0; block < entries; block += 2 * step)
        for (int64_t a = block; a < block + step; a++) {
            const vec low = from[a], high = from[a + step];
            to[a] = near * low + far * high;
            to[a + step] = far * low + near * high;
        }
}

/* The slopes (nodes, n, entries) of tables (nodes, entries) along each input: half the difference of the entries that
   differ in it, each other input being as it is with the weight `near` and flipped with `far`. */
int64_t smooth_slopes(const float *table, int64_t nodes, int64_t n, float near, float far, int64_t first, int64_t last,
                      float *slopes) {
    const int64_t entries = (int64_t)1 << n;
    vec before[256], after[256]; /* the inputs below i are mixed */
    for (int64_t eight = first; eight < last; eight++) {
        const int64_t node = 8 * eight, count = nodes - node < 8 ? nodes - node : 8;
        memset(before, 0, sizeof before);
        transpose(table + node * entries, entries, count, entries, (float *)before, 8);
        for (int64_t i = 0; i < n; i++) {
            mix(before, after, entries, i, -0.5f, 0.5f);
            const int64_t step = (int64_t)1 << i;
            for (int64_t a = 0; a < entries; a++)
                if (a & step)
                    after[a] = after[a ^ step];
            for (int64_t j = i + 1; j < n; j++)
                mix(after, after, entries, j, near, far);
            transpose((float *)after, 8, entries, count, slopes + (node * n + i) * entries, n * entries);
            mix(before, before, entries, i, near, far);
        }
    }
    return 1;
}

/* One row of windows of `max_pool`. */
static inline void pool_row(const float *restrict from, int64_t width, int64_t rows, int64_t columns, int64_t count,
                            float *restrict to) {
    for (int64_t x = 0; x < count; x++) {
        float best = from[x * columns];
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) {
                const float value = from[i * width + x * columns + j];
                best = value > best || value != value ? value : best;
            }
        to[x] = best;
    }
}

/* One row of windows of `max_pool_gradient`. */
static inline void pool_row_gradient(const float *restrict from, const float *restrict outputs,
                                     const float *restrict grad, int64_t width, int64_t rows, int64_t columns,
                                     int64_t count, float *restrict result) {
    for (int64_t x = 0; x < count; x++) {
        float left = grad[x]; /* what no earlier value of the window has got */
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) {
                float part;
                int32_t bits; /* not a branch, which the CPU could not foretell */
                memcpy(&bits, &left, sizeof bits);
                bits &= -(from[i * width + x * columns + j] == outputs[x]);
                memcpy(&part, &bits, sizeof part);
                result[i * width + x * columns + j] = part;
                left -= part;
            }
    }
}

/* The largest value of each window of planes (planes, height, width); the windows, of rows x columns, do not overlap, and
   what does not fill one is left out. */
int64_t max_pool(const float *values, int64_t height, int64_t width, int64_t rows, int64_t columns, int64_t first,
                 int64_t last, float *outputs) {
    const int64_t down = height / rows, right = width / columns;
    for (int64_t row = first * down; row < last * down; row++) {
        const float *from = values + (row / down * height + row % down * rows) * width;
        if (rows == 2 && columns == 2) /* the usual window, as a case of its own for the compiler */
            pool_row(from, width, 2, 2, right, outputs + row * right);
        else
            pool_row(from, width, rows, columns, right, outputs + row * right);
    }
    return 1;
}

/* The gradient of `max_pool`, which goes to the first largest value of each window, from that of its outputs. */
int64_t max_pool_gradient(const float *values, const float *outputs, const float *grad, int64_t height, int64_t width,
                          int64_t rows, int64_t columns, int64_t first, int64_t last, float *result) {
    const int64_t down = height / rows, right = width / columns;
    if (height % rows || width % columns)
        memset(result + first * height * width, 0, (size_t)((last - first) * height * width) * sizeof *result);
    for (int64_t row = first * down; row < last * down; row++) {
        const int64_t from = (row / down * height + row % down * rows) * width, to = row * right;
        if (rows == 2 && columns == 2)
            pool_row_gradient(values + from, outputs + to, grad + to, width, 2, 2, right, result + from);
        else
            pool_row_gradient(values + from, outputs + to, grad + to, width, rows, columns, right, result + from);
    }
    return 1;
}
