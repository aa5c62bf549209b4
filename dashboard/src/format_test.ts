import { describe, expect, test } from "vitest";
import {
  formatAgo,
  formatBytes,
  formatDuration,
  formatMib,
  formatNumber,
  formatPercent,
  plural,
  shortenMiddle,
} from "./format";

describe("format", () => {
  test.each([
    [0, "0"],
    [0.1, "0.1"],
    [12, "12"],
    [1234.567, "1,234.57"],
    [NaN, "–"],
  ])("number %s is %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  test.each([
    [0, "0 B"],
    [512, "512 B"],
    [1536, "1.5 KiB"],
    [1048575, "1 MiB"],
    [5 * 1024 ** 3, "5 GiB"],
    [-2048, "-2 KiB"],
  ])("%s bytes are %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  test("the kernel's memory unit is the mebibyte", () => {
    expect(formatMib(64)).toBe("64 MiB");
    expect(formatMib(4096)).toBe("4 GiB");
  });

  test.each([
    [1, 4, "25 %"],
    [0, 4, "0 %"],
    [0.001, 4, "<1 %"],
    [1, 0, "–"],
  ])("%s of %s is %s", (used, total, text) => {
    expect(formatPercent(used, total)).toBe(text);
  });

  test.each([
    [0, "0 s"],
    [59.9, "59 s"],
    [60, "1 min"],
    [3600, "1 h"],
    [3720, "1 h 2 min"],
    [90061, "1 d 1 h"],
    [-5, "0 s"],
  ])("%s seconds are %s", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  test("the age of an absent time is a dash", () => {
    expect(formatAgo(0, 1000)).toBe("–");
    expect(formatAgo(1000, 2000)).toBe("just now");
    expect(formatAgo(1000, 121000)).toBe("2 min ago");
  });

  test("long ids keep both ends", () => {
    expect(shortenMiddle("abcdefghij", 5)).toBe("ab…ij");
    expect(shortenMiddle("abc", 5)).toBe("abc");
  });

  test("counts agree with their noun", () => {
    expect(plural(1, "task")).toBe("1 task");
    expect(plural(2, "task")).toBe("2 tasks");
  });
});
