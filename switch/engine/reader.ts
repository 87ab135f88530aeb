// SPDX-License-Identifier: Apache-2.0
/** Typed access to unknown JSON. What is not as expected becomes a `Misfit` that says where. */

export class Misfit extends Error {
  constructor(place: string, what: string) {
    super(`${place}: ${what}`);
    this.name = 'Misfit';
  }
}

/** Longer numbers are refused: no field has so many bits. */
const hexBitsMax = 65_536;

const hexPattern = /^(-?)(?:0x)?([0-9a-f]+)$/i;

/** Longer names are refused. */
const nameLengthMax = 1024;

/** A value in a message is cut here. */
const shownLengthMax = 80;

export class Reader {
  readonly value: unknown;
  /** Where this stands in the JSON, as in `actions[3].primitives[0]`. */
  readonly place: string;

  constructor(value: unknown, place: string) {
    this.value = value;
    this.place = place;
  }

  /** The same value under a name a human knows. */
  called(name: string): Reader {
    return new Reader(this.value, `${this.place} (${name})`);
  }

  get(key: string): Reader {
    const place = this.place === '' ? key : `${this.place}.${key}`;
    return new Reader(this.own(key), place);
  }

  has(key: string): boolean {
    return this.own(key) !== undefined;
  }

  isNull(): boolean {
    return this.value === null || this.value === undefined;
  }

  isObject(): boolean {
    return typeof this.value === 'object' && this.value !== null && !Array.isArray(this.value);
  }

  keys(): string[] {
    return this.isObject() ? Object.keys(this.value as object) : [];
  }

  object(): Reader {
    if (!this.isObject()) this.misfit('an object');
    return this;
  }

  array(): Reader[] {
    if (!Array.isArray(this.value)) return this.misfit('an array');
    return this.value.map((item, index) => new Reader(item, `${this.place}[${index}]`));
  }

  /** A section that may be left out. */
  optionalArray(): Reader[] {
    return this.isNull() ? [] : this.array();
  }

  /** The items of an array of exactly this many. */
  tuple(count: number): Reader[] {
    const items = this.array();
    if (items.length !== count) this.misfit(`an array of ${count}`);
    return items;
  }

  string(): string {
    return typeof this.value === 'string' ? this.value : this.misfit('a string');
  }

  /** What something is called. Names become part of generated code, in comments, so not every text is one. */
  name(): string {
    const name = this.string();
    if (name.length > nameLengthMax) this.refuse(`a name of more than ${nameLengthMax} characters`);
    if (name.includes('*/') || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(name))
      this.refuse('a name with line breaks, control characters or "*/"');
    return name;
  }

  nullableString(): string | null {
    return this.isNull() ? null : this.string();
  }

  boolean(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.misfit('true or false');
  }

  /** A whole number within bounds. */
  integer(min = 0, max = 0xffffffff): number {
    const value = this.value;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      return this.misfit(`a whole number from ${min} to ${max}`);
    }
    return value;
  }

  /** "0x1f", "-0x1"; as in BMv2 the 0x may be left out. */
  hex(): bigint {
    const text = this.string();
    const match = hexPattern.exec(text);
    if (!match) return this.misfit('a hexadecimal string such as "0x1f"');
    if (text.length * 4 > hexBitsMax) this.refuse(`a number of more than ${hexBitsMax} bits`);
    const magnitude = BigInt(`0x${match[2]}`);
    return match[1] === '-' ? -magnitude : magnitude;
  }

  /** Bytes as many as a hexadecimal string has digits for. */
  hexBytes(): number {
    return Math.ceil((hexPattern.exec(this.string())?.[2]?.length ?? 0) / 2);
  }

  misfit(expected: string): never {
    throw new Misfit(this.place, `expected ${expected}, found ${this.shown()}`);
  }

  /** For what is well-formed but wrong or not supported. */
  refuse(what: string): never {
    throw new Misfit(this.place, what);
  }

  /** The value, cut short, for messages. */
  shown(): string {
    const { value } = this;
    if (value === undefined) return 'nothing';
    if (Array.isArray(value)) return `an array of ${value.length}`;
    if (typeof value === 'object' && value !== null) return 'an object';
    return typeof value === 'string'
      ? JSON.stringify(value.slice(0, shownLengthMax))
      : String(value).slice(0, shownLengthMax);
  }

  private own(key: string): unknown {
    return this.isObject() && Object.hasOwn(this.value as object, key)
      ? (this.value as Record<string, unknown>)[key]
      : undefined;
  }
}
