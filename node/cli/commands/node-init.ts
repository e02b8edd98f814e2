/** Make the keys and settings of a node. */
import { hex } from '../../../protocol/brand.ts';
import { defineCommand } from '../command.ts';
import { dataDirectory, dataDirOption } from '../data-dir.ts';

export const nodeInit = defineCommand({
  name: 'node init',
  summary: 'Make keys and settings for a node; what is there already is kept.',
  examples: [
    ['anwansi node init', 'In the usual folders of this system.'],
    ['anwansi node init --data-dir /data', 'All in one folder, as containers want it.'],
  ],
  options: { dataDir: dataDirOption },
  run: async (context, { dataDir }) => {
    const [{ operatorPaths }, keys, files, validator, { configTemplate }, { peerIdOf }] =
      await Promise.all([
        import('../../operator/paths.ts'),
        import('../../operator/keys.ts'),
        import('../../operator/files.ts'),
        import('../../operator/validator-file.ts'),
        import('../../operator/config.ts'),
        import('../../network/peer-id.ts'),
      ]);
    const paths = await operatorPaths(dataDirectory(context, dataDir));
    const done = await keys.makeKeys(paths);
    const seat = validator.seatOf(await keys.readKey(paths, paths.seatKey));
    const peerId = await peerIdOf(await keys.readKey(paths, paths.peerKey));
    await files.writeWhole(paths.validator, validator.formatValidator({ seat, peerId }));
    const fresh = await files.writeOnce(paths.config, configTemplate());
    const made = fresh ? [...done.made, paths.config] : done.made;
    const kept = fresh ? done.kept : [...done.kept, paths.config];

    const { output } = context;
    for (const file of kept) output.note(`kept ${file}`);
    for (const file of made) output.note(`made ${file}`);
    const publicKey = hex(seat.publicKey);
    output.result(
      { publicKey, peerId, validator: paths.validator, config: paths.config, made, kept },
      [
        `public key  ${publicKey}`,
        `peer id     ${peerId}`,
        `public part ${paths.validator}`,
        '',
        'Keep the folder keys/ to yourself, with a copy in a safe place.',
        'Send the public part to whoever makes the genesis; start with the genesis you get:',
        '  anwansi node start --genesis FILE',
      ].join('\n'),
    );
  },
});
