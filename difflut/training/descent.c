/* Coordinate descent over the nodes of a LUT layer whose outputs are counted by class; see descent.py, which has the
   same in NumPy. A node's table and inputs are chosen while all others stay as they are. Bits are packed, the first one
   in the lowest place of a word. */

#pragma GCC optimize("fast-math") /* sums of floats in any order: loops over samples become vectors */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t Block __attribute__((vector_size(64), aligned(8), may_alias));

enum { WORDS = 8, LEVELS = 40, MOST_INPUTS = 8 }; /* words of a block; of counters; of a node */
enum { AHEAD = 12 }; /* rows that are fetched before they are needed: they lie anywhere */

typedef struct {
    int64_t samples; /* a multiple of 512; those that fill up have no label, odds 0 and bits 0 */
    int64_t width;   /* a multiple of 512, too; past `bits` they are 0 */
    int64_t bits;
    int64_t nodes, inputs, classes;
    const uint64_t *rows;    /* [samples][width / 64]: the bits */
    const uint64_t *columns; /* [width][samples / 64]: the same */
    const uint64_t *labels;  /* [classes][samples / 64]: which samples are of a class */
    const float *prices;     /* [bits]: what the loss must fall by for a bit that no node reads */
    float step;              /* what one vote adds to a logit */
    float thinning;
} Problem;

/* One node's samples: what is tried on each of them, and those on which inputs are chosen. */
typedef struct {
    uint64_t *output; /* [samples / 64] */
    float *total;     /* [samples]: the sum of odds */
    float *change;    /* [samples]: what the loss gains or loses if the node votes */
    uint8_t *address; /* [samples] */
    int64_t room, count;
    float unit;              /* the change that a drawn sample stands for */
    uint32_t *drawn, *order; /* [count]: samples; their places in `drawn`, by bucket */
    uint64_t *rows;          /* [count][width / 64]: their bits, near each other */
    uint8_t *met, *gains;    /* [count]: their addresses; whether they gain loss */
    Block *sum, *held;       /* [LEVELS][width / 512]: counters */
    int32_t *net, *cost;     /* [width] */
} Work;

/* Memory from the begin of a cache line on, which a block would straddle elsewhere. */
static void *whole_lines(size_t bytes) {
    void *memory;
    return posix_memalign(&memory, 64, bytes) ? NULL : memory;
}

static int64_t words_of(const Problem *p) { return p->samples / 64; }

static int constant(const uint8_t *table, int64_t entries) {
    for (int64_t a = 1; a < entries; a++)
        if (table[a] != table[0]) return 0;
    return 1;
}

/* A node's output for all samples: a tree of multiplexers. */
static void evaluate(const Problem *p, const int64_t *inputs, const uint8_t *table, uint64_t *output) {
    const int64_t words = words_of(p), entries = (int64_t)1 << p->inputs;
    Block entry[1 << MOST_INPUTS], value[1 << (MOST_INPUTS - 1)];
    for (int64_t a = 0; a < entries; a++) entry[a] = (Block){0} - table[a];
    for (int64_t w = 0; w < words; w += WORDS) {
        for (int64_t k = 0; k < p->inputs; k++) {
            const Block x = *(const Block *)(p->columns + inputs[k] * words + w), *from = k ? value : entry;
            for (int64_t a = 0; a < entries >> (k + 1); a++)
                value[a] = from[2 * a] ^ ((from[2 * a] ^ from[2 * a + 1]) & x);
        }
        *(Block *)(output + w) = value[0];
    }
}

/* The natural logarithm of a normal number; its series makes an error of 1e-9. */
static inline float logarithm(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int32_t exponent = (bits - 0x3f3504f3) >> 23; /* what is left is between the roots of 1/2 and 2 */
    bits -= exponent * (1 << 23);
    float m;
    memcpy(&m, &bits, sizeof m);
    const float z = (m - 1) / (m + 1), q = z * z;
    return exponent * 0.69314718f + 2 * z * (1 + q * (1 / 3.f + q * (1 / 5.f + q * (1 / 7.f + q / 9))));
}

