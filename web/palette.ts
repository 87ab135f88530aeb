// SPDX-License-Identifier: Apache-2.0
/**
 * Which colour and which letters a backend has. Colours are those of Okabe and Ito, told apart by all kinds of eyes; there
 * are fewer of them than backends, so letters say the rest.
 */

const colours = [
  '#0072b2',
  '#e69f00',
  '#009e73',
  '#cc79a7',
  '#56b4e9',
  '#d55e00',
  '#f0e442',
  '#8a7fd1',
] as const;
/** Nobody. */
export const noColour = '#8c8c8c';

/** By id: a backend that comes later changes nobody's colour. */
export function colourOf(id: number): string {
  return colours[(id - 1) % colours.length] ?? noColour;
}

/** Black or white, whichever is easier to read on the colour. */
export function inkOn(colour: string): string {
  const [red, green, blue] = [1, 3, 5].map((at) =>
    linear(Number.parseInt(colour.slice(at, at + 2), 16) / 255),
  );
  const luminance = 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  return luminance > 0.179 ? '#000000' : '#ffffff';
}

/** A, B, ... Z, AA, AB, ... by id. */
export function lettersOf(id: number): string {
  let letters = '';
  for (let rest = id; rest > 0; rest = Math.floor((rest - 1) / 26))
    letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters;
  return letters;
}

function linear(channel: number): number {
  return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
}
