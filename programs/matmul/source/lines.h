/* Read lines of whole numbers between commas. */
#ifndef LINES_H
#define LINES_H

#include "abi.h"

/* What is left of a text, and the cells of the line that was read last. */
typedef struct {
  const u8 *at, *end;
  /* Residues modulo the prime; those of A first. */
  u64 *cells;
  u32 rows, columns;
  /* The largest number of A times the largest of B, signs aside, or MAGNITUDE_MAX if above. */
  u64 magnitude;
} Lines;

/* Sums of products up to this, signs aside, are told by their residues. */
#define EXACT_MAX (((u64)1 << 60) - 1)
#define MAGNITUDE_MAX ((u64)1 << 60)

typedef enum { LINE_NONE, LINE_READ, LINE_SKIPPED } Line;

Lines open_lines(const u8 *text, u32 length, u32 rows, u32 columns);

/*
 * Reads the next line. It is skipped unless it has exactly rows + columns cells, each a whole
 * number between -PRIME and PRIME, with nothing but blanks around it.
 */
Line next_line(Lines *lines);

/* The smaller of a + b and MAGNITUDE_MAX, for numbers up to that. */
u64 add_magnitudes(u64 a, u64 b);

#endif
