/** Measure receipts: their bytes, and how long an auditor takes, as subtasks grow. */
import { sha256 as portableSha256 } from '@noble/hashes/sha2.js';
import { nativeSha256, nativeSuite } from '../node/crypto.ts';
import { installSha256 } from '../protocol/crypto/hash.ts';
import { portableSuite } from '../protocol/crypto/signature.ts';
import type { CryptoSuite } from '../protocol/crypto/suite.ts';
import { auditReceipt } from '../protocol/receipt/audit.ts';
import { devTrust } from '../protocol/receipt/trust.ts';
import type { Benchmark, Effort, Row } from './benchmark.ts';
import { finishJob, primesWish, putJob } from './job.ts';
import {
  exactly,
  exponent,
  growthRow,
  interleave,
  paired,
  processor,
  spread,
  wall,
} from './measure.ts';
import { type MeasuredNetwork, startMeasured } from './network.ts';

const seats = 7;
const items = 256;
const subtaskCounts = [1, 16, 256];

type Issued = {
  readonly subtasks: number;
  readonly bytes: Uint8Array;
  readonly signatures: number;
};

async function run(effort: Effort): Promise<readonly Row[]> {
  const network = await startMeasured({ seats });
  let issued: readonly Issued[];
  try {
    issued = await issueAll(network);
  } finally {
    await network.stop();
  }
  const rows: Row[] = [];
  const native: [number, number][] = [];
  for (const one of issued) {
    const { subtasks, bytes, signatures } = one;
    rows.push({
      what: `M = ${subtasks}: bytes`,
      unit: 'bytes',
      figure: exactly(bytes.length),
      note: `${signatures} signatures and proofs are checked`,
    });
    const taken = await audits(one, effort.runs(9));
    rows.push(...taken);
    native.push([subtasks, taken[0]!.figure.median]);
  }
  rows.push(
    growthRow(
      'bytes, as subtasks grow',
      issued.map((o) => [o.subtasks, o.bytes.length]),
    ),
  );
  rows.push(growthRow('audit, native, as subtasks grow', native));
  const [, last] = [native.at(-2)!, native.at(-1)!];
  rows.push({
    what: 'bytes a subtask, from 16 to 256',
    unit: 'bytes',
    figure: exactly((issued[2]!.bytes.length - issued[1]!.bytes.length) / 240),
    note: `exponent of the audit from 16 to 256: ${exponent([native[1]!, last]).toFixed(2)}`,
  });
  return rows;
}

async function issueAll(network: MeasuredNetwork): Promise<readonly Issued[]> {
  const issued: Issued[] = [];
  for (const subtasks of subtaskCounts) {
    const job = await putJob(network, primesWish(items, subtasks));
    const { receipt: bytes } = await finishJob(network, job);
    issued.push({ subtasks, bytes, signatures: countChecks(bytes) });
  }
  return issued;
}

/** How often an audit asks its suite: signatures, VRF proofs, keys. */
function countChecks(bytes: Uint8Array): number {
  let checks = 0;
  const counting: CryptoSuite = {
    validKey: nativeSuite.validKey,
    verify: (...question) => {
      checks += 1;
      return nativeSuite.verify(...question);
    },
    vrfVerify: (...question) => {
      checks += 1;
      return nativeSuite.vrfVerify(...question);
    },
  };
  audit(bytes, counting);
  return checks;
}

async function audits({ subtasks, bytes }: Issued, runs: number): Promise<Row[]> {
  const taken = await interleave(runs, {
    native: () => {
      installSha256(nativeSha256);
      audit(bytes, nativeSuite);
    },
    portable: () => {
      installSha256(portableSha256);
      audit(bytes, portableSuite);
      installSha256(nativeSha256);
    },
    signatures: () => signaturesAlone(bytes),
  });
  const alone = {
    name: 'its signatures and proofs alone, native',
    values: processor(taken.signatures),
  };
  const nativeMs = { name: 'native', values: processor(taken.native) };
  const wallMs = spread(wall(taken.native));
  return [
    { ...paired(`M = ${subtasks}: audit, native`, 'ms', processor(taken.native), alone), wallMs },
    {
      ...paired(`M = ${subtasks}: audit, portable`, 'ms', processor(taken.portable), nativeMs),
      wallMs: spread(wall(taken.portable)),
    },
  ];
}

const recorded = new WeakMap<Uint8Array, readonly (() => unknown)[]>();

/** Asks the native suite all that an audit asks it, and nothing else. */
function signaturesAlone(bytes: Uint8Array): void {
  let questions = recorded.get(bytes);
  if (questions === undefined) {
    const asked: (() => unknown)[] = [];
    audit(bytes, {
      validKey: (key) => {
        asked.push(() => nativeSuite.validKey(key));
        return nativeSuite.validKey(key);
      },
      verify: (...question) => {
        asked.push(() => nativeSuite.verify(...question));
        return nativeSuite.verify(...question);
      },
      vrfVerify: (...question) => {
        asked.push(() => nativeSuite.vrfVerify(...question));
        return nativeSuite.vrfVerify(...question);
      },
    });
    questions = asked;
    recorded.set(bytes, questions);
  }
  for (const ask of questions) ask();
}

/** Everything but the fold: no program is executed. */
function audit(bytes: Uint8Array, suite: CryptoSuite): void {
  const { findings } = auditReceipt(bytes, devTrust, { suite });
  const wrong = findings.find(({ status }) => status === 'failed');
  if (wrong !== undefined) throw new Error(`the audit failed: ${wrong.code}`);
}

export const receipts: Benchmark = {
  name: 'receipt',
  question: 'How large is a receipt, and how long does an audit take without executing anything?',
  run,
};
