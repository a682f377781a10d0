/* Evaluates a program (program.py) on samples: 512 at once, a bit each of a row of 64 bytes, or one alone, a byte a row.

   Compiled once a machine by native.py; needs the vector extensions of GCC and Clang. */
#include <stdint.h>
#include <string.h>

#if defined(__AVX512BW__) && !defined(PLAIN)
#include <immintrin.h>
#define VEC 64
#elif defined(__AVX2__) && !defined(PLAIN)
#include <immintrin.h>
#define VEC 32
#else
#define VEC 16
#endif

enum { SAMPLES = 512, ROW = SAMPLES / 8, VECS = ROW / VEC, TILE = 16, CHUNK = 256, FEW = 4, GROUP = 8, AHEAD = 8 };
enum { NODES = VEC == 64 ? 2 : 1 }; /* whose functions of two inputs are stored before they are read */
/* Kinds of runs: below 16 a function of two inputs, LOOKUP + n a table of n inputs, COUNT a score. */
enum { LOOKUP = 13, COUNT = 22 };

typedef uint64_t vec __attribute__((vector_size(VEC)));
typedef uint8_t bytes __attribute__((vector_size(VEC)));
typedef struct {
  vec part[VECS];
} row;

/* The fields are those of native.py, in this order. */
typedef struct {
  int64_t code_bytes, row_bytes, sign; /* of a code, of a sample; what the highest byte of a code is flipped by */
  int64_t comparators;
  const int32_t *compare_byte, *compare_row; /* the first byte of the code in a sample, ascending */
  const uint32_t *compare_threshold;         /* of flipped codes */
  int64_t runs;
  const int32_t *run_kind, *run_count;
  const int32_t *operands; /* of each node the row that it writes and those that it reads */
  const uint8_t *leaves;   /* of each table of n inputs 2^(n-2) polynomials' functions of inputs 0 and 1, times 8 */
  const uint8_t *tables;   /* of each table of n inputs 2^n bits */
  int64_t scores;
  const int32_t *score_row, *score_digits; /* the row of the lowest binary digit, others follow */
  int64_t decisions;
  const int32_t *decision_sizes, *decision_places;
} program;

#define INLINE static inline __attribute__((always_inline))

/* ---- the encoder ---- */

/* Bytes of two vectors in turn, within each 16 of them. */
#if VEC == 64
#define LOW(a, b) (bytes) _mm512_unpacklo_epi8((__m512i)(a), (__m512i)(b))
#define HIGH(a, b) (bytes) _mm512_unpackhi_epi8((__m512i)(a), (__m512i)(b))
#elif VEC == 32
#define LOW(a, b) (bytes) _mm256_unpacklo_epi8((__m256i)(a), (__m256i)(b))
#define HIGH(a, b) (bytes) _mm256_unpackhi_epi8((__m256i)(a), (__m256i)(b))
#elif defined(__clang__) || __GNUC__ >= 12
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#else
#define LOW(a, b) __builtin_shuffle(a, b, (bytes){0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23})
#define HIGH(a, b) __builtin_shuffle(a, b, (bytes){8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31})
#endif

INLINE void interleave(bytes *to, const bytes *from) {
  for (int i = 0; i < TILE / 2; i++) {
    to[2 * i] = LOW(from[i], from[i + TILE / 2]);
    to[2 * i + 1] = HIGH(from[i], from[i + TILE / 2]);
  }
}

/* 16 bytes of each of VEC / 16 samples that lie 16 samples apart. */
INLINE bytes load(const uint8_t *codes, int64_t apart) {
#define PART(i) _mm_loadu_si128((const __m128i *)(codes + (i) * apart))
#if VEC == 64
  __m512i all = _mm512_castsi128_si512(PART(0)); /* by masks: inserting takes the transposition's port */
  all = _mm512_mask_broadcast_i32x4(all, 0x00f0, PART(1));
  all = _mm512_mask_broadcast_i32x4(all, 0x0f00, PART(2));
  return (bytes)_mm512_mask_broadcast_i32x4(all, 0xf000, PART(3));
#elif VEC == 32
  return (bytes)_mm256_inserti128_si256(_mm256_castsi128_si256(PART(0)), PART(1), 1);
#else
  bytes part;
  (void)apart;
  memcpy(&part, codes, VEC);
  return part;
#endif
}

