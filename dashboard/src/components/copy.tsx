// A text that a person wants to have elsewhere, with a button that puts it there.

import { Fragment } from "react";
import { Icon } from "./icons";
import { toast } from "./toasts";

export function Copyable({ text }: { text: string }) {
  const copy = () =>
    navigator.clipboard
      ? void navigator.clipboard.writeText(text).then(
          () => toast("Copied"),
          () => toast("The browser does not allow copying"),
        )
      : toast("The browser copies only on https pages; select the text instead");
  return (
    <span className="copyable">
      <code className="wrap-any">
        {text.split(/(?<=\.)/).map((part, i) => (
          <Fragment key={i}>
            {part}
            <wbr />
          </Fragment>
        ))}
      </code>
      <button className="icon-button" aria-label={`Copy ${text}`} title="Copy" onClick={copy} type="button">
        <Icon name="copy" size={14} />
      </button>
    </span>
  );
}
