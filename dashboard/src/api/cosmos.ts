// The package service's API as functions. Every call names the version of its question and of the answer it wants.

import { request } from "./http";

export interface Images {
  "icon-small"?: string;
  "icon-medium"?: string;
  "icon-large"?: string;
}

/** One package in the list of all. */
export interface PackageSummary {
  name: string;
  currentVersion: string;
  versions: Record<string, number | string>;
  description?: string;
  framework?: boolean;
  tags?: string[];
  selected?: boolean;
  images?: Images;
}

/** One version of a package. */
export interface PackageDefinition {
  name: string;
  version: string;
  packagingVersion?: string;
  maintainer?: string;
  description?: string;
  tags?: string[];
  selected?: boolean;
  framework?: boolean;
  scm?: string;
  website?: string;
  preInstallNotes?: string;
  postInstallNotes?: string;
  postUninstallNotes?: string;
  licenses?: { name: string; url: string }[];
  minDcosReleaseVersion?: string;
  /** Absent: there is nothing that runs, only a part for the command line. */
  marathon?: unknown;
  resource?: { images?: Images; cli?: unknown };
  /** JSON schema (draft-04) of the options; absent: there are none. */
  config?: Record<string, unknown>;
}

export interface InstalledPackage {
  appId: string;
  packageInformation: {
    packageDefinition: PackageDefinition;
    resourceDefinition?: { images?: Images };
  };
}

export interface InstallResult {
  packageName: string;
  packageVersion: string;
  appId?: string;
  postInstallNotes?: string;
  cli?: unknown;
}

export interface UninstallResult {
  results: { packageName: string; appId: string; packageVersion?: string; postUninstallNotes?: string }[];
}

/** An installed package with the options it was installed with. */
export interface InstalledService {
  package: PackageDefinition;
  upgradesTo: string[];
  downgradesTo: string[];
  resolvedOptions?: Record<string, unknown>;
  userProvidedOptions?: Record<string, unknown>;
}

const typeOf = (name: string, version: number, family = "package") =>
  `application/vnd.dcos.${family}.${name}+json;charset=utf-8;version=v${version}`;

function call<T>(name: string, body: unknown, version = 1, signal?: AbortSignal): Promise<T> {
  return request<T>(`/package/${name}`, {
    method: "POST",
    body,
    headers: { "Content-Type": typeOf(`${name}-request`, 1), Accept: typeOf(`${name}-response`, version) },
    ...(signal ? { signal } : {}),
  });
}

export async function searchPackages(signal?: AbortSignal): Promise<PackageSummary[]> {
  return (await call<{ packages: PackageSummary[] }>("search", {}, 1, signal)).packages;
}

/** A version of a package; the newest when none is named. */
export async function describePackage(
  packageName: string,
  packageVersion: string,
  signal?: AbortSignal,
): Promise<PackageDefinition> {
  const body = packageVersion ? { packageName, packageVersion } : { packageName };
  return (await call<{ package: PackageDefinition }>("describe", body, 3, signal)).package;
}

export async function listVersions(
  packageName: string,
  signal?: AbortSignal,
): Promise<Record<string, string>> {
  const body = { packageName, includePackageVersions: true };
  return (await call<{ results: Record<string, string> }>("list-versions", body, 1, signal)).results;
}

export async function listInstalled(signal?: AbortSignal): Promise<InstalledPackage[]> {
  return (await call<{ packages: InstalledPackage[] }>("list", {}, 1, signal)).packages;
}

interface Wanted {
  packageName: string;
  packageVersion: string;
  options: unknown;
}

/** The app that installing would give to Marathon. */
export async function renderPackage(wanted: Wanted): Promise<unknown> {
  return (await call<{ marathonJson: unknown }>("render", wanted)).marathonJson;
}

export function installPackage(wanted: Wanted): Promise<InstallResult> {
  return call<InstallResult>("install", wanted, 2);
}

export function uninstallPackage(packageName: string, appId: string): Promise<UninstallResult> {
  return call<UninstallResult>("uninstall", { packageName, appId });
}

function callService<T>(name: string, body: unknown, signal?: AbortSignal): Promise<T> {
  return request<T>(`/cosmos/service/${name}`, {
    method: "POST",
    body,
    headers: {
      "Content-Type": typeOf(`${name}-request`, 1, "service"),
      Accept: typeOf(`${name}-response`, 1, "service"),
    },
    ...(signal ? { signal } : {}),
  });
}

export const describeService = (appId: string, signal?: AbortSignal) =>
  callService<InstalledService>("describe", { appId }, signal);

/** Gives an installed package other options, all of them, or another version that it may change to. */
export async function updateService(appId: string, packageVersion: string, options: unknown): Promise<void> {
  await callService<unknown>("update", { appId, packageVersion, options, replace: true });
}
