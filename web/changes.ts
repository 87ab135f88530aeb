// SPDX-License-Identifier: Apache-2.0
/** Forms that change what is wanted. They are behind the token; it is forgotten when the tab is closed. */
import { checkAllowed, type EditView, edit, type PoolView, RefusedError } from './api.ts';
import { byId, element, keepList } from './dom.ts';

const storageKey = 'evenkeel-token';

export class Changes {
  private readonly unlockForm = byId('unlock', HTMLFormElement);
  private readonly token = byId('token', HTMLInputElement);
  private readonly lock = byId('lock', HTMLButtonElement);
  private readonly forms = byId('change-forms', HTMLFieldSetElement);
  private readonly addForm = byId('add', HTMLFormElement);
  private readonly weightForm = byId('weight', HTMLFormElement);
  private readonly drainForm = byId('drain', HTMLFormElement);
  private readonly selects = ['weight-backend', 'drain-backend'].map((id) => byId(id, HTMLSelectElement));
  private readonly result = byId('change-result', HTMLElement);
  private readonly onUnlocked: (isUnlocked: boolean) => void;
  private known = sessionStorage.getItem(storageKey) ?? undefined;
  private pool: string | undefined;

  /** @param onUnlocked  is told whenever changes become possible, or impossible */
  constructor(onUnlocked: (isUnlocked: boolean) => void) {
    this.onUnlocked = onUnlocked;
    listen(this.unlockForm, () => this.unlock(this.token.value.trim()));
    this.lock.addEventListener('click', () => this.forget('Changes are locked.'));
    listen(this.addForm, () => this.add());
    listen(this.weightForm, () => {
      const { backend, value } = valuesOf(this.weightForm);
      const weight = Number(value);
      return this.change(
        { kind: 'weight', vip: this.pool ?? '', backend: backend ?? '', weight },
        `weight ${weight} for ${backend}`,
      );
    });
    listen(this.drainForm, () => {
      const { backend = '', minutes } = valuesOf(this.drainForm);
      const deadlineMs = Number(minutes) * 60_000;
      return this.change(
        { kind: 'state', vip: this.pool ?? '', backend, state: 'draining', deadlineMs },
        `drain ${backend} in ${minutes} minutes at most`,
      );
    });
    // It was the right one in this tab before: only the controller's own no takes it away again.
    this.setUnlocked(this.known !== undefined);
    if (this.known !== undefined) void this.check(this.known);
  }

  show(pool: PoolView): void {
    this.pool = pool.name;
    for (const select of this.selects)
      keepList(
        select,
        pool.backends,
        ({ name }) => name,
        ({ name }) => element('option', { value: name }, name),
      );
  }

  async change(wanted: EditView, words: string): Promise<void> {
    try {
      const isChanged = await edit(wanted, this.known ?? '');
      this.tell(isChanged ? `Done: ${words}.` : `Nothing to do: ${words} is so already.`, 'good');
    } catch (error) {
      if (isUnauthorized(error)) this.forget(error.message);
      else this.tell(`Not done: ${(error as Error).message}.`, 'bad');
    }
  }

  private async add(): Promise<void> {
    const { name = '', address = '', port, weight, serverId = '' } = valuesOf(this.addForm);
    await this.change(
      {
        kind: 'add',
        vip: this.pool ?? '',
        backend: name,
        address,
        port: Number(port),
        weight: Number(weight),
        ...(serverId !== '' && { serverId }),
      },
      `add ${name}`,
    );
  }

  private async unlock(token: string): Promise<void> {
    this.known = token;
    if (!(await this.check(token))) return;
    sessionStorage.setItem(storageKey, token);
    this.token.value = '';
    this.setUnlocked(true);
  }

  /** @returns whether changes are possible with it; false, too, when they were locked meanwhile */
  private async check(token: string): Promise<boolean> {
    try {
      await checkAllowed(token);
    } catch (error) {
      if (isUnauthorized(error)) {
        this.forget(error.message);
        this.token.focus();
      } else this.tell(`The controller cannot be asked about the token: ${(error as Error).message}.`, 'bad');
      return false;
    }
    if (this.known !== token) return false;
    this.tell('Changes are possible until this tab is closed.', 'good');
    return true;
  }

  private forget(why: string): void {
    this.known = undefined;
    sessionStorage.removeItem(storageKey);
    this.setUnlocked(false);
    this.tell(why, 'bad');
  }

  private setUnlocked(isUnlocked: boolean): void {
    this.forms.disabled = !isUnlocked;
    this.unlockForm.hidden = isUnlocked;
    this.lock.hidden = !isUnlocked;
    this.onUnlocked(isUnlocked);
  }

  private tell(text: string, kind: 'good' | 'bad'): void {
    this.result.textContent = text;
    this.result.className = kind;
  }
}

function isUnauthorized(error: unknown): error is RefusedError {
  return error instanceof RefusedError && error.code === 'unauthorized';
}

function listen(form: HTMLFormElement, submitted: () => Promise<void>): void {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void submitted();
  });
}

function valuesOf(form: HTMLFormElement): Readonly<Record<string, string>> {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]));
}
