// One way to ask the gateway: typed JSON, errors as ApiError with what the API said about each field.

/** One violated rule of a request: where, and what is wrong there. */
export interface FieldError {
  path: string;
  errors: string[];
}

/** An answer that is not a success, or no answer at all (`status` 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly fields: FieldError[] = [],
    /** Ids of the deployments that hold a lock (409). */
    readonly deployments: string[] = [],
  ) {
    super(message);
  }

  get isLocked(): boolean {
    return this.status === 409 && this.deployments.length > 0;
  }
}

/** The address of a gateway path. */
export function gatewayUrl(path: string): string {
  return new URL(path, location.origin).toString();
}

function readFields(details: unknown): FieldError[] {
  if (!Array.isArray(details)) return [];
  return details.flatMap((entry: unknown) => {
    const { path, errors } = (entry ?? {}) as { path?: unknown; errors?: unknown };
    if (typeof path !== "string") return [];
    return [{ path, errors: Array.isArray(errors) ? errors.map(String) : [] }];
  });
}

/** Turns an error answer into an ApiError, whether it is JSON, text or a page. */
export function errorFromBody(status: number, text: string, contentType: string): ApiError {
  if (contentType.includes("json")) {
    try {
      const body = JSON.parse(text) as {
        message?: unknown;
        details?: unknown;
        deployments?: { id: string }[];
      };
      let message = typeof body.message === "string" ? body.message : `The API answered ${status}`;
      if (typeof body.details === "string") message += `: ${body.details}`;
      const locks = Array.isArray(body.deployments) ? body.deployments.map((d) => String(d.id)) : [];
      return new ApiError(status, message, readFields(body.details), locks);
    } catch {
      // Not JSON after all: fall through to the text.
    }
  }
  const plain = contentType.includes("html") ? "" : text.trim().slice(0, 300);
  if (status === 401) return new ApiError(status, "Not signed in: the gateway asks for a login.");
  if (status === 403) return new ApiError(status, plain || "Not permitted.");
  return new ApiError(status, plain || `The gateway answered ${status}.`);
}

export interface RequestOptions {
  method?: string;
  body?: unknown;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** Sends a request and returns the successful response, its body not yet read. Throws ApiError. */
export async function send(path: string, options: RequestOptions = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  const init: RequestInit = {
    method: options.method ?? "GET",
    headers,
    credentials: "same-origin",
    cache: "no-store",
  };
  if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(options.body);
  }
  if (options.signal) init.signal = options.signal;
  let response: Response;
  try {
    response = await fetch(gatewayUrl(path), init);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "The gateway cannot be reached.");
  }
  if (!response.ok) {
    throw errorFromBody(response.status, await response.text(), response.headers.get("content-type") ?? "");
  }
  return response;
}

/** Sends a request and decodes its JSON answer; an empty answer is `undefined`. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const text = await (await send(path, options)).text();
  if (text === "") return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ApiError(0, `${path} did not answer with JSON.`);
  }
}

/** What to show a person for anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
