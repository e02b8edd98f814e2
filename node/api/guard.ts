/** Let in who may ask: known names, no foreign pages, and the token where there is one. */
import { hash, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { ApiError } from './error.ts';

/** Characters of a token: fewer could be guessed, and no secret needs more. */
const tokenLengthMin = 32;
const tokenLengthMax = 512;

const loopbackHost = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/;

export type GuardOptions = {
  readonly token: string | null;
  readonly allowedHosts: readonly string[];
};

/** Whether an address to bind to cannot be reached from another machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * A check of each request, before anything else is done for it. @throws ApiError
 *
 * The name check stops pages that rebind a name of theirs to this machine; the origin checks stop
 * pages that send requests whose answers they may not read. There are no cookies and no CORS
 * headers, so nothing else lets a page of a stranger in.
 */
export function guard({ token, allowedHosts }: GuardOptions): (request: Request) => void {
  const allowed = new Set(allowedHosts.map((host) => host.toLowerCase()));
  const secret = token === null ? null : digest(token);
  const known = (host: string): boolean =>
    loopbackHost.test(host) || allowed.has(host) || allowed.has(host.replace(/:\d{1,5}$/, ''));
  return ({ url, headers }) => {
    const asked = new URL(url).host;
    const host = (headers.get('host') ?? asked).toLowerCase();
    // A request line may name a host of its own: then both must be ours.
    if (!known(host) || !known(asked)) throw new ApiError({ code: 'API_HOST_REFUSED', host });
    refuseForeignPages(headers, host);
    if (secret === null) return;
    const given = /^Bearer ([!-~]{1,512})$/i.exec(headers.get('authorization') ?? '')?.[1] ?? '';
    if (!timingSafeEqual(digest(given), secret)) throw new ApiError({ code: 'API_UNAUTHORIZED' });
  };
}

function refuseForeignPages(headers: Headers, host: string): void {
  const origin = headers.get('origin');
  if (origin !== null && origin !== `http://${host}` && origin !== `https://${host}`)
    throw new ApiError({ code: 'API_ORIGIN_REFUSED', origin });
  // Browsers send no origin with an image or a link; they say where it stands.
  const site = headers.get('sec-fetch-site');
  if (site !== null && site !== 'same-origin' && site !== 'none')
    throw new ApiError({ code: 'API_ORIGIN_REFUSED', origin: site });
}

/** Equal lengths, so that the comparison takes the same time for every guess. */
function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

/** Reads a token that only its owner can read. @throws ApiError API_TOKEN_FILE */
export async function readTokenFile(path: string): Promise<string> {
  const refuse = (reason: string, cause?: unknown): never => {
    throw new ApiError({ code: 'API_TOKEN_FILE', path, reason }, { cause });
  };
  const found = await stat(path).catch((cause: unknown) => refuse('it cannot be read', cause));
  if (!found.isFile() || found.size > 2 * tokenLengthMax) refuse('it is not a short file');
  if (process.platform !== 'win32' && (found.mode & 0o077) !== 0)
    refuse(`others may read it: run "chmod 600 ${path}"`);
  const text = await readFile(path, 'utf8').catch((cause: unknown) =>
    refuse('it cannot be read', cause),
  );
  const token = text.trim();
  if (!new RegExp(`^[!-~]{${tokenLengthMin},${tokenLengthMax}}$`).test(token))
    refuse(`expected one word of ${tokenLengthMin} to ${tokenLengthMax} printable characters`);
  return token;
}
