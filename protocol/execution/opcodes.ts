/** List the instructions that programs may use: what follows them, what they move and cost. */

/**
 * What stands behind an opcode, and whether the walk treats the instruction on its own.
 * Zero is for opcodes that are not on the list.
 */
export const form = {
  plain: 1,
  memory: 2,
  lane: 3,
  memoryLane: 4,
  i32: 5,
  i64: 6,
  f32: 7,
  f64: 8,
  bits128: 9,
  lanes16: 10,
  localRead: 11,
  localWrite: 12,
  globalIndex: 13,
  tableIndex: 14,
  dataIndex: 15,
  elementIndex: 16,
  referenceType: 17,
  functionIndex: 18,
  selectTyped: 19,
  memorySize: 20,
  // From here on the walk has a rule of its own for each.
  unreachable: 21,
  block: 22,
  loop: 23,
  if: 24,
  else: 25,
  end: 26,
  branch: 27,
  branchIf: 28,
  branchTable: 29,
  return: 30,
  call: 31,
  callIndirect: 32,
  memoryGrow: 33,
  memoryCopy: 34,
  memoryFill: 35,
  memoryInit: 36,
  tableSet: 37,
  tableGrow: 38,
  tableFill: 39,
  tableCopy: 40,
  tableInit: 41,
} as const;

/**
 * How a float is laid out: a NaN may stay as it is only between operations on one shape.
 * `any` is for what forgets its operand.
 */
export const shape = { none: 0, f32: 1, f64: 2, f32x4: 3, f64x2: 4, any: 5 } as const;
type Shape = (typeof shape)[keyof typeof shape];

/** Opcodes behind the prefixes 0xFC and 0xFD start here; one-byte opcodes stand for themselves. */
export const prefixed = { 252: 256, 253: 512 } as const;
/** Opcodes that a prefix may have, so that the table ends. */
export const prefixedCount = { 252: 18, 253: 256 } as const;
const tableSize = 768;

/** {@link form} of each instruction, by opcode. */
export const forms: Uint8Array = new Uint8Array(tableSize);
/** Operands that it takes and gives, where that does not depend on a type. */
export const pops: Uint8Array = new Uint8Array(tableSize);
export const pushes: Uint8Array = new Uint8Array(tableSize);
/** Fuel, without what depends on an operand. */
export const costs: Int32Array = new Int32Array(tableSize);
/** Shape of the floats whose NaN bits it does not look at; and of the NaN that it may make. */
export const tolerates: Uint8Array = new Uint8Array(tableSize);
export const makes: Uint8Array = new Uint8Array(tableSize);

/** Fuel that depends on an operand, or is spent by what the rewriter adds. */
export const cost = {
  import: 100,
  /** Per page of 64 KiB that a memory grows by. */
  page: 1_000,
} as const;

type More = { readonly form?: number; readonly tolerates?: Shape; readonly makes?: Shape };

/**
 * Lists instructions of one type, such as `ii>i` (see FunctionType), and of one cost.
 * An entry of `opcodes` is an opcode, or the first and the last of a range.
 */
function list(
  type: string,
  fuel: number,
  opcodes: readonly (number | readonly [first: number, last: number])[],
  more: More = {},
): void {
  for (const entry of opcodes) {
    const [first, last] = typeof entry === 'number' ? [entry, entry] : entry;
    for (let opcode = first; opcode <= last; opcode++) {
      forms[opcode] = more.form ?? form.plain;
      pops[opcode] = type.indexOf('>');
      pushes[opcode] = type.length - 1 - type.indexOf('>');
      costs[opcode] = fuel;
      tolerates[opcode] = more.tolerates ?? shape.none;
      makes[opcode] = more.makes ?? shape.none;
    }
  }
}

function listControl(): void {
  list('>', 0, [0x00], { form: form.unreachable });
  list('>', 0, [0x01]);
  list('>', 0, [0x02], { form: form.block });
  list('>', 1, [0x03], { form: form.loop });
  list('i>', 1, [0x04], { form: form.if });
  list('>', 0, [0x05], { form: form.else });
  list('>', 0, [0x0b], { form: form.end });
  list('>', 1, [0x0c], { form: form.branch });
  list('i>', 1, [0x0d], { form: form.branchIf });
  list('i>', 3, [0x0e], { form: form.branchTable });
  list('>', 1, [0x0f], { form: form.return });
  list('>', 10, [0x10], { form: form.call });
  list('i>', 16, [0x11], { form: form.callIndirect });
  list('i>', 0, [0x1a], { tolerates: shape.any });
  list('iii>i', 1, [0x1b]);
  list('iii>i', 1, [0x1c], { form: form.selectTyped });
  list('>i', 0, [0x20], { form: form.localRead });
  list('i>', 0, [0x21], { form: form.localWrite });
  list('i>i', 0, [0x22], { form: form.localWrite });
  list('>i', 1, [0x23], { form: form.globalIndex });
  list('i>', 1, [0x24], { form: form.globalIndex });
  list('>r', 1, [0xd0], { form: form.referenceType });
  list('r>i', 1, [0xd1]);
  list('>r', 8, [0xd2], { form: form.functionIndex });
}

