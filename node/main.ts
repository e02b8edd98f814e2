/** Run the command that the words name; exit with its code. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dataGet } from './cli/commands/data-get.ts';
import { dataPut } from './cli/commands/data-put.ts';
import { demo } from './cli/commands/demo.ts';
import { dev } from './cli/commands/dev.ts';
import { explain } from './cli/commands/explain.ts';
import { genesisNew } from './cli/commands/genesis-new.ts';
import { jobCancel } from './cli/commands/job-cancel.ts';
import { jobList } from './cli/commands/job-list.ts';
import { jobReceipt } from './cli/commands/job-receipt.ts';
import { jobResult } from './cli/commands/job-result.ts';
import { jobShow } from './cli/commands/job-show.ts';
import { jobWatch } from './cli/commands/job-watch.ts';
import { nodeDoctor } from './cli/commands/node-doctor.ts';
import { nodeDuties } from './cli/commands/node-duties.ts';
import { nodeInit } from './cli/commands/node-init.ts';
import { nodePeers } from './cli/commands/node-peers.ts';
import { nodeStart } from './cli/commands/node-start.ts';
import { nodeStatus } from './cli/commands/node-status.ts';
import { programBench } from './cli/commands/program-bench.ts';
import { programBuild } from './cli/commands/program-build.ts';
import { programCheck } from './cli/commands/program-check.ts';
import { programNew } from './cli/commands/program-new.ts';
import { programTest } from './cli/commands/program-test.ts';
import { quote } from './cli/commands/quote.ts';
import { run } from './cli/commands/run.ts';
import { stateGet } from './cli/commands/state-get.ts';
import { verify } from './cli/commands/verify.ts';
import { runCommandLine } from './cli/frame.ts';
import { flushed, processSurroundings } from './cli/surroundings.ts';

/** All commands, in the order of the help. A command loads what is heavy when it runs. */
const commands = [
  run,
  jobList,
  jobShow,
  jobWatch,
  jobResult,
  jobReceipt,
  jobCancel,
  dataPut,
  dataGet,
  stateGet,
  verify,
  quote,
  explain,
  demo,
  dev,
  programNew,
  programBuild,
  programCheck,
  programTest,
  programBench,
  nodeInit,
  nodeStart,
  genesisNew,
  nodeStatus,
  nodePeers,
  nodeDuties,
  nodeDoctor,
];

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

const exitCode = await runCommandLine(
  process.argv.slice(2),
  { version, summary: 'Computations that are checked, not believed.', commands },
  processSurroundings(root),
);
await flushed();
// Not `process.exitCode`: a timer or socket that is left must not keep a finished command.
process.exit(exitCode);
