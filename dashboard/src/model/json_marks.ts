// The lines of a JSON text to mark: where the API found faults, or where the text is no JSON. Pure.

import { messageOf, type FieldError } from "../api/http";
import { lineOfPath, lineOfSyntaxError } from "./json_places";

export interface Mark {
  line: number;
  text: string;
}

const joined = (entry: FieldError) => entry.errors.join("; ");

export function marksOf(
  text: string,
  errors: readonly FieldError[],
  wordsOf: (entry: FieldError) => string = joined,
): Mark[] {
  try {
    JSON.parse(text);
  } catch (error) {
    const line = lineOfSyntaxError(text, messageOf(error));
    return line ? [{ line, text: messageOf(error) }] : [];
  }
  return errors.flatMap((entry) => {
    const line = lineOfPath(text, entry.path);
    return line ? [{ line, text: `${entry.path} ${wordsOf(entry)}` }] : [];
  });
}

/** Why a text is no definition, in a sentence; "" when it is one. */
export function syntaxError(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? ""
      : "The definition must be an object.";
  } catch (error) {
    return messageOf(error);
  }
}
