// A page of its own on a server of the tests, with the package in it and nothing else.

/** A blank page; `newPage` makes further ones with the same storage. */
export async function openPage(browser, server) {
  const context = await browser.newContext();
  const newPage = async () => {
    const page = await context.newPage();
    await page.goto(`${server.url}blank.html`);
    page.setDefaultTimeout(300_000);
    return page;
  };
  return { page: await newPage(), newPage };
}

/**
 * Loads what is at `source`, asks it for the capital of France, and answers with { text, notices, stages },
 * or with the error as { name, code, message, notices }. `abortAfter`: bytes of weights.
 */
export function ask(page, source, options = {}) {
  return page.evaluate(
    async ([from, { abortAfter, ...loadOptions }]) => {
      const { loadModel } = await import('/handloom.js');
      const abort = new AbortController();
      const notices = [], stages = new Set();
      const onProgress = ({ doneBytes, notice, stage }) => {
        if (notice) notices.push(notice);
        stages.add(stage);
        if (doneBytes > abortAfter) abort.abort();
      };
      try {
        const model = await loadModel(from, { ...loadOptions, onProgress, signal: abort.signal });
        const session = await model.createSession();
        const messages = [{ role: 'user', content: 'What is the capital of France? Answer in one word.' }];
        const { text } = await session.generate(messages, { temperature: 0 }).result;
        const { info } = model;
        await model.dispose();
        return { text, info, notices, stages: [...stages] };
      } catch ({ name, code, message }) {
        return { name, code, message, notices };
      }
    },
    [source, options],
  );
}
