// Who is signed in, and whether the gateway asks for it. Without login nothing here ever happens.

import { Store } from "./store";

export interface User {
  uid: string;
  description: string;
}

export interface Session {
  /** `asked`: the gateway answered 401, so the login page stands in front of everything. */
  phase: "open" | "asked";
  user: User | null;
  /** Something was shown before the gateway asked: it stays as it is, and typed text with it, behind the login page. */
  expired: boolean;
  /** Counts the sign-ins: what failed for want of one is read again. */
  signIns: number;
  /** Changes when somebody else signs in: nothing of the one before may stay on the screen. */
  person: number;
}

const kInfoCookie = "dcos-acs-info-cookie";

/** The user that the readable cookie names (base64 of JSON), or null. */
export function userOfCookies(cookies: string): User | null {
  const pair = cookies
    .split(";")
    .map((c) => c.trim())
    .find((c) => c.startsWith(`${kInfoCookie}=`));
  if (!pair) return null;
  try {
    const value = decodeURIComponent(pair.slice(kInfoCookie.length + 1)).replace(/^"|"$/g, "");
    const bytes = Uint8Array.from(atob(value.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const info = JSON.parse(new TextDecoder().decode(bytes)) as { uid?: unknown; description?: unknown };
    if (typeof info.uid !== "string") return null;
    return { uid: info.uid, description: typeof info.description === "string" ? info.description : "" };
  } catch {
    return null;
  }
}

const cookies = () => (typeof document === "undefined" ? "" : document.cookie);

/** Takes the readable cookie away; the one that counts is the gateway's and no script sees it. */
function forgetCookie(): void {
  if (typeof document !== "undefined") document.cookie = `${kInfoCookie}=; path=/; max-age=0`;
}

export const session = new Store<Session>({
  phase: "open",
  user: userOfCookies(cookies()),
  expired: false,
  signIns: 0,
  person: 0,
});

let answered = false;
let lastUid: string | null = null;

/** The gateway let a request pass. */
export function noteAnswer(): void {
  answered = true;
}

/** The gateway wants a login. */
export function noteUnauthorized(): void {
  const before = session.get();
  if (before.phase === "asked") return;
  lastUid = before.user?.uid ?? null;
  forgetCookie();
  session.set({ ...before, phase: "asked", user: null, expired: answered });
}

/** Signed in, here or in another tab of this browser. */
export function noteSignedIn(uid: string): void {
  const before = session.get();
  const user = userOfCookies(cookies()) ?? { uid, description: "" };
  const same = before.expired && (lastUid === null || lastUid === user.uid);
  session.set({
    phase: "open",
    user,
    expired: false,
    signIns: before.signIns + 1,
    person: same ? before.person : before.person + 1,
  });
}

/** Signed out on purpose: nothing stays behind the login page. */
export function noteSignedOut(): void {
  forgetCookie();
  answered = false;
  lastUid = null;
  session.update((s) => ({ ...s, phase: "asked", user: null, expired: false, person: s.person + 1 }));
}

/** A sign-in in another tab is good for this one too. */
export function lookForSignIn(): void {
  if (session.get().phase !== "asked") return;
  const user = userOfCookies(cookies());
  if (user) noteSignedIn(user.uid);
}
