// The parts of Marathon's API that the dashboard reads and writes.

import type { PodDefinition } from "./pods";

export interface HealthResult {
  alive?: boolean;
  consecutiveFailures?: number;
  firstSuccess?: string | null;
  lastFailure?: string | null;
  lastFailureCause?: string | null;
  lastSuccess?: string | null;
}

export interface AppTask {
  id: string;
  appId: string;
  /** The instance that this is one container of; absent for apps. */
  podInstance?: string;
  host?: string;
  state: string;
  slaveId?: string;
  ports?: number[];
  ipAddresses?: { ipAddress: string }[];
  stagedAt?: string;
  startedAt?: string;
  version?: string;
  healthCheckResults?: HealthResult[];
}

export interface HealthCheck {
  protocol: string;
  path?: string;
  port?: number;
  portIndex?: number;
  command?: { value: string };
  gracePeriodSeconds?: number;
  intervalSeconds?: number;
  timeoutSeconds?: number;
  maxConsecutiveFailures?: number;
}

export interface PortDefinition {
  port?: number;
  hostPort?: number;
  containerPort?: number;
  name?: string | null;
  protocol?: string;
  labels?: Record<string, string>;
}

/** An app definition; unknown fields are kept so that editing loses nothing. */
export interface AppDefinition {
  id: string;
  cmd?: string | null;
  args?: string[];
  cpus?: number;
  mem?: number;
  disk?: number;
  gpus?: number;
  instances?: number;
  user?: string | null;
  container?: {
    type?: string;
    docker?: { image?: string; portMappings?: PortDefinition[] };
    portMappings?: PortDefinition[];
  };
  env?: Record<string, unknown>;
  labels?: Record<string, string>;
  healthChecks?: HealthCheck[];
  portDefinitions?: PortDefinition[];
  constraints?: string[][];
  upgradeStrategy?: { minimumHealthCapacity?: number; maximumOverCapacity?: number };
  version?: string;
  versionInfo?: { lastScalingAt?: string; lastConfigChangeAt?: string };
  [field: string]: unknown;
}

export interface TaskFailure {
  host?: string;
  message?: string;
  state?: string;
  taskId?: string;
  timestamp?: string;
  version?: string;
  slaveId?: string;
}

/** An app with what Marathon knows of its instances. */
export interface App extends AppDefinition {
  /** Of a pod: its own definition; the fields of an app are put together from it. */
  pod?: PodDefinition;
  tasksStaged?: number;
  tasksRunning?: number;
  tasksHealthy?: number;
  tasksUnhealthy?: number;
  deployments?: { id: string }[];
  tasks?: AppTask[];
  lastTaskFailure?: TaskFailure;
}

export interface DeploymentAction {
  action: string;
  app?: string;
  pod?: string;
}

export interface Deployment {
  id: string;
  version?: string;
  affectedApps?: string[];
  affectedPods?: string[];
  steps?: { actions: DeploymentAction[] }[];
  currentActions?: DeploymentAction[];
  currentStep?: number;
  totalSteps?: number;
}

export interface QueueItem {
  app?: { id: string };
  pod?: { id: string };
  count?: number;
  since?: string;
  delay?: { timeLeftSeconds?: number; overdue?: boolean };
  processedOffersSummary?: {
    processedOffersCount?: number;
    unusedOffersCount?: number;
    rejectSummaryLastOffers?: { reason: string; declined: number; processed: number }[];
  };
}

/** Any event of Marathon's stream; which keys are there depends on `eventType`. */
export interface MarathonEvent {
  eventType: string;
  timestamp?: string;
  appId?: string;
  runSpecId?: string;
  taskId?: string;
  taskStatus?: string;
  message?: string;
  id?: string;
  reason?: string;
  appDefinition?: { id?: string };
  plan?: { id?: string; steps?: { actions?: DeploymentAction[] }[] };
}
