/** A request that failed, told as RFC 9457 problem details tell it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly requestId: string | null,
  ) {
    super(`${title}: ${detail}`)
    this.name = 'ApiError'
  }
}

type Fields = Record<string, unknown>

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

/** Reads a failed response's body, whatever it turned out to be. */
export function fromResponse(response: Response, body: unknown): ApiError {
  const fields: Fields = typeof body === 'object' && body !== null ? (body as Fields) : {}
  return new ApiError(
    response.status,
    text(fields.title) ?? (response.statusText || `HTTP ${response.status}`),
    text(fields.detail) ?? 'The server gave no further explanation.',
    text(fields.request_id) ?? response.headers.get('x-request-id'),
  )
}

/** What to tell a person about anything that was thrown. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  return new ApiError(0, 'No answer', 'The CLM server did not answer. Is `clm up` still running?', null)
}
