/* Whole numbers modulo the prime 2^61 - 1. */
#ifndef FIELD_H
#define FIELD_H

#include "abi.h"

#define PRIME (((u64)1 << 61) - 1)

/* The residue of any number. */
static inline u64 residue(u64 number) {
  u64 folded = (number & PRIME) + (number >> 61);
  return folded >= PRIME ? folded - PRIME : folded;
}

/* A number that is a smaller one modulo the prime: at most 2^61 + 6. */
static inline u64 fold(u64 number) { return (number & PRIME) + (number >> 61); }

/* Products in three parts: low + middle * 2^31 + high * 2^62. Four of them do not carry. */
typedef struct {
  u64 low, middle, high;
} Products;

static inline void add_product(Products *products, u64 a, u64 b) {
  const u64 half = ((u64)1 << 31) - 1;
  u64 a_low = a & half, a_high = a >> 31, b_low = b & half, b_high = b >> 31;
  products->low += a_low * b_low;
  products->middle += a_low * b_high + a_high * b_low;
  products->high += a_high * b_high;
}

/* Less than 2^63 - 2^60. Modulo the prime, 2^61 is 1. */
static inline u64 products_sum(Products products) {
  u64 middle = (products.middle >> 30) + ((products.middle & (((u64)1 << 30) - 1)) << 31);
  return fold(products.low) + fold(products.high << 1) + middle;
}

static inline u64 times(u64 a, u64 b) {
  Products products = {0, 0, 0};
  add_product(&products, a, b);
  return residue(products_sum(products));
}

static inline u64 plus(u64 a, u64 b) {
  u64 sum = a + b;
  return sum >= PRIME ? sum - PRIME : sum;
}

/* The sum of the products of `count` pairs of residues. */
static inline u64 dot(const u64 *a, const u64 *b, u32 count) {
  u64 sum = 0;
  u32 at = 0;
  for (; at + 4 <= count; at += 4) {
    Products products = {0, 0, 0};
    for (u32 next = 0; next < 4; next++) add_product(&products, a[at + next], b[at + next]);
    sum = fold(sum + products_sum(products));
  }
  for (; at < count; at++) sum = fold(sum + times(a[at], b[at]));
  return residue(sum);
}

#endif