/* Take a node's votes away and say what the loss of each sample gains or loses by one; the mean size of that. */
static float take(const Problem *p, int64_t class, float *own, Work *work) {
    const int64_t words = words_of(p);
    const uint64_t *labels = p->labels + class * words;
    const float less = expf(-p->step) - 1, more = expf(p->step) - 1;
    double size = 0;
    for (int64_t h = 0; h < 2 * words; h++) {
        const uint32_t voted = work->output[h / 2] >> h % 2 * 32, right = labels[h / 2] >> h % 2 * 32;
        float *odds = own + 32 * h, *total = work->total + 32 * h, *change = work->change + 32 * h, part = 0;
        for (int i = 0; i < 32; i++) {
            const float by = odds[i] * less * (float)(int32_t)(voted >> i & 1);
            odds[i] += by;
            total[i] += by;
            change[i] = logarithm(1 + more * odds[i] / total[i]) - p->step * (float)(int32_t)(right >> i & 1);
            part += fabsf(change[i]);
        }
        size += part;
    }
    return (float)(size / p->samples);
}

static void give(const Problem *p, float *own, Work *work) {
    const float more = expf(p->step) - 1;
    for (int64_t h = 0; h < 2 * words_of(p); h++) {
        const uint32_t votes = work->output[h / 2] >> h % 2 * 32;
        float *odds = own + 32 * h, *total = work->total + 32 * h;
        for (int i = 0; i < 32; i++) {
            const float by = odds[i] * more * (float)(int32_t)(votes >> i & 1);
            odds[i] += by;
            total[i] += by;
        }
    }
}

static void find_addresses(const Problem *p, const int64_t *inputs, uint8_t *address) {
    memset(address, 0, p->samples);
    for (int64_t k = 0; k < p->inputs; k++) {
        const uint64_t *column = p->columns + inputs[k] * words_of(p);
        for (int64_t h = 0; h < 2 * words_of(p); h++) {
            const uint32_t bits = column[h / 2] >> h % 2 * 32;
            for (int i = 0; i < 32; i++) address[32 * h + i] |= (uint8_t)((bits >> i & 1) << k);
        }
    }
}

static int has(const Problem *p, int64_t sample, int64_t bit) {
    return p->columns[bit * words_of(p) + sample / 64] >> sample % 64 & 1;
}

/* Systematic sampling, in proportion to the size of the change: each sample as often as it has whole units. */
static void draw(const Problem *p, const int64_t *inputs, float mean, float start, Work *work) {
    work->unit = p->thinning * mean;
    const float scale = 1 / work->unit;
    float place = start;
    work->count = 0;
    for (int64_t i = 0; i < p->samples; i++) {
        place += fabsf(work->change[i]) * scale;
        if (place < 1) continue;
        uint8_t met = 0;
        for (int64_t k = 0; k < p->inputs; k++) met |= has(p, i, inputs[k]) << k;
        for (; place >= 1 && work->count < work->room; place -= 1) {
            work->drawn[work->count] = (uint32_t)i;
            work->met[work->count] = met;
            work->gains[work->count++] = work->change[i] > 0;
        }
    }
    const int64_t words = p->width / 64;
    for (int64_t s = 0; s < work->count; s++) {
        const uint64_t *later = p->rows + work->drawn[s + AHEAD < work->count ? s + AHEAD : s] * words;
        for (int64_t w = 0; w < words; w += WORDS) __builtin_prefetch(later + w);
        memcpy(work->rows + s * words, p->rows + work->drawn[s] * words, 8 * words);
    }
}

/* Count the ones of each column in some rows: carry-save adders of bits. sum[l] counts 2**l, and so does held[l] where
   bit l of the number of rows is set. Source: Harley's and Seal's population count, one adder after the other. */
static void count_rows(const Problem *p, const uint32_t *rows, int64_t count, int32_t sign, Work *work) {
    const int64_t blocks = p->width / (64 * WORDS);
    int64_t levels = 0;
    while (count >> levels) levels++;
    memset(work->sum, 0, sizeof(Block) * blocks * levels);
    for (int64_t r = 0; r < count; r++) {
        const Block *row = (const Block *)work->rows + rows[r] * blocks;
        const Block *later = (const Block *)work->rows + rows[r + AHEAD < count ? r + AHEAD : r] * blocks;
        for (int64_t j = 0; j < blocks; j++) __builtin_prefetch(later + j);
        int64_t level = 0;
        while (r >> level & 1) level++;
        for (int64_t j = 0; j < blocks; j++) {
            Block carry = row[j];
            for (int64_t l = 0; l < level; l++) {
                Block *sum = work->sum + l * blocks + j;
                const Block a = *sum, b = work->held[l * blocks + j], differ = a ^ b;
                *sum = differ ^ carry;
                carry = (a & b) | (differ & carry);
            }
            work->held[level * blocks + j] = carry;
        }
    }
    for (int64_t l = 0; l < levels; l++)
        for (int held = 0; held <= (int)(count >> l & 1); held++) {
            const uint64_t *bits = (const uint64_t *)((held ? work->held : work->sum) + l * blocks);
            for (int64_t h = 0; h < p->width / 32; h++) {
                const uint32_t word = bits[h / 2] >> h % 2 * 32;
                int32_t *net = work->net + 32 * h;
                for (int i = 0; i < 32; i++) net[i] += (int32_t)(word >> i & 1) * (sign * (1 << l));
            }
        }
}

