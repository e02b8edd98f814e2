/*
 * Count the ways to put N queens on a board of N by N so that none attacks another: {"size": N}.
 *
 * An item is a prefix: the columns of the queens in the first rows, one byte each. Its value is
 * the number of boards that begin with it.
 */
#include "abi.h"
#include "parameters.h"

/* Beyond 27 nobody knows the number; up to it, it is below 2^64. */
#define SIZE_MAX 27u

/* Columns that are taken, straight and along both diagonals, seen from the next row. */
typedef struct {
  u32 straight, left, right;
} Taken;

static u32 free_columns(Taken taken, u32 size) {
  return ~(taken.straight | taken.left | taken.right) & ((1u << size) - 1);
}

static Taken after(Taken taken, u32 queen) {
  return (Taken){taken.straight | queen, (taken.left | queen) << 1, (taken.right | queen) >> 1};
}

static u64 count_boards(Taken taken, u32 size, u32 rows) {
  u32 open = free_columns(taken, size);
  if (rows == 1) return (u64)__builtin_popcount(open);
  u64 count = 0;
  for (; open != 0; open &= open - 1) count += count_boards(after(taken, open & -open), size, rows - 1);
  return count;
}

/* Rows of a prefix: enough items to share out, each worth its while. Small boards have no more. */
static u32 prefix_rows(u32 size) { return size < 4 ? 1 : size < 10 ? 2 : size < 16 ? 3 : 4; }

/*
 * Goes through the prefixes in order until `index` more have been passed. Returns whether there
 * are so many; then `columns` is the one. What is left of `index` tells how many were passed.
 */
static int find_prefix(Taken taken, u32 size, u32 rows, u64 *index, u8 *columns) {
  if (rows == 0) return (*index)-- == 0;
  for (u32 open = free_columns(taken, size); open != 0; open &= open - 1) {
    *columns = (u8)__builtin_ctz(open);
    if (find_prefix(after(taken, open & -open), size, rows - 1, index, columns + 1)) return 1;
  }
  return 0;
}

static int read_size(const u8 *text, u32 length, u32 *size) {
  static const char *const names[] = {"size"};
  u64 number;
  if (!read_numbers(text, length, names, &number, 1) || number < 1 || number > SIZE_MAX) return 0;
  *size = (u32)number;
  return 1;
}

EXPORT(anw_abi_v1) void anw_abi_v1(void) {}

EXPORT(anw_alloc) void *anw_alloc(u32 bytes) { return allocate(bytes); }

EXPORT(anw_count) u64 anw_count(const u8 *text, u32 length) {
  u32 size;
  if (!read_size(text, length, &size)) return REFUSED;
  u8 columns[4];
  u64 left = REFUSED;
  find_prefix((Taken){0, 0, 0}, size, prefix_rows(size), &left, columns);
  return REFUSED - left;
}

EXPORT(anw_item) u64 anw_item(const u8 *text, u32 length, u64 index) {
  u32 size;
  if (!read_size(text, length, &size)) __builtin_trap();
  u8 *columns = allocate(4);
  u32 rows = prefix_rows(size);
  if (!find_prefix((Taken){0, 0, 0}, size, rows, &index, columns)) __builtin_trap();
  return result(columns, rows);
}

EXPORT(anw_map) u64 anw_map(const u8 *text, u32 length, const u8 *item, u32 rows) {
  u32 size;
  if (!read_size(text, length, &size) || rows != prefix_rows(size)) __builtin_trap();
  Taken taken = {0, 0, 0};
  for (u32 row = 0; row < rows; row++) {
    if (item[row] >= size || !(free_columns(taken, size) >> item[row] & 1)) __builtin_trap();
    taken = after(taken, 1u << item[row]);
  }
  return number_result(rows == size ? 1 : count_boards(taken, size, size - rows));
}

EXPORT(anw_combine) u64 anw_combine(const u8 *a, u32 a_length, const u8 *b, u32 b_length) {
  return number_result(read_number(a, a_length) + read_number(b, b_length));
}

EXPORT(anw_render)
u64 anw_render(const u8 *text, u32 length, const u8 *value, u32 value_length) {
  (void)text, (void)length;
  Text shown = open_text(20);
  put_number(&shown, read_number(value, value_length), 1);
  return text_result(&shown);
}

/* A value for the test of the laws. */
EXPORT(anw_sample) u64 anw_sample(const u8 *seed) { return number_result(read_number(seed, 8)); }
