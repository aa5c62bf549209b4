// Length-prefixed records of the kernel's event streams: "<decimal length>\n<that many bytes>".

const kNewline = 0x0a;
const kMaxDigits = 10;

/** Thrown when a stream is not recordio; the stream has to be opened anew. */
export class RecordError extends Error {}

/**
 * Cuts a byte stream into records, whatever the chunk boundaries. Feed it every chunk in order; it keeps what is
 * incomplete. A record over `maxLength` is refused, so a broken peer cannot fill the memory of the browser.
 */
export class RecordDecoder {
  private header = "";
  private body: Uint8Array | null = null;
  private filled = 0;
  private readonly text = new TextDecoder();

  constructor(private readonly maxLength = 256 * 1024 * 1024) {}

  /** Returns the records completed by this chunk, as text. */
  push(chunk: Uint8Array): string[] {
    const records: string[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.body === null) {
        at = this.readHeader(chunk, at);
      } else {
        const take = Math.min(this.body.length - this.filled, chunk.length - at);
        this.body.set(chunk.subarray(at, at + take), this.filled);
        this.filled += take;
        at += take;
      }
      if (this.body !== null && this.filled === this.body.length) {
        records.push(this.text.decode(this.body));
        this.body = null;
      }
    }
    return records;
  }

  private readHeader(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length) {
      const byte = chunk[at++]!;
      if (byte === kNewline) {
        if (this.header === "") throw new RecordError("a record without a length");
        const length = Number(this.header);
        if (length > this.maxLength) throw new RecordError(`a record of ${this.header} bytes is too large`);
        this.header = "";
        this.body = new Uint8Array(length);
        this.filled = 0;
        return at;
      }
      if (byte < 0x30 || byte > 0x39 || this.header.length >= kMaxDigits) {
        throw new RecordError("a record length that is not a number");
      }
      this.header += String.fromCharCode(byte);
    }
    return at;
  }
}
