/** List every domain tag, once: no digest and no signature has two meanings. */

/** Purposes for which bytes are hashed. */
export type HashDomain =
  | 'genesis'
  | 'header'
  | 'job'
  | 'item'
  | 'account'
  | 'beacon'
  | 'beacon-input'
  | 'leader'
  | 'leader-seed'
  | 'draw'
  | 'draw-id'
  | 'noise'
  | 'noise-context'
  | 'salt'
  | 'tree-a'
  | 'tree-b-leaf'
  | 'tree-b-node'
  | 'work'
  | 'commit'
  | 'message'
  | 'opening'
  | 'seat-set'
  | 'state-key'
  | 'log'
  | 'dev'
  | 'vrf-possession';

/** Purposes for which a key signs. */
export type SignatureDomain =
  | 'job'
  | 'proposal'
  | 'vote-notar'
  | 'vote-skip'
  | 'vote-final'
  | 'commit'
  | 'abstain'
  | 'reveal'
  | 'opening';
