/** Get the result of a job, audited on this machine. */
import { defineCommand } from '../command.ts';
import { askNode, findJob, nodeOptions } from '../connect.ts';
import { checkTarget, writeTarget } from '../target.ts';

export const jobResult = defineCommand({
  name: 'job result',
  summary: 'Get the result of a job: its receipt, audited and rendered on this machine.',
  examples: [
    ['anwansi job result 1a2b3c4d', 'The bytes of the result on standard output.'],
    [
      'anwansi job result 1a2b3c4d --out words.json --trust trust.json',
      'Into a file, and by a trust file of your own.',
    ],
  ],
  arguments: { job: { kind: 'text', describe: 'Id of the job, or its first digits.' } },
  options: {
    ...nodeOptions,
    out: {
      kind: 'path',
      placeholder: 'FILE',
      describe: 'Where the result goes, instead of stdout.',
    },
    trust: {
      kind: 'text',
      placeholder: 'FILE|dev',
      describe: 'Whom you believe; the trust file of the node itself unless given.',
    },
  },
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const { output, signal } = context;
      if (values.out !== undefined) await checkTarget(values.out);
      const { auditRemote, receiptBill, resultOf } = await import('../remote-job.ts');
      const id = await findJob(client, values.job, signal);
      const audited = await auditRemote(client, id, values.trust, context);
      const result = resultOf(audited);
      const out = values.out ?? null;
      if (out !== null) await writeTarget(out, result);
      const { resultDocument } = await import('../result-words.ts');
      const fuel = receiptBill(audited.audit);
      output.result(
        { job: id, result: resultDocument(result, out), fuel, verdict: 'verified' },
        out === null ? result : `result ${out}`,
      );
      return undefined;
    }),
});
