#include "test.h"

/* Numbers modulo an odd `modulus` in Montgomery's form: x stands for x * 2^64. */
typedef struct {
  u64 modulus, inverse, one, square;
} Field;

/* The upper 64 bits of a product. */
static u64 high(u64 a, u64 b) {
  u64 a_low = (u32)a, a_high = a >> 32, b_low = (u32)b, b_high = b >> 32;
  u64 low = a_low * b_low;
  u64 middle = a_high * b_low + (low >> 32);
  u64 other = a_low * b_high + (u32)middle;
  return a_high * b_high + (middle >> 32) + (other >> 32);
}

/* a * b / 2^64 modulo the modulus, for a and b below it. */
static u64 multiply(const Field *field, u64 a, u64 b) {
  u64 upper = high(a, b);
  u64 correction = high(a * b * field->inverse, field->modulus);
  return upper >= correction ? upper - correction : upper - correction + field->modulus;
}

static u64 twice(const Field *field, u64 a) {
  return a >= field->modulus - a ? a - (field->modulus - a) : a + a;
}

static Field open_field(u64 modulus) {
  Field field = {modulus, modulus, 0, 0};
  /* Newton: each round doubles the exact low bits, from three on. */
  for (int i = 0; i < 5; i++) field.inverse *= 2 - modulus * field.inverse;
  field.one = (0 - modulus) % modulus;
  field.square = field.one;
  for (int i = 0; i < 64; i++) field.square = twice(&field, field.square);
  return field;
}

/* Whether `number` passes for prime to one base (Miller, Rabin). */
static int passes(const Field *field, u64 base, u64 odd, int twos) {
  u64 minus_one = field->modulus - field->one;
  u64 power = multiply(field, base % field->modulus, field->square), value = field->one;
  for (; odd > 0; odd >>= 1) {
    if (odd & 1) value = multiply(field, value, power);
    power = multiply(field, power, power);
  }
  if (value == field->one || value == minus_one) return 1;
  while (--twos > 0) {
    value = multiply(field, value, value);
    if (value == minus_one) return 1;
  }
  return 0;
}

/* Below 2^64 no composite passes for all of the first twelve primes (Sorenson, Webster 2015). */
static const u8 bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};

int is_prime(u64 number) {
  Field field = open_field(number);
  int twos = __builtin_ctzll(number - 1);
  u64 odd = (number - 1) >> twos;
  for (u32 i = 0; i < sizeof bases; i++)
    if (!passes(&field, bases[i], odd, twos)) return 0;
  return 1;
}
