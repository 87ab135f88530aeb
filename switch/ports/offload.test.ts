// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { getOffloads, setOffloads } from './offload.ts';

describe.skipIf(process.platform !== 'linux')('the offloads of an interface', () => {
  it('can be read by anyone', () => {
    // The loopback of Linux leaves every checksum out.
    expect(getOffloads('lo')).toMatchObject({ 'transmit-checksum': true });
  });

  it('need an interface', () => {
    expect(() => getOffloads('no-such-device')).toThrow("'no-such-device': it does not exist");
    expect(() => setOffloads('a-name-that-is-too-long', false)).toThrow('cannot be the name of an interface');
    expect(() => setOffloads('', false)).toThrow('cannot be the name of an interface');
    expect(() => getOffloads('lo', 'no-such-namespace')).toThrow(
      "cannot enter network namespace 'no-such-namespace'",
    );
  });
});
