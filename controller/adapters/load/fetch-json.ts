// SPDX-License-Identifier: Apache-2.0
/** GET of a JSON document that is not too long. */

export const documentBytesMax = 4 * 1024 * 1024;

/** @throws Error in words for people */
export async function fetchJson(url: string, signal: AbortSignal): Promise<unknown> {
  try {
    return await document(url, signal);
  } catch (error) {
    const { name, message, cause } = error as Error;
    if (name === 'TimeoutError') throw new Error('no answer in time');
    throw new Error((cause as Error | undefined)?.message ?? message);
  }
}

async function document(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > documentBytesMax) throw new Error(`more than ${documentBytesMax} bytes`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('the answer is not JSON');
  }
}