/* The columns of 16 bytes of CHUNK samples that lie `stride` bytes apart. */
INLINE void transpose(const uint8_t *codes, int64_t stride, uint8_t columns[TILE][CHUNK]) {
  for (int start = 0; start < CHUNK; start += VEC, codes += VEC * stride) {
    bytes one[TILE], other[TILE];
    for (int i = 0; i < TILE; i++) one[i] = load(codes + i * stride, TILE * stride);
    interleave(other, one);
    interleave(one, other);
    interleave(other, one);
    interleave(one, other);
    for (int i = 0; i < TILE; i++) memcpy(columns[i] + start, &one[i], VEC);
  }
}

/* The same of fewer samples, or of fewer bytes: what lies behind them is not read. */
static void transpose_some(const uint8_t *codes, int64_t stride, int samples, int width,
                           uint8_t columns[TILE][CHUNK]) {
  uint8_t copy[CHUNK][TILE] = {{0}};
  for (int i = 0; i < samples && i < CHUNK; i++) memcpy(copy[i], codes + i * stride, (size_t)width);
  transpose(copy[0], TILE, columns);
}

/* Which bytes compare so: a bit for each with AVX-512, else a byte, 0 or 255. */
#if VEC == 64
typedef __mmask64 mask;
#define AT_LEAST(a, b) _mm512_cmpge_epu8_mask((__m512i)(a), (__m512i)(b))
#define ABOVE(a, b) _mm512_cmpgt_epu8_mask((__m512i)(a), (__m512i)(b))
#define EQUAL(a, b) _mm512_cmpeq_epu8_mask((__m512i)(a), (__m512i)(b))
#else
typedef bytes mask;
#define AT_LEAST(a, b) (mask)((a) >= (b))
#define ABOVE(a, b) (mask)((a) > (b))
#define EQUAL(a, b) (mask)((a) == (b))
#endif

/* A bit for each byte. */
INLINE void store_bits(uint8_t *to, mask from) {
#if VEC == 64
  uint64_t bits = from;
#elif VEC == 32
  uint32_t bits = (uint32_t)_mm256_movemask_epi8((__m256i)from);
#elif defined(__SSE2__) && !defined(PLAIN)
  uint16_t bits = (uint16_t)__builtin_ia32_pmovmskb128((char __attribute__((vector_size(16))))from);
#else
  uint64_t words[VEC / 8];
  uint8_t bits[VEC / 8];
  memcpy(words, &from, VEC);
  for (int i = 0; i < VEC / 8; i++) /* of a little-endian machine */
    bits[i] = (uint8_t)((words[i] & 0x0101010101010101) * 0x0102040810204080 >> 56);
#endif
  memcpy(to, &bits, VEC / 8);
}

INLINE bytes splat(uint32_t value) { return (bytes){0} + (uint8_t)value; }

/* Which codes reach a threshold: of little-endian columns the last byte decides first. */
INLINE void compare(const uint8_t *columns, int code_bytes, uint32_t sign, uint32_t threshold, uint8_t *to) {
  for (int start = 0; start < CHUNK; start += VEC) {
    mask reached = {0};
    for (int i = 0; i < code_bytes; i++) {
      bytes code, bound = splat(threshold >> (8 * i));
      memcpy(&code, columns + i * CHUNK + start, VEC);
      if (i == code_bytes - 1) code ^= splat(sign);
      if (i == 0)
        reached = AT_LEAST(code, bound);
      else
        reached = ABOVE(code, bound) | (EQUAL(code, bound) & reached);
    }
    store_bits(to + start / 8, reached);
  }
}

