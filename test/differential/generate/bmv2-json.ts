// SPDX-License-Identifier: Apache-2.0
/** What the generators look at in a BMv2 JSON, as p4c writes it. Everything else in it is left alone. */

export interface Bmv2Json {
  readonly header_types: readonly {
    readonly name: string;
    readonly fields: readonly (readonly [name: string, width: number | '*', signed?: boolean])[];
  }[];
  readonly headers: readonly {
    readonly name: string;
    readonly header_type: string;
    readonly metadata: boolean;
  }[];
  readonly header_stacks: readonly {
    readonly name: string;
    readonly header_type: string;
    readonly size: number;
  }[];
  readonly parsers: readonly { readonly init_state: string; readonly parse_states: readonly ParseState[] }[];
  readonly pipelines: readonly { readonly tables: readonly JsonTable[] }[];
}

export interface ParseState {
  readonly name: string;
  readonly parser_ops: readonly { readonly op: string; readonly parameters: readonly Operand[] }[];
  readonly transition_key: readonly Operand[];
  readonly transitions: readonly {
    readonly type: 'hexstr' | 'default' | 'parse_vset';
    readonly value: string | null;
    readonly mask: string | null;
    readonly next_state: string | null;
  }[];
}

export interface Operand {
  readonly type?: string;
  readonly value?: unknown;
  readonly op?: string;
  readonly left?: Operand | null;
  readonly right?: Operand | null;
}

export interface JsonTable {
  readonly name: string;
  readonly key: readonly {
    readonly match_type: string;
    readonly target: readonly [header: string, field: string];
  }[];
  readonly entries?: readonly {
    readonly match_key: readonly {
      readonly key?: string;
      readonly mask?: string;
      readonly start?: string;
      readonly end?: string;
      readonly prefix_length?: number;
    }[];
  }[];
}
