// The parts of the kernel's operator API (v1, JSON) that the dashboard reads. Every field may be absent on the wire
// unless the protocol requires it.

export interface Value {
  value: string;
}

export interface Resource {
  name: string;
  type?: string;
  scalar?: { value: number };
  ranges?: { range?: { begin: number; end: number }[] };
  set?: { item?: string[] };
  reservations?: { role?: string }[];
  allocation_info?: { role?: string };
}

export interface Label {
  key: string;
  value?: string;
}

export interface Attribute {
  name: string;
  type?: string;
  scalar?: { value: number };
  text?: { value: string };
  ranges?: { range?: { begin: number; end: number }[] };
  set?: { item?: string[] };
}

export interface AgentInfo {
  id?: Value;
  hostname: string;
  port?: number;
  attributes?: Attribute[];
  domain?: { fault_domain?: { region?: { name: string }; zone?: { name: string } } };
}

export interface Agent {
  agent_info: AgentInfo;
  active: boolean;
  deactivated?: boolean;
  version?: string;
  pid?: string;
  registered_time?: { nanoseconds: number };
  reregistered_time?: { nanoseconds: number };
  total_resources?: Resource[];
  allocated_resources?: Resource[];
  drain_info?: { state?: string };
}

export interface TaskStatus {
  task_id: Value;
  state: string;
  message?: string;
  reason?: string;
  source?: string;
  timestamp?: number;
  healthy?: boolean;
  container_status?: {
    container_id?: Value;
    network_infos?: { ip_addresses?: { ip_address?: string }[] }[];
  };
}

export interface Task {
  name: string;
  task_id: Value;
  framework_id: Value;
  executor_id?: Value;
  agent_id: Value;
  state: string;
  resources?: Resource[];
  statuses?: TaskStatus[];
  labels?: { labels?: Label[] };
  discovery?: { name?: string; ports?: { ports?: { number: number; name?: string; protocol?: string }[] } };
  container?: { type?: string; docker?: { image?: string } };
  health_check?: object;
  user?: string;
}

export interface FrameworkInfo {
  id?: Value;
  name: string;
  user?: string;
  role?: string;
  roles?: string[];
  hostname?: string;
  webui_url?: string;
  principal?: string;
  failover_timeout?: number;
}

export interface Framework {
  framework_info: FrameworkInfo;
  active: boolean;
  connected: boolean;
  recovered?: boolean;
  registered_time?: { nanoseconds: number };
  reregistered_time?: { nanoseconds: number };
}

export interface Snapshot {
  get_agents?: { agents?: Agent[]; recovered_agents?: AgentInfo[] };
  get_frameworks?: { frameworks?: Framework[]; completed_frameworks?: Framework[] };
  get_tasks?: { tasks?: Task[]; completed_tasks?: Task[]; unreachable_tasks?: Task[] };
  get_executors?: { executors?: { executor_info?: { resources?: Resource[] }; agent_id?: Value }[] };
}

export type KernelEvent =
  | { type: "SUBSCRIBED"; subscribed: { get_state?: Snapshot; heartbeat_interval_seconds?: number } }
  | { type: "HEARTBEAT" }
  | { type: "TASK_ADDED"; task_added: { task: Task } }
  | { type: "TASK_UPDATED"; task_updated: { framework_id: Value; status: TaskStatus; state: string } }
  | { type: "AGENT_ADDED"; agent_added: { agent: Agent } }
  | { type: "AGENT_REMOVED"; agent_removed: { agent_id: Value } }
  | { type: "FRAMEWORK_ADDED"; framework_added: { framework: Framework } }
  | { type: "FRAMEWORK_UPDATED"; framework_updated: { framework: Framework } }
  | { type: "FRAMEWORK_REMOVED"; framework_removed: { framework_info: FrameworkInfo } };
