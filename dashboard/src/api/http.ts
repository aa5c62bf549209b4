// One way to ask the gateway: typed JSON, errors as ApiError with what the API said about each field.

import { noteAnswer, noteUnauthorized } from "./session";

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
    /** The name of the error, where the API gives errors names. */
    readonly kind = "",
  ) {
    super(message);
  }

  /** The gateway has nothing at this place: that part of the system does not run in this cluster. */
  get isAbsent(): boolean {
    return this.status === 404 || (this.status === 501 && this.kind === "");
  }

  get isLocked(): boolean {
    return this.status === 409 && this.deployments.length > 0;
  }
}

/** The address of a gateway path. */
export function gatewayUrl(path: string): string {
  return new URL(path, location.origin).toString();
}

/** The violations of a JSON schema, as the package service reports them. */
function readViolations(data: unknown): FieldError[] {
  const errors = (data as { errors?: unknown } | null | undefined)?.errors;
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((entry: unknown) => {
    const { instance, message, missing, unwanted } = (entry ?? {}) as {
      instance?: { pointer?: unknown } | string;
      message?: unknown;
      missing?: unknown;
      unwanted?: unknown;
    };
    const pointer = typeof instance === "string" ? instance : String(instance?.pointer ?? "");
    const text = String(message ?? "is not valid");
    const names = Array.isArray(missing) ? missing : Array.isArray(unwanted) ? unwanted : [];
    if (names.length === 0) return [{ path: pointer, errors: [text] }];
    return names.map((name) => ({
      path: `${pointer}/${String(name).replace(/~/g, "~0").replace(/\//g, "~1")}`,
      errors: [Array.isArray(missing) ? "is required" : "is not known to the package"],
    }));
  });
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
        description?: unknown;
        type?: unknown;
        data?: unknown;
        details?: unknown;
        deployments?: { id: string }[];
      };
      const said = body.message ?? body.description;
      let message = typeof said === "string" ? said : `The API answered ${status}`;
      if (typeof body.details === "string") message += `: ${body.details}`;
      const locks = Array.isArray(body.deployments) ? body.deployments.map((d) => String(d.id)) : [];
      const kind = typeof body.type === "string" ? body.type : "";
      return new ApiError(
        status,
        message,
        [...readFields(body.details), ...readViolations(body.data)],
        locks,
        kind,
      );
    } catch {
      // Not JSON after all: fall through to the text.
    }
  }
  const plain = contentType.includes("html") ? "" : text.trim().slice(0, 300);
  if (status === 401) return new ApiError(status, "You are not signed in any more. Sign in and try again.");
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
  const headers: Record<string, string> = { Accept: "application/json" };
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
  Object.assign(headers, options.headers);
  if (options.signal) init.signal = options.signal;
  let response: Response;
  try {
    response = await fetch(gatewayUrl(path), init);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "The gateway cannot be reached.");
  }
  // A login that fails says so itself; a service that asks by HTTP Basic asks the browser.
  const basic = /^basic/i.test(response.headers.get("www-authenticate") ?? "");
  if (response.status === 401 && !path.startsWith("/acs/api/v1/auth/login") && !basic) noteUnauthorized();
  if (!response.ok) {
    throw errorFromBody(response.status, await response.text(), response.headers.get("content-type") ?? "");
  }
  if (!path.startsWith("/acs/") && !path.startsWith("/dcos-metadata/")) noteAnswer();
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
