// Server-sent events: Marathon's event stream.

export interface ServerEvent {
  /** The `event:` field; "message" when absent. */
  type: string;
  data: string;
}

/** Cuts a text stream into server-sent events, whatever the chunk boundaries; LF and CRLF line ends. */
export class EventDecoder {
  private rest = "";
  private type = "";
  private data: string[] = [];
  private readonly text = new TextDecoder();

  constructor(private readonly maxLength = 16 * 1024 * 1024) {}

  push(chunk: Uint8Array): ServerEvent[] {
    this.rest += this.text.decode(chunk, { stream: true });
    const events: ServerEvent[] = [];
    for (let end = this.rest.indexOf("\n"); end >= 0; end = this.rest.indexOf("\n")) {
      const line = this.rest.slice(0, end).replace(/\r$/, "");
      this.rest = this.rest.slice(end + 1);
      const event = this.line(line);
      if (event) events.push(event);
    }
    if (this.rest.length > this.maxLength) throw new Error("an event that is too large");
    return events;
  }

  private line(line: string): ServerEvent | null {
    if (line === "") {
      const event = this.data.length ? { type: this.type || "message", data: this.data.join("\n") } : null;
      this.type = "";
      this.data = [];
      return event;
    }
    if (line.startsWith(":")) return null;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.type = value;
    else if (field === "data") this.data.push(value);
    return null;
  }
}
