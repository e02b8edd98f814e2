/* Find a field in a line of CSV, and read the number in it. */
#ifndef CSV_H
#define CSV_H

#include "tally.h"

/* Where the field of a column (from 1) begins; 0 if there is none. */
const u8 *find_field(const u8 *line, const u8 *end, u64 column);

/*
 * Reads a field that holds a decimal number, and nothing else but blanks and quotes around it, as
 * a whole number of 10^-digits. Returns 0 for anything else.
 */
int parse_number(const u8 *field, const u8 *end, u32 digits, i64 *number);

#endif