INLINE void encode_chunk(const program *p, int code_bytes, const uint8_t *codes, int64_t stride, int samples,
                         uint8_t *to) {
  uint8_t columns[TILE][CHUNK] __attribute__((aligned(64)));
  int32_t tile = -1;
  uint32_t sign = (uint32_t)p->sign;
  for (int64_t i = 0; i < p->comparators; i++) {
    int32_t byte = p->compare_byte[i];
    if (byte / TILE != tile) {
      tile = byte / TILE;
      int64_t left = p->row_bytes - tile * TILE;
      if (samples >= CHUNK && left >= TILE)
        transpose(codes + tile * TILE, stride, columns);
      else
        transpose_some(codes + tile * TILE, stride, samples, left < TILE ? (int)left : TILE, columns);
    }
    compare(columns[byte % TILE], code_bytes, sign, p->compare_threshold[i], to + (int64_t)p->compare_row[i] * ROW);
  }
}

/* Chunk by chunk, so that what is read of their samples stays in the first cache. */
static void encode(const program *p, const uint8_t *codes, int64_t stride, int samples, row *rows) {
  for (int start = 0; start < samples; start += CHUNK, codes += CHUNK * stride) {
    uint8_t *to = (uint8_t *)rows + start / 8;
    if (p->code_bytes == 1)
      encode_chunk(p, 1, codes, stride, samples - start, to);
    else if (p->code_bytes == 2)
      encode_chunk(p, 2, codes, stride, samples - start, to);
    else
      encode_chunk(p, 4, codes, stride, samples - start, to);
  }
}

/* ---- nodes ---- */

/* Codes of the samples that follow, which are fetched as nodes are computed. */
typedef struct {
  const char *at;
  int64_t step; /* a node */
} coming;

#define FETCH() __builtin_prefetch(next.at), next.at += next.step

#define RUN_TWO(kind, expression)                                                      \
  case kind:                                                                           \
    for (int64_t i = 0; i < count; i++, operand += 3) {                                \
      FETCH();                                                                         \
      __builtin_prefetch(rows + operand[1 + 3 * AHEAD]);                               \
      __builtin_prefetch(rows + operand[2 + 3 * AHEAD]);                               \
      for (int v = 0; v < VECS; v++) {                                                 \
        vec a = rows[operand[1]].part[v], b = rows[operand[2]].part[v];                \
        (void)a, (void)b;                                                              \
        rows[operand[0]].part[v] = expression;                                         \
      }                                                                                \
    }                                                                                  \
    return operand;

/* A run of one function; bit a + 2 * b of its kind is its value. */
static const int32_t *run_two(int32_t kind, int64_t count, const int32_t *operand, row *rows, coming next) {
  const vec zero = {0};
  switch (kind) {
    RUN_TWO(0, zero)
    RUN_TWO(1, ~(a | b))
    RUN_TWO(2, a & ~b)
    RUN_TWO(3, ~b)
    RUN_TWO(4, ~a & b)
    RUN_TWO(5, ~a)
    RUN_TWO(6, a ^ b)
    RUN_TWO(7, ~(a & b))
    RUN_TWO(8, a & b)
    RUN_TWO(9, ~(a ^ b))
    RUN_TWO(10, a)
    RUN_TWO(11, a | ~b)
    RUN_TWO(12, b)
    RUN_TWO(13, ~a | b)
    RUN_TWO(14, a | b)
    RUN_TWO(15, ~zero)
  }
  return operand;
}

/* All functions of two bits, so many vectors apart, less the constants. */
INLINE void functions(vec a, vec b, vec *to) {
  vec both = a & b, either = a | b, differ = a ^ b, only_a = a ^ both, only_b = b ^ both;
  to[10 * VECS] = a, to[5 * VECS] = ~a;
  to[12 * VECS] = b, to[3 * VECS] = ~b;
  to[8 * VECS] = both, to[7 * VECS] = ~both;
  to[14 * VECS] = either, to[1 * VECS] = ~either;
  to[6 * VECS] = differ, to[9 * VECS] = ~differ;
  to[2 * VECS] = only_a, to[13 * VECS] = ~only_a;
  to[4 * VECS] = only_b, to[11 * VECS] = ~only_b;
}

