// Stands in front of everything while the gateway asks who one is. What was on the screen stays behind it.

import { useEffect, useRef, useState } from "react";
import { messageOf } from "../api/http";
import { cluster } from "../api/live";
import { signIn } from "../api/login";
import { session } from "../api/session";
import { useStore } from "../api/store";
import { Brand } from "../components/brand";
import { Icon } from "../components/icons";

export function Login() {
  const ref = useRef<HTMLDialogElement>(null);
  const { expired } = useStore(session);
  const { name } = useStore(cluster);
  const [uid, setUid] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  // The browser's own dialog lies above any other that is open, and keeps the keyboard from what is behind it.
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const dialog = ref.current!;
    dialog.showModal();
    dialog.querySelector<HTMLElement>("input")?.focus();
    return () => {
      dialog.close();
      before?.focus?.();
    };
  }, []);

  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      await signIn(uid.trim(), password);
    } catch (e) {
      setError(e);
      setBusy(false);
      setPassword("");
      ref.current?.querySelector<HTMLElement>("[name=password]")?.focus();
    }
  };

  return (
    <dialog ref={ref} className="login" aria-label="Sign in" onCancel={(e) => e.preventDefault()} data-login>
      <form className="login-card" onSubmit={(e) => void submit(e)}>
        <Brand size={36} />
        <h1>Sign in{name && ` to ${name}`}</h1>
        <p className="dim">
          {expired
            ? "Your session has ended. Sign in to go on where you were; what you typed is still there."
            : "This cluster asks who you are."}
        </p>
        {error !== null && (
          <div className="notice bad" role="alert" data-login-error>
            <Icon name="warning" />
            <div>{messageOf(error)}</div>
          </div>
        )}
        <label className="field">
          <span>User</span>
          <input
            name="uid"
            autoComplete="username"
            autoCapitalize="off"
            spellCheck={false}
            required
            value={uid}
            onChange={(e) => setUid(e.target.value)}
          />
        </label>
        <label className="field">
          <span>Password</span>
          <input
            name="password"
            type="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(e) => setPassword(e.target.value)}
          />
        </label>
        <button type="submit" className="button primary" disabled={busy || !uid.trim() || !password}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
      </form>
    </dialog>
  );
}
