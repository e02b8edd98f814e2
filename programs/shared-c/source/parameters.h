/* Read a JSON object of whole numbers exactly: JavaScript would round large ones. */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include "memory.h"

/*
 * Whether the text is a JSON object with each of `count` names once and no other, each a whole
 * number below 2^63 without sign, fraction or exponent. Writes them in the order of the names.
 */
int read_numbers(const u8 *text, u32 length, const char *const *names, u64 *numbers, u32 count);

#endif
