// The parts of Chronos' API that the dashboard reads and writes.

/** One row of the summary, which is what is asked for again and again. */
export interface JobSummary {
  name: string;
  status: "success" | "failure" | "fresh";
  /** `idle`, `queued`, `2 running`. */
  state: string;
  schedule?: string;
  parents?: string[];
  disabled?: boolean;
}

/** A job's definition with its counters; unknown fields are kept so that editing loses nothing. */
export interface Job {
  name: string;
  command?: string;
  description?: string;
  schedule?: string;
  scheduleTimeZone?: string;
  parents?: string[];
  epsilon?: string;
  retries?: number;
  owner?: string;
  ownerName?: string;
  cpus?: number;
  mem?: number;
  disk?: number;
  disabled?: boolean;
  softError?: boolean;
  concurrent?: boolean;
  highPriority?: boolean;
  successCount?: number;
  errorCount?: number;
  errorsSinceLastSuccess?: number;
  lastSuccess?: string;
  lastError?: string;
  environmentVariables?: { name: string; value: string }[];
  container?: { image?: string };
  [field: string]: unknown;
}

export interface TaskStat {
  taskId: string;
  jobName?: string;
  slaveId?: string;
  /** `MM/dd/yy HH:mm:ss`, or `N/A`. */
  startTime?: string;
  endTime?: string;
  /** `1h2m3s`; absent while it runs. */
  duration?: string;
  /** Idle, Running, Success, Fail. */
  status: string;
}

export interface JobStat {
  histogram?: Record<string, number>;
  taskStatHistory?: TaskStat[];
}
