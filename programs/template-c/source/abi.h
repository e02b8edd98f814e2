/* What every program in C needs: exports, results, numbers as values. */
#ifndef ABI_H
#define ABI_H

#include "memory.h"

#define EXPORT(name) __attribute__((export_name(#name)))

/* Returned by anw_count for parameters that are refused. */
#define REFUSED (~(u64)0)

/* A result as the node wants it: pointer in the high half, length in the low one. */
u64 result(const void *bytes, u32 length);

/* Eight bytes, little-endian. */
u64 number_result(u64 number);

/* What number_result gave; traps in wrong_value on anything else. */
u64 read_number(const u8 *value, u32 length);

/* Text that grows at its end, as far as it was opened. */
typedef struct {
  u8 *start, *end, *limit;
} Text;

/* A text for up to `length` bytes; what puts more into it traps in text_is_full. */
Text open_text(u32 length);
void put_text(Text *text, const char *word);
/* A number in decimal, with zeros in front up to `digits` of them. */
void put_number(Text *text, u64 number, u32 digits);
u64 text_result(const Text *text);

#endif
