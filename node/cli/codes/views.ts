/** Explain the codes of a node’s state and of jobs that are not ordered. */
import { entries } from './entry.ts';

export const viewCodes = [
  ...entries(5, [
    [
      'JOB_AWAITS_ORDER',
      'The job is submitted, and no final block has ordered it yet.',
      'Leaders take jobs as they hear of them; the node announces it until then.',
      'Nothing to do: it is ordered by its time, or it never is.',
    ],
    [
      'JOB_CANCELLED',
      'The job was cancelled before a final block had ordered it.',
      'This node announces it no more; others may have heard of it already.',
      'Look again once its time is over: from then on nobody can order it.',
    ],
  ]),
  ...entries(6, [
    [
      'NODE_STARTING',
      'The node has just started and has not heard a quorum of seats yet.',
      'It takes some seconds until peers are connected.',
      'Nothing to do; look at its peers if this lasts.',
    ],
    [
      'NODE_BEHIND',
      'The node lacks blocks that the network has made final.',
      'It was down or cut off, and fetches them from its peers.',
      'Nothing to do: it catches up; what it shows until then is old.',
    ],
    [
      'NODE_STOPPED',
      'The node could not go on and has left its network.',
      'Its disk failed, or a bug of ours: the log has one line of the level fatal with the code.',
      'Mend what the log names, then start the node again: all that it acknowledged is on disk.',
    ],
    [
      'NODE_NO_PROGRESS',
      'A quorum of seats is heard, and yet nothing becomes final.',
      'Votes arrive too late or not at all: slow links, wrong clocks, or leaders that are down.',
      'Check this machine’s clock and its connections to peers.',
    ],
  ]),
];
