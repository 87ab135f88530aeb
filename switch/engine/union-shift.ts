// SPDX-License-Identifier: Apache-2.0
/**
 * What push and pop do to a stack of unions in BMv2: elements trade places two by two, and none becomes invalid. What
 * P4 says would be lost comes back at the other end.
 *
 * Source: behavioral-model src/bm_sim/stacks.cpp (StackP4_16) with header_unions.h, where a union cannot be invalidated
 * as a whole.
 */

/** @param by  positive: push, negative: pop. @returns per place the former place of the element that stands there then */
export function orderAfterShift(by: number, size: number): number[] {
  const order = Array.from({ length: size }, (_, place) => place);
  const trade = (one: number, other: number) => {
    [order[one], order[other]] = [order[other]!, order[one]!];
  };
  if (by > 0) for (let place = size - 1; place >= by; place--) trade(place, place - by);
  else if (by < 0) for (let place = 0; place < size + by; place++) trade(place, place - by);
  return order;
}
