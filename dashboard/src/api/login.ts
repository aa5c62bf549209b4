// Signing in and out, by the gateway's own users.

import { request } from "./http";
import { noteSignedIn, noteSignedOut } from "./session";

const kBase = "/acs/api/v1/auth";

/** Throws ApiError 401 with the gateway's words when the name or the password is wrong. */
export async function signIn(uid: string, password: string): Promise<void> {
  await request<{ token: string }>(`${kBase}/login`, { method: "POST", body: { uid, password } });
  noteSignedIn(uid);
}

export async function signOut(): Promise<void> {
  try {
    await request<unknown>(`${kBase}/logout`);
  } finally {
    noteSignedOut();
  }
}
