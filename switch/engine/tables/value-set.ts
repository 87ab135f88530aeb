// SPDX-License-Identifier: Apache-2.0
/** The members of a parser value set, and how the selects that name it see them. */

/** More members are refused; BMv2 has no limit, and looks at the size of the declaration never. */
export const valueSetMembersMax = 65_536;

export class ValueSetState {
  private readonly name: string;
  private readonly width: number;
  private members: readonly bigint[] = [];
  private readonly views: ValueSetView[] = [];

  constructor(name: string, width: number) {
    this.name = name;
    this.width = width;
  }

  /**
   * @param members  numbers of the set's width: the components of the select side by side
   * @throws RangeError when there are too many, or one does not fit
   */
  replace(members: readonly bigint[]): void {
    if (members.length > valueSetMembersMax)
      throw new RangeError(`${this.name}: ${members.length} members, at most ${valueSetMembersMax} are kept`);
    const misfit = members.find((member) => member < 0n || member >> BigInt(this.width) !== 0n);
    if (misfit !== undefined)
      throw new RangeError(`${this.name}: ${misfit} does not fit into ${this.width} bits`);
    this.members = members;
    for (const view of this.views) view.fill(members);
  }

  /**
   * Whether a member matches, by asking every one.
   *
   * @param key  one number per component
   */
  contains(key: readonly bigint[], widths: readonly number[], masks: readonly bigint[]): boolean {
    return this.members.some((member) =>
      componentsOf(member, widths).every(
        (component, index) => ((component ^ key[index]!) & masks[index]!) === 0n,
      ),
    );
  }

  /** @param widths  bits of each component of the select; together those of the set */
  view(widths: readonly number[], masks: readonly bigint[]): ValueSetView {
    const view = new ValueSetView(widths, masks);
    view.fill(this.members);
    this.views.push(view);
    return view;
  }
}

export class ValueSetView {
  private readonly widths: readonly number[];
  private readonly masks: readonly bigint[];
  /** Masks as the words of the key are, least significant word of a component first. */
  private readonly wordMasks: readonly number[];
  private readonly keys = new Set<string>();

  constructor(widths: readonly number[], masks: readonly bigint[]) {
    this.widths = widths;
    this.masks = masks;
    this.wordMasks = widths.flatMap((width, index) => wordsOf(masks[index]!, width));
  }

  fill(members: readonly bigint[]): void {
    this.keys.clear();
    for (const member of members) {
      const words = componentsOf(member, this.widths).flatMap((component, index) =>
        wordsOf(component & this.masks[index]!, this.widths[index]!),
      );
      this.keys.add(words.join());
    }
  }

  /** @param key  the words of all components, each an unsigned number */
  has(...key: readonly number[]): boolean {
    if (this.keys.size === 0) return false;
    return this.keys.has(key.map((word, index) => (word & this.wordMasks[index]!) >>> 0).join());
  }
}

/** A member taken apart: the first component stands highest. */
function componentsOf(member: bigint, widths: readonly number[]): bigint[] {
  const components: bigint[] = [];
  let rest = member;
  for (const width of widths.toReversed()) {
    components.unshift(BigInt.asUintN(width, rest));
    rest >>= BigInt(width);
  }
  return components;
}

function wordsOf(value: bigint, width: number): number[] {
  return Array.from({ length: Math.ceil(width / 32) }, (_, index) =>
    Number(BigInt.asUintN(32, value >> BigInt(32 * index))),
  );
}
