/*
 * Multiply two matrices modulo the prime 2^61 - 1: C = A * B.
 *
 * Parameters: {"rows": N, "columns": M}, those of C. The input has a line for each column of A
 * and row of B: the N numbers of A's column, then the M of B's row. Each line adds the product of
 * its column and its row to C, so lines may come in any order, and a part of them has a value.
 */
#include "field.h"
#include "lines.h"
#include "parameters.h"

/* Numbers of C: its value stays below 16 MiB, and so does its text. */
#define CELLS_MAX ((u64)1 << 19)
/* Lines that are gathered to be multiplied at once, and the numbers in them. */
#define GATHER_LINES 64u
#define GATHER_CELLS ((u32)1 << 20)

/* The program's value, little-endian; residues row by row. */
typedef struct {
  u64 lines, skipped;
  /* No number of C is further from zero than this, before residues are taken. */
  u64 magnitude;
  u64 cells[];
} Value;

typedef struct {
  u32 rows, columns;
} Shape;

static int read_shape(const u8 *text, u32 length, Shape *shape) {
  static const char *const names[] = {"rows", "columns"};
  u64 numbers[2];
  if (!read_numbers(text, length, names, numbers, 2)) return 0;
  u64 rows = numbers[0], columns = numbers[1];
  if (rows < 1 || columns < 1 || rows > CELLS_MAX || columns > CELLS_MAX / rows) return 0;
  *shape = (Shape){(u32)rows, (u32)columns};
  return 1;
}

static u32 value_bytes(u32 cells) { return (u32)(sizeof(Value) + cells * sizeof(u64)); }

/* How many cells a value has, or ~0 for bytes that are no value. */
static u32 cell_count(const Value *value, u32 length) {
  if (length <= sizeof *value || length % sizeof(u64) != 0) return ~0u;
  u32 count = (length - sizeof *value) / sizeof(u64);
  if (value->magnitude > MAGNITUDE_MAX) return ~0u;
  for (u32 at = 0; at < count; at++)
    if (value->cells[at] >= PRIME) return ~0u;
  return count;
}

/* Lines side by side: number `line` of row `row` stands at row * most + line. */
typedef struct {
  u64 *left, *right;
  u32 most, count;
} Gathered;

static void multiply(Gathered *gathered, Shape shape, u64 *cells) {
  u32 most = gathered->most, count = gathered->count;
  for (u32 row = 0; row < shape.rows; row++) {
    u64 *target = cells + row * shape.columns;
    const u64 *left = gathered->left + row * most;
    for (u32 column = 0; column < shape.columns; column++)
      target[column] = plus(target[column], dot(left, gathered->right + column * most, count));
  }
  gathered->count = 0;
}

static void gather(Gathered *gathered, Shape shape, const u64 *cells) {
  for (u32 row = 0; row < shape.rows; row++)
    gathered->left[row * gathered->most + gathered->count] = cells[row];
  for (u32 column = 0; column < shape.columns; column++)
    gathered->right[column * gathered->most + gathered->count] = cells[shape.rows + column];
  gathered->count++;
}

EXPORT(anw_abi_v1) void anw_abi_v1(void) {}

/* Growing memory costs as much as a million additions, whatever the step: so once, if at all. */
static void reserve(void) {
  const u32 pages = 128;
  if (__builtin_wasm_memory_size(0) < pages) __builtin_wasm_memory_grow(0, pages);
}

EXPORT(anw_alloc) void *anw_alloc(u32 bytes) {
  if (bytes > 16384) reserve();
  return allocate(bytes);
}

EXPORT(anw_map) u64 anw_map(const u8 *text, u32 length, const u8 *item, u32 item_length) {
  Shape shape;
  if (!read_shape(text, length, &shape)) __builtin_trap();
  u32 across = shape.rows + shape.columns, most = GATHER_CELLS / across;
  if (most > GATHER_LINES) most = GATHER_LINES;
  reserve();
  Gathered gathered = {.most = most};
  gathered.left = allocate(shape.rows * most * sizeof(u64));
  gathered.right = allocate(shape.columns * most * sizeof(u64));
  u32 bytes = value_bytes(shape.rows * shape.columns);
  Value *value = allocate(bytes);
  Lines lines = open_lines(item, item_length, shape.rows, shape.columns);
  for (Line line; (line = next_line(&lines)) != LINE_NONE;) {
    if (line == LINE_SKIPPED) {
      value->skipped++;
      continue;
    }
    value->lines++;
    value->magnitude = add_magnitudes(value->magnitude, lines.magnitude);
    gather(&gathered, shape, lines.cells);
    if (gathered.count == most) multiply(&gathered, shape, value->cells);
  }
  multiply(&gathered, shape, value->cells);
  return result(value, bytes);
}

/* The sum: of parts that have lines in common, these count as often as they are there. */
EXPORT(anw_combine)
u64 anw_combine(const u8 *a_bytes, u32 a_length, const u8 *b_bytes, u32 b_length) {
  const Value *a = (const Value *)a_bytes, *b = (const Value *)b_bytes;
  u32 count = cell_count(a, a_length);
  if (count == ~0u || cell_count(b, b_length) != count) __builtin_trap();
  Value *sum = allocate(a_length);
  sum->lines = a->lines + b->lines;
  sum->skipped = a->skipped + b->skipped;
  sum->magnitude = add_magnitudes(a->magnitude, b->magnitude);
  for (u32 at = 0; at < count; at++) sum->cells[at] = plus(a->cells[at], b->cells[at]);
  return result(sum, a_length);
}

