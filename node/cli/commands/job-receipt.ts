/** Keep the receipt of a job, audited on this machine. */
import { assuranceSentence } from '../../../protocol/receipt/assurance.ts';
import { defineCommand } from '../command.ts';
import { askNode, findJob, nodeOptions } from '../connect.ts';
import { usageError } from '../error.ts';
import { checkTarget, writeTarget } from '../target.ts';

export const jobReceipt = defineCommand({
  name: 'job receipt',
  summary: 'Keep the receipt of a job in a file: what anybody can verify offline.',
  examples: [['anwansi job receipt 1a2b3c4d --out job.receipt', 'Audited before it is written.']],
  arguments: { job: { kind: 'text', describe: 'Id of the job, or its first digits.' } },
  options: {
    ...nodeOptions,
    out: { kind: 'path', placeholder: 'FILE', describe: 'Where the receipt goes; must be given.' },
    trust: {
      kind: 'text',
      placeholder: 'FILE|dev',
      describe: 'Whom you believe; the trust file of the node itself unless given.',
    },
  },
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const { out } = values;
      const { output, signal } = context;
      if (out === undefined)
        throw usageError('a receipt needs a file to be kept in', 'Add --out FILE.');
      await checkTarget(out);
      const { auditRemote, checkVerified, trustWord } = await import('../remote-job.ts');
      const id = await findJob(client, values.job, signal);
      const audited = await auditRemote(client, id, values.trust, context);
      const { receipt, audit, trust } = audited;
      // Also what does not verify is kept: it is evidence.
      await writeTarget(out, receipt);
      checkVerified(audited, out);
      if (audit.assurance !== null) output.note(assuranceSentence(audit.assurance));
      const again = `anwansi verify ${out} --trust ${trustWord(trust, values.trust)}`;
      output.note(`check it offline: ${again}`);
      const document = {
        job: id,
        verdict: 'verified',
        receipt: { file: out, bytes: receipt.length },
      };
      output.result(document, `receipt ${out}`);
      return undefined;
    }),
});
