/* Coordinate descent over the nodes of a LUT layer whose outputs are counted by class; see descent.py, which has the
   same in NumPy. A node's table and inputs are chosen while all others stay as they are. */

#pragma GCC optimize("fast-math") /* sums of floats in any order: loops over samples become vectors */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t samples, width, nodes, inputs, classes;
    const uint8_t *rows;    /* [samples][width]: the bits */
    const uint8_t *columns; /* [width][samples]: the same */
    const int64_t *labels;  /* [samples] */
    float step;             /* what one vote adds to a logit */
    float thinning;
} Problem;

static void addresses(const Problem *p, const int64_t *inputs, uint8_t *address) {
    memset(address, 0, p->samples);
    for (int64_t k = 0; k < p->inputs; k++) {
        const uint8_t *column = p->columns + inputs[k] * p->samples;
        for (int64_t i = 0; i < p->samples; i++) address[i] |= column[i] << k;
    }
}

/* What the loss of each sample gains or loses if the node votes for it; the mean size of that. */
static float changes(const Problem *p, const float *odds, int64_t class, float *change) {
    const float factor = expf(p->step), *own = odds + class * p->samples;
    double size = 0;
    for (int64_t i = 0; i < p->samples; i++) change[i] = 0;
    for (int64_t c = 0; c < p->classes; c++)
        if (c != class)
            for (int64_t i = 0; i < p->samples; i++) change[i] += odds[c * p->samples + i];
    for (int64_t i = 0; i < p->samples; i++)
        change[i] = logf((change[i] + factor * own[i]) / (change[i] + own[i])) - (p->labels[i] == class ? p->step : 0);
    for (int64_t i = 0; i < p->samples; i++) size += fabsf(change[i]);
    return (float)(size / p->samples);
}

/* Systematic sampling, in proportion to the size of the change: about 1/thinning of all, with what each stands for. */
static int64_t thinned(const Problem *p, const float *change, float mean, float start, int64_t *kept, float *weight) {
    const float limit = p->thinning * mean;
    float place = start;
    int64_t count = 0;
    for (int64_t i = 0; i < p->samples; i++) {
        const float size = fabsf(change[i]), chance = size < limit ? size / limit : 1;
        place += chance;
        if (place < 1) continue;
        place -= 1;
        kept[count] = i;
        weight[count++] = change[i] / chance;
    }
    return count;
}

/* The best bit for one input of a node, the others staying; `sums` is [1 << (inputs - 1)][width + 1]. */
static void move(const Problem *p, int64_t *inputs, int64_t at, int64_t count, const int64_t *kept, const float *weight,
                 float *sums, float *cost) {
    const int64_t width = p->width, stride = width + 1, addresses = (int64_t)1 << (p->inputs - 1);
    memset(sums, 0, sizeof(float) * addresses * stride);
    for (int64_t s = 0; s < count; s++) {
        const uint8_t *row = p->rows + kept[s] * width;
        int64_t address = 0, place = 0;
        for (int64_t k = 0; k < p->inputs; k++)
            if (k != at) address |= (int64_t)row[inputs[k]] << place++;
        float *sum = sums + address * stride;
        const float w = weight[s];
        for (int64_t b = 0; b < width; b++) sum[b] += w * row[b];
        sum[width] += w;
    }
    memset(cost, 0, sizeof(float) * width);
    for (int64_t a = 0; a < addresses; a++) {
        const float *sum = sums + a * stride, all = sum[width];
        for (int64_t b = 0; b < width; b++) cost[b] += fminf(sum[b], 0) + fminf(all - sum[b], 0);
    }
    int64_t best = inputs[at];
    for (int64_t b = 0; b < width; b++) {
        int taken = 0;
        for (int64_t k = 0; k < p->inputs; k++) taken |= k != at && inputs[k] == b;
        if (!taken && cost[b] < cost[best]) best = b;
    }
    inputs[at] = best;
}

static void vote(const Problem *p, const uint8_t *table, const uint8_t *address, float factor, float *own) {
    const float factors[2] = {1, factor};
    for (int64_t i = 0; i < p->samples; i++) own[i] *= factors[table[address[i]]];
}

/* The `count` nodes in `order`, one after the other. inputs [nodes][inputs] and tables [nodes][1 << inputs] are changed;
   odds [classes][samples] are exp(logit) up to a factor of each sample, and follow. Of node order[t], `moves` inputs
   are tried, those in places[t][0..moves-1]. Returns 0, or 1 without memory. */
int descend(const Problem *p, int64_t *inputs, uint8_t *tables, float *odds, int64_t count,
            const int64_t *order, const int64_t *places, int64_t moves, const float *starts) {
    const int64_t entries = (int64_t)1 << p->inputs;
    uint8_t *address = malloc(p->samples);
    float *change = malloc(sizeof(float) * p->samples), *weight = malloc(sizeof(float) * p->samples);
    int64_t *kept = malloc(sizeof(int64_t) * p->samples);
    float *sums = malloc(sizeof(float) * entries * (p->width + 1)), *cost = malloc(sizeof(float) * p->width);
    const int short_of_memory = !address || !change || !weight || !kept || !sums || !cost;
    for (int64_t t = 0; t < count && !short_of_memory; t++) {
        const int64_t node = order[t], class = node / (p->nodes / p->classes);
        int64_t *own_inputs = inputs + node * p->inputs;
        uint8_t *table = tables + node * entries;
        float *own = odds + class * p->samples;
        addresses(p, own_inputs, address);
        vote(p, table, address, expf(-p->step), own);
        const float mean = changes(p, odds, class, change);
        if (moves && mean > 0) {
            const int64_t drawn = thinned(p, change, mean, starts[t], kept, weight);
            for (int64_t m = 0; m < moves; m++)
                move(p, own_inputs, places[t * p->inputs + m], drawn, kept, weight, sums, cost);
            addresses(p, own_inputs, address);
        }
        double gain[256] = {0};
        for (int64_t i = 0; i < p->samples; i++) gain[address[i]] += change[i];
        for (int64_t a = 0; a < entries; a++)
            if (gain[a] != 0) table[a] = gain[a] < 0;
        vote(p, table, address, expf(p->step), own);
    }
    free(address), free(change), free(weight), free(kept), free(sums), free(cost);
    return short_of_memory;
}
