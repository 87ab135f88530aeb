// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonMistake, parsePlacedJson } from './json-places.ts';

describe('JSON with places', () => {
  it('is what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(parsePlacedJson(text).value).toEqual(JSON.parse(text));
      }),
    );
  });

  it('accepts nothing that JSON.parse refuses', () => {
    const damaged = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '}', '"', ':', 'x', '\n', '['))
      .map(
        ([text, at, put]) =>
          text.slice(0, at % (text.length + 1)) + put + text.slice((at % (text.length + 1)) + 1),
      );
    fc.assert(
      fc.property(damaged, (text) => {
        try {
          JSON.parse(text);
        } catch {
          expect(() => parsePlacedJson(text)).toThrow(JsonMistake);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('knows where each value begins', () => {
    const text = '{ "a": [1, {"b": "x"}], "c": null }';
    const places = [...parsePlacedJson(text).places].map(([path, at]) => [path, text.slice(at, at + 4)]);
    expect(Object.fromEntries(places)).toEqual({
      '': '{ "a',
      a: '[1, ',
      'a[0]': '1, {',
      'a[1]': '{"b"',
      'a[1].b': '"x"}',
      c: 'null',
    });
  });
});