function listMemory(): void {
  list('i>i', 2, [[0x28, 0x35]], { form: form.memory });
  list('ii>', 2, [[0x36, 0x3e]], { form: form.memory });
  list('>i', 1, [0x3f], { form: form.memorySize });
  list('i>i', 1_000_000, [0x40], { form: form.memoryGrow });
  list('iii>', 300, [prefixed[0xfc] + 8], { form: form.memoryInit });
  list('>', 1, [prefixed[0xfc] + 9], { form: form.dataIndex });
  list('iii>', 300, [prefixed[0xfc] + 10], { form: form.memoryCopy });
  list('iii>', 300, [prefixed[0xfc] + 11], { form: form.memoryFill });
}

function listTables(): void {
  list('i>r', 2, [0x25], { form: form.tableIndex });
  list('ir>', 2, [0x26], { form: form.tableSet });
  list('iii>', 300, [prefixed[0xfc] + 12], { form: form.tableInit });
  list('>', 1, [prefixed[0xfc] + 13], { form: form.elementIndex });
  list('iii>', 300, [prefixed[0xfc] + 14], { form: form.tableCopy });
  list('ri>i', 300, [prefixed[0xfc] + 15], { form: form.tableGrow });
  list('>i', 1, [prefixed[0xfc] + 16], { form: form.tableIndex });
  list('iri>', 300, [prefixed[0xfc] + 17], { form: form.tableFill });
}

function listNumbers(): void {
  list('>i', 0, [0x41], { form: form.i32 });
  list('>I', 0, [0x42], { form: form.i64 });
  list('>f', 0, [0x43], { form: form.f32 });
  list('>F', 0, [0x44], { form: form.f64 });
  // Tests, comparisons, then per width: counting, adding, multiplying, dividing, bits.
  list('i>i', 1, [0x45, 0x50]);
  list('ii>i', 1, [
    [0x46, 0x4f],
    [0x51, 0x5a],
  ]);
  for (const first of [0x67, 0x79]) {
    list('i>i', 1, [[first, first + 2]]);
    list('ii>i', 1, [[first + 3, first + 4]]);
    list('ii>i', 2, [first + 5]);
    list('ii>i', 12, [[first + 6, first + 9]]);
    list('ii>i', 1, [[first + 10, first + 17]]);
  }
  list('i>i', 1, [0xa7, [0xac, 0xad], [0xc0, 0xc4]]);
}

function listFloats(): void {
  for (const [compare, first, own] of [
    [0x5b, 0x8b, shape.f32],
    [0x61, 0x99, shape.f64],
  ] as const) {
    const arithmetic = { tolerates: own, makes: own };
    list('ff>i', 1, [[compare, compare + 5]], { tolerates: own });
    // abs and neg move bits; ceil, floor, trunc, nearest and sqrt compute.
    list('f>f', 2, [[first, first + 1]]);
    list('f>f', 2, [[first + 2, first + 5]], arithmetic);
    list('f>f', 12, [first + 6], arithmetic);
    list('ff>f', 3, [[first + 7, first + 9]], arithmetic);
    list('ff>f', 12, [first + 10], arithmetic);
    list('ff>f', 3, [[first + 11, first + 12]], arithmetic);
    list('ff>f', 2, [first + 13]);
  }
  const [f32, f64] = [{ tolerates: shape.f32 }, { tolerates: shape.f64 }];
  list('f>i', 2, [0xa8, 0xa9, 0xae, 0xaf], f32);
  list('F>i', 2, [0xaa, 0xab, 0xb0, 0xb1], f64);
  list('i>f', 2, [
    [0xb2, 0xb5],
    [0xb7, 0xba],
  ]);
  list('F>f', 2, [0xb6], { tolerates: shape.f64, makes: shape.f32 });
  list('f>F', 2, [0xbb], { tolerates: shape.f32, makes: shape.f64 });
  // Reinterpretations show every bit.
  list('i>i', 1, [[0xbc, 0xbf]]);
  const saturating = prefixed[0xfc];
  list(
    'f>i',
    2,
    [0, 1, 4, 5].map((it) => saturating + it),
    f32,
  );
  list(
    'F>i',
    2,
    [2, 3, 6, 7].map((it) => saturating + it),
    f64,
  );
}