/* Table = low polynomial ^ input & high polynomial, from the last input down to input 2. */
#define POLY2(j) (*(const vec *)(of_two + 8 * (size_t)leaf[j]))
#define POLY3(j) (POLY2(j) ^ (x[2] & POLY2((j) + 1)))
#define POLY4(j) (POLY3(j) ^ (x[3] & POLY3((j) + 2)))
#define POLY5(j) (POLY4(j) ^ (x[4] & POLY4((j) + 4)))
#define POLY6(j) (POLY5(j) ^ (x[5] & POLY5((j) + 8)))
#define POLY7(j) (POLY6(j) ^ (x[6] & POLY6((j) + 16)))
#define POLY8(j) (POLY7(j) ^ (x[7] & POLY7((j) + 32)))

#define LOOK_UP_NODES(n, nodes)                                                                  \
  do {                                                                                           \
    for (int j = 0; j < nodes; j++) {                                                            \
      const int32_t *own = operand + j * (1 + n);                                                \
      FETCH();                                                                                   \
      for (int k = 1; k <= n; k++) __builtin_prefetch(rows + own[k + (1 + n) * AHEAD]);          \
      for (int v = 0; v < VECS; v++)                                                             \
        functions(rows[own[1]].part[v], rows[own[2]].part[v], &two[j][0].part[v]);               \
    }                                                                                            \
    for (int j = 0; j < nodes; j++, operand += 1 + n, leaf += 1 << (n - 2)) {                    \
      vec result[VECS];                                                                          \
      for (int v = 0; v < VECS; v++) {                                                           \
        const char *of_two = (const char *)&two[j][0].part[v];                                   \
        vec x[n];                                                                                \
        for (int k = 2; k < n; k++) x[k] = rows[operand[1 + k]].part[v];                         \
        result[v] = POLY##n(0);                                                                  \
      }                                                                                          \
      for (int v = 0; v < VECS; v++) rows[operand[0]].part[v] = result[v];                       \
    }                                                                                            \
  } while (0)

#define RUN_LOOKUP(n)                                                                            \
  static const int32_t *run_##n(int64_t count, const int32_t *operand, const uint8_t *leaf,      \
                                row *rows, coming next) {                                        \
    row two[NODES][16];                                                                           \
    int64_t i = 0;                                                                               \
    for (int j = 0; j < NODES; j++) memset(two[j], 0, sizeof(row)), memset(two[j] + 15, 255, sizeof(row)); \
    for (; i + NODES <= count; i += NODES) LOOK_UP_NODES(n, NODES);                                 \
    for (; i < count; i++) LOOK_UP_NODES(n, 1);                                                  \
    return operand;                                                                              \
  }
RUN_LOOKUP(3)
RUN_LOOKUP(4)
RUN_LOOKUP(5)
RUN_LOOKUP(6)
RUN_LOOKUP(7)
RUN_LOOKUP(8)

#define ADD(sum, carry, a, b, c) \
  do {                           \
    vec differ = (a) ^ (b);      \
    carry = ((a) & (b)) | (differ & (c)); \
    sum = differ ^ (c);          \
  } while (0)

static int digits_of(int64_t most) {
  int digits = 1;
  while (most >> digits) digits++;
  return digits;
}

/* The number of ones among some rows, in each of 512 places, as so many binary digits. */
static void count_ones(row *rows, const int32_t *some, int64_t count, row *to) {
  const int digits = digits_of(count);
  vec ones[VECS] = {{0}}, twos[VECS] = {{0}}, fours[VECS] = {{0}};
  int64_t i = 0;
  memset(to, 0, (size_t)digits * sizeof(row));
  for (; i + 8 <= count; i += 8) /* then there are four digits or more */
    for (int v = 0; v < VECS; v++) {
      vec a, b, c, d, e, f, eights;
#define ROW_OF(j) rows[some[i + (j)]].part[v]
      ADD(ones[v], a, ones[v], ROW_OF(0), ROW_OF(1));
      ADD(ones[v], b, ones[v], ROW_OF(2), ROW_OF(3));
      ADD(twos[v], e, twos[v], a, b);
      ADD(ones[v], c, ones[v], ROW_OF(4), ROW_OF(5));
      ADD(ones[v], d, ones[v], ROW_OF(6), ROW_OF(7));
      ADD(twos[v], f, twos[v], c, d);
      ADD(fours[v], eights, fours[v], e, f);
      for (int digit = 3; digit < digits; digit++) {
        vec carry = to[digit].part[v] & eights;
        to[digit].part[v] ^= eights;
        eights = carry;
      }
    }
  for (int v = 0; i && v < VECS; v++) to[0].part[v] = ones[v], to[1].part[v] = twos[v], to[2].part[v] = fours[v];
  for (; i < count; i++)
    for (int v = 0; v < VECS; v++) {
      vec carry = ROW_OF(0);
      for (int digit = 0; digit < digits; digit++) {
        vec next = to[digit].part[v] & carry;
        to[digit].part[v] ^= carry;
        carry = next;
      }
    }
}

