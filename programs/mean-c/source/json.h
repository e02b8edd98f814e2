/* Write a value as JSON whose numbers are exact decimals. */
#ifndef JSON_H
#define JSON_H

#include "tally.h"

u64 render(const Tally *value, u32 length, u32 digits, i64 width);

#endif
