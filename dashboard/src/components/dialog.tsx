// Dialogs on the browser's own <dialog>: focus stays inside, Escape closes, focus returns where it was.

import { useEffect, useRef, useState } from "react";
import { ApiError, messageOf } from "../api/http";
import { Icon } from "./icons";
import { toast } from "./toasts";

export function Dialog({
  title,
  onClose,
  children,
  wide,
}: {
  title: string;
  onClose: () => void;
  children: React.ReactNode;
  wide?: boolean;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const dialog = ref.current!;
    dialog.showModal();
    // showModal focuses the first thing it finds, which is the button that closes.
    dialog.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    return () => {
      dialog.close();
      before?.focus?.();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      className={wide ? "wide" : ""}
      aria-label={title}
      onCancel={(e) => (e.preventDefault(), onClose())}
      onMouseDown={(e) => e.target === ref.current && onClose()}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <h2>{title}</h2>
          <button className="icon-button" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  children?: React.ReactNode;
  /** The word on the button that does it. */
  action: string;
  dangerous?: boolean;
  /** A word to type before the button works. */
  typeToConfirm?: string;
  /** False while what is entered in the dialog cannot be sent. */
  ready?: boolean;
  /** Does it; `force` after the API said that another deployment holds the lock. */
  run: (force: boolean) => Promise<unknown>;
  /** Said when it is done. */
  done: string;
  onClose: () => void;
  onDone?: () => void;
}

/** Asks, does, and shows what the API has against it; a lock can be overridden. */
export function ConfirmDialog(props: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [typed, setTyped] = useState("");
  const locked = error instanceof ApiError && error.isLocked;
  const allowed = !busy && (props.ready ?? true) && (!props.typeToConfirm || typed === props.typeToConfirm);

  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    if (!allowed) return;
    setBusy(true);
    try {
      await props.run(locked);
      toast(props.done);
      props.onClose();
      props.onDone?.();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };

  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form onSubmit={(e) => void submit(e)}>
        <div className="dialog-content">
          {props.children}
          {props.typeToConfirm && (
            <label className="field">
              <span>
                Type <code>{props.typeToConfirm}</code> to confirm
              </span>
              <input
                value={typed}
                onChange={(e) => setTyped(e.target.value)}
                data-autofocus
                spellCheck={false}
                autoComplete="off"
              />
            </label>
          )}
          {error !== null && (
            <div className="notice bad" role="alert">
              <Icon name="warning" />
              <div>
                {locked
                  ? "Another deployment is changing this service. Going on cancels that deployment."
                  : messageOf(error)}
                {error instanceof ApiError &&
                  error.fields.map((f) => (
                    <div key={f.path}>
                      <code>{f.path}</code> {f.errors.join("; ")}
                    </div>
                  ))}
              </div>
            </div>
          )}
        </div>
        <footer className="dialog-foot">
          <button type="button" className="button" onClick={props.onClose}>
            Cancel
          </button>
          <button
            type="submit"
            className={`button ${props.dangerous || locked ? "danger" : "primary"}`}
            disabled={!allowed}
            data-autofocus
          >
            {busy ? "Working…" : locked ? `${props.action} anyway` : props.action}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
