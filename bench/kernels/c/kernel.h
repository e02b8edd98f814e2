// What all kernels share: widths by name, and numbers that look like chance.
#ifndef KERNEL_H
#define KERNEL_H
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
#define EXPORT __attribute__((visibility("default"))) __attribute__((export_name("run")))

static inline u32 next(u32 *state) { return *state = *state * 1664525u + 1013904223u; }
#endif
