/** Explain the codes of jobs: why one is refused, what it waits for, how it ends. */
import { entries } from './entry.ts';

export const jobCodes = [
  ...entries(0, [
    [
      'JOB_SETTLED',
      'The job is settled: all its lanes have accepted a result.',
      'Enough seats of each lane agreed.',
      'Nothing to do; its receipt can be verified by anybody.',
    ],
  ]),
  ...entries(5, [
    [
      'JOB_AWAITS_DRAW',
      'The job is ordered and waits for its seats to be drawn.',
      'They are drawn by the randomness of the next block.',
      'Nothing to do: it takes one block.',
    ],
    [
      'JOB_AWAITS_LANES',
      'The job runs: some of its lanes have not accepted yet.',
      'Seats compute, commit and reveal; lanes with too few answers draw more seats.',
      'Nothing to do: every phase has a deadline in chain time.',
    ],
  ]),
  ...entries(8, [
    [
      'RESULT_UNRENDERABLE',
      'The job is settled, but its result cannot be folded or rendered.',
      'The program fails on the accepted values, for every auditor alike.',
      'Correct the program’s combine or render function; the receipt still proves the lanes.',
    ],
    [
      'JOB_ITEM_FAILED',
      'The job failed: its program failed on an item or a combine, and the seats agree on that.',
      'The program trapped, returned a value that is none, or used up its fuel or its depth.',
      'The message names the lowest failing item: look at it with `anwansi program bench PROGRAM --item N`.',
    ],
    [
      'LANE_CONTRADICTION',
      'The job was voided: one lane could accept two different results.',
      'More seats lie together than the job assumed, or the program is not deterministic.',
      'Check the program’s algebra; assume a larger adversary.',
    ],
  ]),
  ...entries(9, [
    [
      'JOB_OUT_OF_WAVES',
      'The job expired: a lane had no result when its last wave closed.',
      'Too many drawn seats were silent, disagreed, or took longer than they were given.',
      'Submit it again. If this repeats, see with `anwansi program bench` how long items and combines take.',
    ],
    [
      'JOB_NOT_INCLUDED_IN_TIME',
      'A job came too late for this block.',
      'A signed job may be ordered for 60 s at most.',
      'Submit it again.',
    ],
    [
      'NOT_INCLUDED',
      'No block took the job before its time was over.',
      'The network was slow or full, did not hear of it, or the account cannot pay for it.',
      'See that the account has tokens, and submit it again; the old one never runs any more.',
    ],
  ]),
  ...entries(6, [
    [
      'POOL_FULL',
      'The node keeps no further job that waits for its order.',
      'The pool of jobs that no block has taken yet is bounded, and it is full.',
      'Submit it again when the network has caught up.',
    ],
    [
      'LEDGER_JOBS_FULL',
      'As many jobs are open as may be at once.',
      'The number of open jobs is bounded.',
      'Submit it again when some have ended.',
    ],
    [
      'JOB_ANCHOR_UNKNOWN',
      'The job rests on a block that is not in this chain, or too old.',
      'It was signed on another fork, or long ago.',
      'Submit it again.',
    ],
  ]),
  ...entries(7, [
    [
      'JOB_SIGNATURE',
      'The job’s signature is not its submitter’s.',
      'It was changed after it had been signed, or signed with another key.',
      'Submit it again with the right key.',
    ],
  ]),
  ...entries(2, [
    [
      'JOB_REFUSED',
      'The network refused the job.',
      'The message names the reason by its code.',
      'Run `anwansi explain` with that code.',
    ],
    [
      'JOB_OTHER_NETWORK',
      'The job was signed for another network.',
      'A job names the network that may run it.',
      'Submit it where it belongs, or sign it again.',
    ],
    [
      'JOB_VERSION',
      'The job is of another version of the protocol.',
      'A client of ours does not make such a job: it was changed, or made by other software.',
      'Use a client of this network’s version.',
    ],
    [
      'JOB_METERING_VERSION',
      'The job names a version of metering that is not in use.',
      'A client of ours does not make such a job: it was changed, or made by other software.',
      'Name version 1 of both.',
    ],
    [
      'JOB_FUEL_OUT_OF_RANGE',
      'A limit of fuel is 0, or more than a job may set.',
      'An item, a combine and the rendering have 2^36 units at most, the whole fold has 2^40.',
      'Set limits in that range; make items smaller where one needs more.',
    ],
    [
      'JOB_TIER_UNSUPPORTED',
      'The job asks for a tier that does not exist yet.',
      'Only the tier `exact` does.',
      'Ask for `exact`.',
    ],
    [
      'JOB_SPARE_UNSUPPORTED',
      'The job asks for spare seats.',
      'They do not exist yet.',
      'Leave `spare` at 0.',
    ],
    [
      'JOB_MORE_SUBTASKS_THAN_ITEMS',
      'The job has more subtasks than items.',
      'Each subtask holds an item at least.',
      'Ask for fewer subtasks.',
    ],
    [
      'JOB_INPUT_MALFORMED',
      'The job’s input or program is not named as it must be.',
      'A client of ours does not make such a job: it was changed, or made by other software.',
      'Make the job again with this client.',
    ],
    [
      'JOB_TOO_FEW_WAVES',
      'The job gives itself too few waves.',
      'At least 12 are asked for, so that silent seats can be replaced.',
      'Ask for 12 or more.',
    ],
    [
      'JOB_ADVERSARY_TOO_LARGE',
      'The job assumes more adversarial seats than consensus bears.',
      'Of n seats at most floor((n-1)/3) may be bad.',
      'Choose a smaller share with --adversary, or `max`.',
    ],
    [
      'JOB_LIVES_TOO_LONG',
      'The job would stay valid for too long.',
      'A signed job may live for 60 s after the block on which it rests.',
      'Give it less time.',
    ],
    [
      'JOB_REPLAYED',
      'A job with this nonce was ordered already.',
      'Each job has a nonce of its own, so that it runs once.',
      'Sign a new job for another run.',
    ],
    [
      'JOB_ESCROW',
      'The submitter’s account does not cover the job’s escrow.',
      'All the fuel that a job can need is paid in advance; what is left comes back.',
      'Fund the account, or give items less fuel.',
    ],
  ]),
  ...entries(null, [
    [
      'LANE_CLOSED',
      'A statement came for a lane that has ended.',
      'It was late, which is no fault.',
      'Nothing to do; late honest work is paid from the escrow.',
    ],
    [
      'LANE_NOT_DRAWN',
      'A seat made a statement about a lane for which it was not drawn.',
      'It follows another draw, or means harm.',
      'Nothing to do: the statement has no place.',
    ],
    [
      'LANE_KNOWN',
      'A statement is known already.',
      'Gossip brings things twice.',
      'Nothing to do.',
    ],
    [
      'LANE_ABSTAINED',
      'A seat that abstained committed afterwards.',
      'A seat does one or the other.',
      'Nothing to do: the first one counts.',
    ],
    [
      'LANE_COMMITTED',
      'A seat that committed abstained afterwards.',
      'A seat does one or the other.',
      'Nothing to do: the first one counts.',
    ],
    [
      'LANE_COMMIT_LATE',
      'A commit came after the commits of its wave were closed.',
      'The seat was slow or cut off.',
      'Nothing to do: another wave draws more seats when they are needed.',
    ],
    [
      'LANE_EQUIVOCATED',
      'A seat that committed to two answers revealed one.',
      'Two commits exclude each other.',
      'Nothing to do: its answer does not count.',
    ],
    [
      'LANE_REVEAL_EARLY',
      'A reveal came before the commits were closed.',
      'An answer shown early could be copied.',
      'Nothing to do: it is taken once the block that closed them is final.',
    ],
    [
      'LANE_REVEAL_MISMATCH',
      'A reveal does not open the commit of its seat.',
      'The seat changed its answer.',
      'Nothing to do: its answer does not count.',
    ],
    [
      'LANE_VALUE_MISMATCH',
      'A reveal carries another value than it names, or more fuel than its items may use.',
      'The seat’s software is at fault, or it means harm.',
      'Nothing to do: its answer does not count.',
    ],
    [
      'LANE_OPENING_EARLY',
      'A late seat opened its items before they were picked.',
      'They are picked by a later block.',
      'Nothing to do: it opens them again.',
    ],
    [
      'LANE_OPENING_LATE',
      'A late seat opened its items after its wave was closed.',
      'It was slow or cut off.',
      'Nothing to do: its answer does not count.',
    ],
    [
      'LANE_OPENING_NEEDLESS',
      'A seat of the first wave opened items.',
      'Only later waves saw earlier answers and have to show their work.',
      'Nothing to do.',
    ],
    [
      'LANE_OPENING_WRONG',
      'A late seat’s opened items do not fit what it committed to.',
      'It did not do the work that it claims.',
      'Nothing to do: its answer does not count.',
    ],
    [
      'STATEMENT_JOB_UNKNOWN',
      'A statement is about a job that this chain does not have.',
      'The job is not ordered yet, or belongs to another fork.',
      'Nothing to do.',
    ],
    [
      'STATEMENT_JOB_NOT_RUNNING',
      'A statement is about a job that does not run.',
      'Its seats are not drawn yet, or it has ended.',
      'Nothing to do.',
    ],
    [
      'STATEMENT_SIGNATURE',
      'A statement’s signature is not its seat’s.',
      'It was forged or changed on the way.',
      'Nothing to do: it is rejected, and its sender loses its standing.',
    ],
  ]),
];