/** Vector instructions without floats, numbered as behind the prefix. */
function listVectors(): void {
  const at = (...entries: readonly (number | readonly [number, number])[]) =>
    entries.map((entry): number | readonly [number, number] =>
      typeof entry === 'number'
        ? prefixed[0xfd] + entry
        : [prefixed[0xfd] + entry[0], prefixed[0xfd] + entry[1]],
    );
  list('i>v', 2, at([0x00, 0x0a], 0x5c, 0x5d), { form: form.memory });
  list('iv>', 2, at(0x0b), { form: form.memory });
  list('iv>v', 2, at([0x54, 0x57]), { form: form.memoryLane });
  list('iv>', 2, at([0x58, 0x5b]), { form: form.memoryLane });
  list('>v', 0, at(0x0c), { form: form.bits128 });
  list('vv>v', 2, at(0x0d), { form: form.lanes16 });
  list('vv>v', 2, at(0x0e));
  list('i>v', 2, at([0x0f, 0x14]));
  list('v>i', 2, at(0x15, 0x16, 0x18, 0x19, 0x1b, 0x1d, 0x1f, 0x21), { form: form.lane });
  list('vi>v', 2, at(0x17, 0x1a, 0x1c, 0x1e, 0x20, 0x22), { form: form.lane });
  // Comparisons of integers, those of i64x2 apart; bits.
  list('vv>v', 2, at([0x23, 0x40], [0xd6, 0xdb], [0x4e, 0x51]));
  list('v>v', 2, at(0x4d));
  list('vvv>v', 2, at(0x52));
  list('v>i', 2, at(0x53, 0x63, 0x64, 0x83, 0x84, 0xa3, 0xa4, 0xc3, 0xc4));
  list('v>v', 2, at([0x60, 0x62], [0x7c, 0x81], [0x87, 0x8a]));
  list('v>v', 2, at(0xa0, 0xa1, [0xa7, 0xaa], 0xc0, 0xc1, [0xc7, 0xca]));
  list('vi>v', 2, at([0x6b, 0x6d], [0x8b, 0x8d], [0xab, 0xad], [0xcb, 0xcd]));
  list('vv>v', 2, at(0x65, 0x66, [0x6e, 0x73], [0x76, 0x79], 0x7b));
  list('vv>v', 2, at(0x82, 0x85, 0x86, [0x8e, 0x93], [0x95, 0x99], [0x9b, 0x9f]));
  list('vv>v', 2, at(0xae, 0xb1, [0xb5, 0xba], [0xbc, 0xbf], 0xce, 0xd1, 0xd5, [0xdc, 0xdf]));
  listFloatVectors(at);
}

function listFloatVectors(
  at: (
    ...entries: readonly (number | readonly [number, number])[]
  ) => readonly (number | readonly [number, number])[],
): void {
  for (const [compare, round, first, own] of [
    [0x41, [[0x67, 0x6a]], 0xe0, shape.f32x4],
    [0x47, [0x74, 0x75, 0x7a, 0x94], 0xec, shape.f64x2],
  ] as const) {
    const arithmetic = { tolerates: own, makes: own };
    list('vv>v', 2, at([compare, compare + 5]), { tolerates: own });
    list('v>v', 2, at(...round), arithmetic);
    list('v>v', 2, at([first, first + 1]));
    list('v>v', 12, at(first + 3), arithmetic);
    list('vv>v', 2, at([first + 4, first + 6]), arithmetic);
    list('vv>v', 12, at(first + 7), arithmetic);
    list('vv>v', 2, at([first + 8, first + 9]), arithmetic);
    // pmin and pmax give one of their operands, bit by bit.
    list('vv>v', 2, at([first + 10, first + 11]));
  }
  list('v>v', 2, at(0x5e), { tolerates: shape.f64x2, makes: shape.f32x4 });
  list('v>v', 2, at(0x5f), { tolerates: shape.f32x4, makes: shape.f64x2 });
  list('v>v', 2, at(0xf8, 0xf9), { tolerates: shape.f32x4 });
  list('v>v', 2, at(0xfc, 0xfd), { tolerates: shape.f64x2 });
  list('v>v', 2, at(0xfa, 0xfb, 0xfe, 0xff));
}

listControl();
listMemory();
listTables();
listNumbers();
listFloats();
listVectors();
