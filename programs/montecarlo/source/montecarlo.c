/*
 * Estimate pi by chance that everybody can repeat: {"points": N, "seed": S}.
 *
 * Points fall on a square of 2^32 by 2^32; how many lie in the quarter circle is counted. There
 * are no floats: the same seed gives the same count on every machine. An item is its index and
 * its number of points; its value is the points inside and the points in all.
 */
#include "abi.h"
#include "parameters.h"

#define POINTS_MAX ((u64)1 << 40)
#define ITEM_POINTS ((u64)1 << 20)

typedef struct {
  u64 points, seed;
} Parameters;

typedef struct {
  u64 inside, points;
} Tally;

static int read_parameters(const u8 *text, u32 length, Parameters *parameters) {
  static const char *const names[] = {"points", "seed"};
  u64 numbers[2];
  if (!read_numbers(text, length, names, numbers, 2)) return 0;
  *parameters = (Parameters){numbers[0], numbers[1]};
  return parameters->points >= 1 && parameters->points <= POINTS_MAX;
}

/* SplitMix64 (Steele, Lea, Flood 2014): the word of a counter, each bit of it mixed. */
static u64 mixed(u64 word) {
  word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
  word = (word ^ word >> 27) * 0x94d049bb133111eb;
  return word ^ word >> 31;
}

/* Whether x^2 + y^2 < 2^64: the sum of the squares does not carry. */
static u64 lies_inside(u64 point) {
  u64 x = (u32)point, y = point >> 32;
  return y * y <= ~(x * x);
}

EXPORT(anw_abi_v1) void anw_abi_v1(void) {}

EXPORT(anw_alloc) void *anw_alloc(u32 bytes) { return allocate(bytes); }

EXPORT(anw_count) u64 anw_count(const u8 *text, u32 length) {
  Parameters parameters;
  if (!read_parameters(text, length, &parameters)) return REFUSED;
  return (parameters.points + ITEM_POINTS - 1) / ITEM_POINTS;
}

EXPORT(anw_item) u64 anw_item(const u8 *text, u32 length, u64 index) {
  Parameters parameters;
  if (!read_parameters(text, length, &parameters)) __builtin_trap();
  if (index > (parameters.points - 1) / ITEM_POINTS) __builtin_trap();
  u64 left = parameters.points - index * ITEM_POINTS;
  u64 *item = allocate(16);
  item[0] = index;
  item[1] = left < ITEM_POINTS ? left : ITEM_POINTS;
  return result(item, 16);
}

static u64 tally_result(Tally tally) {
  Tally *value = allocate(sizeof *value);
  *value = tally;
  return result(value, sizeof *value);
}

static Tally read_tally(const u8 *value, u32 length) {
  Tally tally;
  if (length != sizeof tally) __builtin_trap();
  __builtin_memcpy(&tally, value, sizeof tally);
  return tally;
}

EXPORT(anw_map) u64 anw_map(const u8 *text, u32 length, const u8 *item, u32 item_length) {
  Parameters parameters;
  u64 range[2];
  if (!read_parameters(text, length, &parameters) || item_length != sizeof range) __builtin_trap();
  __builtin_memcpy(range, item, sizeof range);
  if (range[1] > ITEM_POINTS) __builtin_trap();
  /* Each item counts on from a word of its own, so that items do not repeat one another. */
  u64 word = mixed(mixed(parameters.seed + 0x9e3779b97f4a7c15) + range[0]);
  u64 inside = 0;
  for (u64 point = 0; point < range[1]; point++)
    inside += lies_inside(mixed(word += 0x9e3779b97f4a7c15));
  return tally_result((Tally){inside, range[1]});
}

EXPORT(anw_combine) u64 anw_combine(const u8 *a, u32 a_length, const u8 *b, u32 b_length) {
  Tally left = read_tally(a, a_length), right = read_tally(b, b_length);
  return tally_result((Tally){left.inside + right.inside, left.points + right.points});
}

/* The largest number whose square is at most `number`. */
static u64 root(u64 number) {
  u64 low = 0, high = (u64)1 << 32;
  while (high - low > 1) {
    u64 middle = (low + high) / 2;
    if (middle * middle <= number) low = middle;
    else high = middle;
  }
  return low;
}

/* Millionths of a whole. */
#define MILLION 1000000u

/* Four times a share in millionths, rounded down; `points` is at most 2^40. */
static u64 four_millionths(u64 part, u64 points) { return part * 4 * MILLION / points; }

EXPORT(anw_render)
u64 anw_render(const u8 *text, u32 length, const u8 *value, u32 value_length) {
  (void)text, (void)length;
  Tally tally = read_tally(value, value_length);
  if (tally.points == 0 || tally.points > POINTS_MAX || tally.inside > tally.points)
    __builtin_trap();
  u64 pi = four_millionths(tally.inside, tally.points);
  /* The standard error: the root of pi (4 - pi) / points, in millionths. */
  u64 error = root(pi * (4 * MILLION - pi) / tally.points);
  Text shown = open_text(128);
  put_text(&shown, "{\"inside\":");
  put_number(&shown, tally.inside, 1);
  put_text(&shown, ",\"points\":");
  put_number(&shown, tally.points, 1);
  put_text(&shown, ",\"pi\":");
  put_number(&shown, pi / MILLION, 1);
  put_text(&shown, ".");
  put_number(&shown, pi % MILLION, 6);
  put_text(&shown, ",\"error\":");
  put_number(&shown, error / MILLION, 1);
  put_text(&shown, ".");
  put_number(&shown, error % MILLION, 6);
  put_text(&shown, "}");
  return text_result(&shown);
}

/* A value for the test of the laws. */
EXPORT(anw_sample) u64 anw_sample(const u8 *seed) {
  return tally_result(read_tally(seed, sizeof(Tally)));
}
