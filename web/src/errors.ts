// One error type. `code` is what a program switches on, `message` one sentence for a person.

export type ErrorCode =
  | 'invalid_argument' // an option or a call that cannot be meant
  | 'not_found' // a file, tensor or adapter that is not there
  | 'io' // the network or the storage failed
  | 'bad_format' // a file whose bytes contradict its format or another file
  | 'unsupported' // well-formed, but something handloom does not do here
  | 'out_of_memory' // does not fit: the message says what would
  | 'gpu' // the GPU or its driver refused something
  | 'device_lost' // the GPU went away
  | 'aborted' // as asked, by abort() or a signal
  | 'internal'; // a mistake of handloom's own

export class HandloomError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'HandloomError';
    this.code = code;
  }
}

export const disposed = () => new HandloomError('aborted', 'model: was disposed');
export const aborted = (where: string) => new HandloomError('aborted', `${where}: was aborted`);

/** Throws if the signal says so. */
export function checkSignal(signal: AbortSignal | undefined, where: string): void {
  if (signal?.aborted) throw aborted(where);
}

/** Whatever was thrown, as one of ours. */
export function asHandloomError(thrown: unknown, where: string): HandloomError {
  if (thrown instanceof HandloomError) return thrown;
  if (thrown instanceof Error && thrown.name === 'AbortError') return aborted(where);
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new HandloomError('internal', `${where}: ${text}`);
}
