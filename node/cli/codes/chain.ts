/** Explain the codes of blocks, votes and certificates. */
import { entries } from './entry.ts';

export const chainCodes = [
  ...entries(null, [
    [
      'BLOCK_NOT_A_CHILD',
      'A block does not follow its parent.',
      'Its height, view, epoch or parent is wrong.',
      'Nothing to do: it gets no votes, and the next leader proposes.',
    ],
    [
      'BLOCK_TIME',
      'A block’s time is too close to its parent’s, or too far from it.',
      'Chain time moves by a least and a largest step.',
      'Nothing to do: it gets no votes, and the next leader proposes.',
    ],
    [
      'BLOCK_PROPOSER',
      'A block is not by the leader of its view.',
      'Each view has one leader.',
      'Nothing to do: it gets no votes, and the next leader proposes.',
    ],
    [
      'BLOCK_VRF',
      'A block’s proof of randomness is false.',
      'The leader cannot choose its randomness; this proof tries to.',
      'Nothing to do: it gets no votes, and the next leader proposes.',
    ],
    [
      'BLOCK_BEACON',
      'A block’s randomness does not follow from its parent’s and its proof.',
      'The header was made wrongly.',
      'Nothing to do: it gets no votes, and the next leader proposes.',
    ],
    [
      'BLOCK_ITEMS_ROOT',
      'A block’s items are not those that its header names.',
      'They were changed on the way, or the header was made wrongly.',
      'Nothing to do: it gets no votes, and the next leader proposes.',
    ],
    [
      'BLOCK_ITEM_MALFORMED',
      'A block carries an item that cannot be decoded.',
      'The leader did not check what it took.',
      'Nothing to do: it gets no votes, and the next leader proposes.',
    ],
    [
      'BLOCK_STATE_ROOT',
      'A block’s state is not what its items lead to.',
      'Leader and voter disagree about the rules: other versions, or a bug.',
      'Nothing to do: it gets no votes, and the next leader proposes.',
    ],
    [
      'BLOCK_TOO_MANY_JOBS',
      'A block orders more jobs than one may.',
      'Jobs of a block share one permutation.',
      'Nothing to do: it gets no votes, and the next leader proposes.',
    ],
    [
      'BLOCK_FULL',
      'An item did not fit into the block any more.',
      'Blocks have a limit in items and bytes.',
      'Nothing to do: it waits for the next block.',
    ],
    [
      'PROPOSAL_NOT_LEADER',
      'A proposal is by a seat that does not lead its view.',
      'Its sender runs other software, or means harm.',
      'Nothing to do: it is rejected.',
    ],
    [
      'PROPOSAL_SIGNATURE',
      'A proposal’s signature is not its leader’s.',
      'It was forged or changed on the way.',
      'Nothing to do: it is rejected.',
    ],
    [
      'PROPOSAL_BODY',
      'A proposal carries a body that is not the one of its header.',
      'The leader put it together wrongly, or somebody exchanged it on the way.',
      'Nothing to do: it is rejected.',
    ],
    [
      'VOTE_SUBJECT',
      'A vote is about nothing that can be voted on.',
      'Its sender runs other software, or means harm.',
      'Nothing to do: it is rejected.',
    ],
    [
      'VOTE_SIGNATURE',
      'A vote’s signature is not its seat’s.',
      'It was forged or changed on the way.',
      'Nothing to do: it is rejected.',
    ],
    [
      'EQUIVOCATION_SEAT',
      'Evidence names a seat that does not exist.',
      'Whoever accuses is wrong.',
      'Nothing to do: the evidence is rejected.',
    ],
    [
      'EQUIVOCATION_COMPATIBLE',
      'Evidence shows two votes that a seat may both give.',
      'Whoever accuses is wrong.',
      'Nothing to do: the evidence is rejected.',
    ],
    [
      'EQUIVOCATION_SIGNATURE',
      'Evidence shows a vote that its seat did not sign.',
      'Whoever accuses is wrong, or forged it.',
      'Nothing to do: the evidence is rejected.',
    ],
  ]),
  ...entries(4, [
    [
      'CERTIFICATE_EPOCH',
      'A certificate is of another epoch.',
      'It was taken from somewhere else.',
      'Believe nothing that rests on it.',
    ],
    [
      'CERTIFICATE_SUBJECT',
      'A certificate is about nothing that can be certified.',
      'It was made up or changed.',
      'Believe nothing that rests on it.',
    ],
    [
      'CERTIFICATE_COUNT',
      'A certificate does not have exactly a quorum of votes.',
      'It was made up or changed.',
      'Believe nothing that rests on it.',
    ],
    [
      'CERTIFICATE_ORDER',
      'A certificate’s seats are not distinct and ascending.',
      'It was made up or changed.',
      'Believe nothing that rests on it.',
    ],
    [
      'CERTIFICATE_SEAT',
      'A certificate names a seat that does not exist.',
      'It was made up or changed.',
      'Believe nothing that rests on it.',
    ],
    [
      'CERTIFICATE_SIGNATURE',
      'A certificate holds a vote that its seat did not sign.',
      'It was made up or changed.',
      'Believe nothing that rests on it.',
    ],
  ]),
];
