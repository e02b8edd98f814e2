/* Read a JSON object of whole numbers exactly: JavaScript would round large ones. */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include "memory.h"

/*
 * Whether the text is a JSON object with each of `count` names once and no other, each a whole
 * number below 2^63 without sign, fraction or exponent. Writes them in the order of the names, of
 * which there are at most 32.
 */
int read_numbers(const u8 *text, u32 length, const char *const *names, u64 *numbers, u32 count);

/*
 * The same, but only the first `needed` names have to be there: of the others that are not,
 * `numbers` keeps what it held. No text at all, as without --params, is an object without names.
 */
int read_optional_numbers(const u8 *text, u32 length, const char *const *names, u64 *numbers,
                          u32 count, u32 needed);

#endif