/*
 * The numbers x(0), x(1) and so on of a vector that 32 bytes of chance stand for: the inner
 * product of r^j and s, for r and s of the field of PRIME^2 elements, i * i = -1. For any vector e
 * that is not zero, e and x are orthogonal with a probability below 2^-60: the polynomial of e has
 * few roots r, and at another r, one s(0) in PRIME for each s(1), or the other way round.
 */
typedef struct {
  u64 r[2], s[2], power[2];
} Chance;

static Chance open_chance(const u8 *seed) {
  u64 words[4];
  __builtin_memcpy(words, seed, sizeof words);
  return (Chance){.r = {residue(words[0]), residue(words[1])},
                  .s = {residue(words[2]), residue(words[3])},
                  .power = {1, 0}};
}

static u64 next_number(Chance *chance) {
  const u64 *r = chance->r, *s = chance->s, power[2] = {chance->power[0], chance->power[1]};
  chance->power[0] = plus(times(power[0], r[0]), PRIME - times(power[1], r[1]));
  chance->power[1] = plus(times(power[0], r[1]), times(power[1], r[0]));
  return plus(times(power[0], s[0]), times(power[1], s[1]));
}

/*
 * Whether a value is that of an item (Freivalds 1977): C * x against A * (B * x). Never says no
 * of the right value; says yes of a wrong one with a probability below 2^-60 over the seed.
 */
EXPORT(anw_check)
u32 anw_check(const u8 *text, u32 length, const u8 *item, u32 item_length, const u8 *value_bytes_,
              u32 value_length, const u8 *seed) {
  const Value *value = (const Value *)value_bytes_;
  Shape shape;
  if (!read_shape(text, length, &shape)) return 0;
  u32 rows = shape.rows, columns = shape.columns;
  if (value_length != value_bytes(rows * columns)) return 0;
  if (cell_count(value, value_length) == ~0u) return 0;
  reserve();
  u64 *x = allocate(columns * sizeof *x), *expected = allocate(rows * sizeof *expected);
  Chance chance = open_chance(seed);
  for (u32 column = 0; column < columns; column++) x[column] = next_number(&chance);
  Lines lines = open_lines(item, item_length, rows, columns);
  Value head = {0, 0, 0};
  for (Line line; (line = next_line(&lines)) != LINE_NONE;) {
    if (line == LINE_SKIPPED) {
      head.skipped++;
      continue;
    }
    head.lines++;
    head.magnitude = add_magnitudes(head.magnitude, lines.magnitude);
    u64 product = dot(lines.cells + rows, x, columns);
    for (u32 row = 0; row < rows; row++)
      expected[row] = plus(expected[row], times(lines.cells[row], product));
  }
  int holds = head.lines == value->lines && head.skipped == value->skipped &&
              head.magnitude == value->magnitude;
  for (u32 row = 0; row < rows; row++)
    holds &= dot(value->cells + row * columns, x, columns) == expected[row];
  return (u32)holds;
}

/* A residue, as the number of that residue that is nearest to zero. */
static void put_cell(Text *shown, u64 cell) {
  if (cell > EXACT_MAX) {
    put_text(shown, "-");
    cell = PRIME - cell;
  }
  put_number(shown, cell, 1);
}

EXPORT(anw_render)
u64 anw_render(const u8 *text, u32 length, const u8 *value_bytes_, u32 value_length) {
  const Value *value = (const Value *)value_bytes_;
  Shape shape;
  if (!read_shape(text, length, &shape)) __builtin_trap();
  u32 count = cell_count(value, value_length);
  if (count != shape.rows * shape.columns) __builtin_trap();
  Text shown = open_text(128 + 3 * shape.rows + 21 * count);
  put_text(&shown, "{\"lines\":");
  put_number(&shown, value->lines, 1);
  put_text(&shown, ",\"skipped\":");
  put_number(&shown, value->skipped, 1);
  put_text(&shown, value->magnitude <= EXACT_MAX ? ",\"exact\":true" : ",\"exact\":false");
  put_text(&shown, ",\"product\":[");
  for (u32 row = 0; row < shape.rows; row++) {
    put_text(&shown, row > 0 ? ",[" : "[");
    for (u32 column = 0; column < shape.columns; column++) {
      if (column > 0) put_text(&shown, ",");
      put_cell(&shown, value->cells[row * shape.columns + column]);
    }
    put_text(&shown, "]");
  }
  put_text(&shown, "]}");
  return text_result(&shown);
}

/* A value for the test of the laws: of four cells, each of any magnitude or at an edge. */
EXPORT(anw_sample) u64 anw_sample(const u8 *seed) {
  Value *value = allocate(value_bytes(4));
  u64 words[4];
  __builtin_memcpy(words, seed, sizeof words);
  for (u32 at = 0; at < 4; at++) value->cells[at] = residue(words[at]);
  value->lines = words[0] >> (words[1] & 63);
  value->skipped = words[1] & 255;
  value->magnitude = words[2] >> (words[3] & 63);
  if (value->magnitude > MAGNITUDE_MAX) value->magnitude = MAGNITUDE_MAX;
  return result(value, value_bytes(4));
}
