// The package, once it is needed: a page is painted before any of it is here.

export const handloom = () => import('./handloom.js' as string) as Promise<typeof import('../../src/index.js')>;
