// Goal: no word of a stranger, such as a file's name or a compiler's message, steers the terminal.
// Method: escapes in all that goes to standard error, with and without colours of our own.
import { expect, test } from 'vitest';
import { openOutput } from '../../node/cli/output.ts';

const hostile = '\u001b]0;owned\u0007a\r\u009b2J\u202eb';
const told = (environment: Record<string, string>): string => {
  let text = '';
  const stderr = { write: (chunk: string | Uint8Array) => (text += chunk) };
  const stdout = { write: () => undefined };
  const options = { json: false, quiet: false, verbosity: 1, color: true };
  const output = openOutput({ stdout, stderr, environment, ...options });
  output.note(hostile);
  output.warn(hostile);
  output.detail(hostile);
  output.end(
    { code: 'CODE', message: hostile, hint: `${hostile}\n\ttwo`, retryable: false },
    false,
  );
  return text;
};

test('what steers a terminal is shown as a mark, line ends and tabs as they are', () => {
  const text = told({});
  expect(text).not.toMatch(/[^\P{Cc}\n\t]|\u202e/u);
  expect(text.match(/\ufffd\]0;owned\ufffda\ufffd\ufffd2J\ufffdb/g)).toHaveLength(5);
  expect(text).toContain('b\n\ttwo\n');
});

test('our own colours are still there', () => {
  const text = told({ FORCE_COLOR: '1' });
  expect(text).toContain('\u001b[31merror CODE\u001b[');
  expect(text).not.toContain('owned\u0007');
});