/* The best bit for one input of a node, the others staying. */
static void move(const Problem *p, int64_t *inputs, int64_t at, const int64_t *uses, Work *work) {
    int64_t ends[2 << MOST_INPUTS] = {0}, first = 0; /* of the buckets, by address and sign */
    const int mask = ~(1 << at);
    for (int64_t s = 0; s < work->count; s++) ends[2 * (work->met[s] & mask) + work->gains[s]]++;
    for (int64_t b = 0, begin = 0; b < 2 << p->inputs; b++) {
        const int64_t size = ends[b];
        ends[b] = begin; /* until all are in their places */
        begin += size;
    }
    for (int64_t s = 0; s < work->count; s++)
        work->order[ends[2 * (work->met[s] & mask) + work->gains[s]]++] = (uint32_t)s;
    memset(work->cost, 0, sizeof(int32_t) * p->width);
    for (int64_t a = 0; a < 1 << p->inputs; a++) {
        const int64_t *end = ends + 2 * a;
        const int32_t all = (int32_t)((end[1] - end[0]) - (end[0] - first));
        if (end[1] == first) continue;
        memset(work->net, 0, sizeof(int32_t) * p->width);
        count_rows(p, work->order + first, end[0] - first, -1, work);
        count_rows(p, work->order + end[0], end[1] - end[0], 1, work);
        for (int64_t b = 0; b < p->width; b++) {
            const int32_t ones = work->net[b], zeros = all - ones;
            work->cost[b] += (ones < 0 ? ones : 0) + (zeros < 0 ? zeros : 0);
        }
        first = end[1];
    }
    int64_t best = inputs[at];
    float least = work->unit * work->cost[best] + (uses[best] ? 0 : p->prices[best]);
    for (int64_t b = 0; b < p->bits; b++) {
        const float cost = work->unit * work->cost[b] + (uses[b] ? 0 : p->prices[b]);
        if (cost >= least) continue;
        int taken = 0;
        for (int64_t k = 0; k < p->inputs; k++) taken |= inputs[k] == b;
        if (!taken) best = b, least = cost;
    }
    if (best == inputs[at]) return;
    inputs[at] = best;
    for (int64_t s = 0; s < work->count; s++)
        work->met[s] = (uint8_t)((work->met[s] & mask) | has(p, work->drawn[s], best) << at);
}

/* The best table for a node's inputs; entries without a sample to be right on stay. */
static void choose_table(const Problem *p, const int64_t *inputs, uint8_t *table, Work *work) {
    double gain[4][1 << MOST_INPUTS] = {{0}}; /* by the last two bits of a sample's number: sums that do not wait */
    find_addresses(p, inputs, work->address);
    for (int64_t i = 0; i < p->samples; i += 4)
        for (int j = 0; j < 4; j++) gain[j][work->address[i + j]] += work->change[i + j];
    for (int64_t a = 0; a < 1 << p->inputs; a++) {
        const double sum = gain[0][a] + gain[1][a] + gain[2][a] + gain[3][a];
        if (sum != 0) table[a] = sum < 0;
    }
}

/* Make the odds of each sample sum up to 1, so that rounding does not grow and nothing overflows. */
static void normalise(const Problem *p, float *odds, float *total) {
    memset(total, 0, sizeof(float) * p->samples);
    for (int64_t c = 0; c < p->classes; c++)
        for (int64_t i = 0; i < p->samples; i++) total[i] += odds[c * p->samples + i];
    for (int64_t c = 0; c < p->classes; c++)
        for (int64_t i = 0; i < p->samples; i++) odds[c * p->samples + i] /= total[i] > 0 ? total[i] : 1;
    for (int64_t i = 0; i < p->samples; i++) total[i] = 1;
}

static void count_uses(const int64_t *inputs, const uint8_t *table, int64_t n, int64_t by, int64_t *uses) {
    if (!constant(table, (int64_t)1 << n))
        for (int64_t k = 0; k < n; k++) uses[inputs[k]] += by;
}