static void evaluate(const program *p, row *rows, coming next) {
  const int32_t *operand = p->operands;
  const uint8_t *leaf = p->leaves;
  for (int64_t i = 0; i < p->runs; i++) {
    int32_t kind = p->run_kind[i];
    int64_t count = p->run_count[i];
    switch (kind) {
      case LOOKUP + 3: operand = run_3(count, operand, leaf, rows, next); break;
      case LOOKUP + 4: operand = run_4(count, operand, leaf, rows, next); break;
      case LOOKUP + 5: operand = run_5(count, operand, leaf, rows, next); break;
      case LOOKUP + 6: operand = run_6(count, operand, leaf, rows, next); break;
      case LOOKUP + 7: operand = run_7(count, operand, leaf, rows, next); break;
      case LOOKUP + 8: operand = run_8(count, operand, leaf, rows, next); break;
      case COUNT:
        count_ones(rows, operand + 1, count, rows + operand[0]);
        operand += 1 + count;
        continue;
      default: operand = run_two(kind, count, operand, rows, next);
    }
    if (kind > LOOKUP + 2) leaf += count << (kind - LOOKUP - 2);
    next.at += count * next.step;
  }
}

/* ---- the head ---- */

/* Numbers of their binary digits. */
static void read_numbers(const row *planes, int digits, int32_t *numbers) {
  for (int word = 0; word < SAMPLES / 32; word++) {
    uint32_t number[32] = {0};
    for (int digit = 0; digit < digits; digit++) {
      uint32_t bits;
      memcpy(&bits, (const char *)(planes + digit) + 4 * word, 4);
      for (int bit = 0; bit < 32; bit++) number[bit] |= (bits >> bit & 1) << digit;
    }
    memcpy(numbers + 32 * word, number, sizeof(number));
  }
}

/* Scores (samples, p->scores), unless there is no place for them, and class words. */
static void decide(const program *p, const row *rows, int samples, int64_t *scores, int64_t *classes) {
  int32_t numbers[GROUP][SAMPLES], best[SAMPLES], index[SAMPLES];
  int64_t score = 0;
  memset(classes, 0, (size_t)samples * sizeof(int64_t));
  for (int64_t decision = 0; decision < p->decisions; decision++) {
    int32_t size = p->decision_sizes[decision], place = p->decision_places[decision];
    memset(index, 0, sizeof(index));
    for (int32_t i = 0; i < size; i++, score++) {
      int32_t *number = numbers[score % GROUP];
      read_numbers(rows + p->score_row[score], p->score_digits[score], number);
      if (i == 0) memcpy(best, number, sizeof(best));
      for (int s = 0; s < SAMPLES; s++) {
        index[s] = number[s] > best[s] ? i : index[s];
        best[s] = number[s] > best[s] ? number[s] : best[s];
      }
      if (scores && (score % GROUP == GROUP - 1 || score == p->scores - 1)) { /* neighbours go to one cache line */
        int64_t first = score - score % GROUP;
        for (int s = 0; s < samples; s++)
          for (int64_t j = first; j <= score; j++) scores[s * p->scores + j] = numbers[j - first][s];
      }
    }
    if (size > 1)
      for (int s = 0; s < samples; s++) classes[s] |= (int64_t)index[s] << place;
  }
}

/* ---- one sample, a byte a row ---- */

