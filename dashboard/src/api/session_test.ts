import { expect, test } from "vitest";
import { noteAnswer, noteSignedIn, noteSignedOut, noteUnauthorized, session, userOfCookies } from "./session";

const cookie = (info: object) => btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(info))));

test("the readable cookie names the user, in any form that a server may write it", () => {
  const user = { uid: "jörg@example.org", description: "Jörg" };
  const plain = cookie({ ...user, is_remote: false });
  expect(userOfCookies(`a=b; dcos-acs-info-cookie=${plain}; c=d`)).toEqual(user);
  expect(userOfCookies(`dcos-acs-info-cookie="${plain}"`)).toEqual(user);
  expect(userOfCookies(`dcos-acs-info-cookie=${encodeURIComponent(plain)}`)).toEqual(user);
});

test("a cookie that is none names nobody", () => {
  expect(userOfCookies("")).toBeNull();
  expect(userOfCookies("dcos-acs-info-cookie=")).toBeNull();
  expect(userOfCookies("dcos-acs-info-cookie=%%%")).toBeNull();
  expect(userOfCookies(`dcos-acs-info-cookie=${cookie({ description: "x" })}`)).toBeNull();
});

test("a session that ends keeps the page for the same person and not for another", () => {
  noteSignedIn("alice");
  noteAnswer();
  noteUnauthorized();
  expect(session.get()).toMatchObject({ phase: "asked", expired: true, user: null });
  const person = session.get().person;
  noteSignedIn("alice");
  expect(session.get()).toMatchObject({ phase: "open", person, user: { uid: "alice" } });
  noteUnauthorized();
  noteSignedIn("bob");
  expect(session.get().person).toBe(person + 1);
});

test("signing out leaves nothing behind the login page", () => {
  noteSignedIn("alice");
  noteAnswer();
  const { person } = session.get();
  noteSignedOut();
  expect(session.get()).toMatchObject({ phase: "asked", expired: false, user: null });
  noteSignedIn("alice");
  expect(session.get().person).toBeGreaterThan(person);
});