/* The `count` nodes in `order`, one after the other. inputs [nodes][inputs] and tables [nodes][1 << inputs] are changed;
   odds [classes][samples], exp(logit) up to a factor of each sample, follow, and so do uses [bits], how many inputs of
   nodes that are not constant read a bit. Of node order[t], `moves` inputs are tried, those in places[t][0..moves-1].
   Returns 0, or 1 without memory. */
int descend(const Problem *p, int64_t *inputs, uint8_t *tables, float *odds, int64_t *uses, int64_t count,
            const int64_t *order, const int64_t *places, int64_t moves, const float *starts) {
    const int64_t entries = (int64_t)1 << p->inputs, blocks = p->width / (64 * WORDS);
    Work work = {.room = (int64_t)(p->samples / p->thinning * 1.01) + 64};
    void **arrays[] = {(void **)&work.output, (void **)&work.total, (void **)&work.change, (void **)&work.address,
                       (void **)&work.drawn,  (void **)&work.order, (void **)&work.met,    (void **)&work.gains,
                       (void **)&work.sum,    (void **)&work.held,  (void **)&work.net,    (void **)&work.cost, (void **)&work.rows};
    const size_t samples = p->samples, room = work.room, counters = sizeof(Block) * blocks * LEVELS;
    const size_t sizes[] = {samples / 8, 4 * samples, 4 * samples, samples,      4 * room,     4 * room,
                            room,        room,        counters,    counters, 4 * p->width, 4 * p->width, moves ? room * p->width / 8 : 64};
    int short_of_memory = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) short_of_memory |= !(*arrays[i] = whole_lines(sizes[i]));
    if (!short_of_memory) normalise(p, odds, work.total);
    for (int64_t t = 0; t < count && !short_of_memory; t++) {
        const int64_t node = order[t], class = node / (p->nodes / p->classes);
        int64_t *own_inputs = inputs + node * p->inputs;
        uint8_t *table = tables + node * entries;
        float *own = odds + class * p->samples;
        evaluate(p, own_inputs, table, work.output);
        const float mean = take(p, class, own, &work);
        count_uses(own_inputs, table, p->inputs, -1, uses);
        if (moves && mean > 0) {
            draw(p, own_inputs, mean, starts[t], &work);
            for (int64_t m = 0; m < moves; m++) move(p, own_inputs, places[t * moves + m], uses, &work);
        }
        choose_table(p, own_inputs, table, &work);
        count_uses(own_inputs, table, p->inputs, 1, uses);
        evaluate(p, own_inputs, table, work.output);
        give(p, own, &work);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) free(*arrays[i]);
    return short_of_memory;
}

/* Add the outputs of all nodes to the votes of their classes, int32 [classes][samples]. Returns as `descend`. */
int count_votes(const Problem *p, const int64_t *inputs, const uint8_t *tables, int32_t *votes) {
    uint64_t *output = whole_lines(p->samples / 8);
    if (!output) return 1;
    for (int64_t node = 0; node < p->nodes; node++) {
        evaluate(p, inputs + node * p->inputs, tables + (node << p->inputs), output);
        int32_t *counts = votes + node / (p->nodes / p->classes) * p->samples;
        for (int64_t h = 0; h < 2 * words_of(p); h++) {
            const uint32_t bits = output[h / 2] >> h % 2 * 32;
            for (int i = 0; i < 32; i++) counts[32 * h + i] += (int32_t)(bits >> i & 1);
        }
    }
    free(output);
    return 0;
}

/* bits [columns][rows / 64] of bits [rows][columns / 64], both multiples of 64: squares of 64 bits, in six steps each.
   Source: Warren, "Hacker's Delight", section 7-3. */
void transpose(int64_t rows, int64_t columns, const uint64_t *from, uint64_t *to) {
    for (int64_t r = 0; r < rows / 64; r++)
        for (int64_t c = 0; c < columns / 64; c++) {
            uint64_t square[64], mask = 0x00000000ffffffff;
            for (int i = 0; i < 64; i++) square[i] = from[(64 * r + i) * (columns / 64) + c];
            for (int by = 32; by; by /= 2, mask ^= mask << by)
                for (int i = 0; i < 64; i = (i + by + 1) & ~by) {
                    const uint64_t swapped = (square[i] >> by ^ square[i + by]) & mask;
                    square[i] ^= swapped << by, square[i + by] ^= swapped;
                }
            for (int i = 0; i < 64; i++) to[(64 * c + i) * (rows / 64) + r] = square[i];
        }
}
