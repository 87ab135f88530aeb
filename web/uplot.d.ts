// SPDX-License-Identifier: Apache-2.0
/** The chart library as the controller serves it. */
export { default } from 'uplot';