static void encode_one(const program *p, const uint8_t *codes, uint8_t *values) {
  for (int64_t i = 0; i < p->comparators; i++) {
    const uint8_t *code = codes + p->compare_byte[i];
    uint32_t number = 0;
    for (int j = 0; j < p->code_bytes; j++) number |= (uint32_t)code[j] << (8 * j);
    number ^= (uint32_t)p->sign << (8 * (p->code_bytes - 1));
    values[p->compare_row[i]] = number >= p->compare_threshold[i];
  }
}

#define LOOK_UP(n)                                                                       \
  case LOOKUP + n:                                                                              \
    for (int64_t j = 0; j < count; j++, operand += 1 + n, table += 1 << (n - 3)) {          \
      unsigned address = 0;                                                              \
      for (int k = n; k > 0; k--) address = 2 * address + values[operand[k]];            \
      values[operand[0]] = table[address >> 3] >> (address & 7) & 1;                     \
    }                                                                                    \
    break;

static void evaluate_one(const program *p, uint8_t *values) {
  const int32_t *operand = p->operands;
  const uint8_t *table = p->tables;
  for (int64_t i = 0; i < p->runs; i++) {
    int32_t kind = p->run_kind[i];
    int64_t count = p->run_count[i], ones = 0;
    switch (kind) {
      LOOK_UP(3)
      LOOK_UP(4)
      LOOK_UP(5)
      LOOK_UP(6)
      LOOK_UP(7)
      LOOK_UP(8)
      case COUNT:
        for (int64_t j = 0; j < count; j++) ones += values[operand[1 + j]];
        for (int digit = 0; digit < digits_of(count); digit++) values[operand[0] + digit] = ones >> digit & 1;
        operand += 1 + count;
        break;
      default:
        for (int64_t j = 0; j < count; j++, operand += 3)
          values[operand[0]] = kind >> (values[operand[1]] | values[operand[2]] << 1) & 1;
    }
  }
}

static void decide_one(const program *p, const uint8_t *values, int64_t *scores, int64_t *classes) {
  int64_t score = 0;
  *classes = 0;
  for (int64_t decision = 0; decision < p->decisions; decision++) {
    int64_t best = 0, index = 0;
    for (int32_t i = 0; i < p->decision_sizes[decision]; i++, score++) {
      const uint8_t *digits = values + p->score_row[score];
      int64_t number = 0;
      for (int32_t j = 0; j < p->score_digits[score]; j++) number |= (int64_t)digits[j] << j;
      if (scores) scores[score] = number;
      if (i == 0 || number > best) best = number, index = i;
    }
    if (p->decision_sizes[decision] > 1) *classes |= index << p->decision_places[decision];
  }
}

/* Scores (samples, p->scores), or none if NULL, and class words of codes that lie `stride` bytes apart; `rows` is
   memory for all rows of the program, at a multiple of 64. */
void difflut_run(const program *p, const uint8_t *codes, int64_t stride, int64_t samples, row *rows, int64_t *scores,
                 int64_t *classes) {
  int64_t nodes = 1;
  for (int64_t i = 0; i < p->runs; i++) nodes += p->run_kind[i] == COUNT ? 0 : p->run_count[i];
  while (samples > FEW) {
    int some = samples < SAMPLES ? (int)samples : SAMPLES;
    int64_t following = samples - some < SAMPLES ? samples - some : SAMPLES;
    memset(rows, 0, sizeof(row));
    memset(rows + 1, 255, sizeof(row));
    encode(p, codes, stride, some, rows);
    evaluate(p, rows, (coming){(const char *)codes + some * stride, following * stride / nodes});
    decide(p, rows, some, scores, classes);
    samples -= some, codes += some * stride, classes += some;
    if (scores) scores += some * p->scores;
  }
  for (uint8_t *values = (uint8_t *)rows; samples > 0; samples--, codes += stride, classes++) {
    values[0] = 0, values[1] = 1;
    encode_one(p, codes, values);
    evaluate_one(p, values);
    decide_one(p, values, scores, classes);
    if (scores) scores += p->scores;
  }
}
