// SPDX-License-Identifier: Apache-2.0
/** The dashboard's files. They are looked up by name among those that were there at the start: there is no path to climb. */
import { Hono } from 'hono';
import { etag } from 'hono/etag';

export interface PageFile {
  type: string;
  body: Uint8Array<ArrayBuffer>;
}

/** By name; index.html is the dashboard itself. */
export type PageFiles = ReadonlyMap<string, PageFile>;

const notBuilt = 'The dashboard is not part of this installation. In a clone, npm run build makes it.\n';

export function pages(files: PageFiles): Hono {
  const app = new Hono();
  app.use(etag());
  const send = (name: string): Response | undefined => {
    const file = files.get(name);
    return (
      file && new Response(file.body, { headers: { 'content-type': file.type, 'cache-control': 'no-cache' } })
    );
  };
  app.get('/', (context) => send('index.html') ?? context.text(notBuilt, 404));
  app.get('/assets/:name', (context) => send(context.req.param('name')) ?? context.notFound());
  return app;
}
