// Route -> page.

import { Component } from "react";
import { messageOf } from "../api/http";
import { Empty } from "../components/states";
import { useRoute } from "../router";
import { Deployments } from "./deployments";
import { Frameworks } from "./frameworks";
import { Networking } from "./networking";
import { NodeDetail } from "./node_detail";
import { Nodes } from "./nodes";
import { Overview } from "./overview";
import { ServiceDetail } from "./service_detail";
import { ServiceForm } from "./service_form";
import { Services } from "./services";
import { TaskDetail } from "./task_detail";
import { Tasks } from "./tasks";

function pageOf(path: readonly string[]): React.ReactNode {
  const [first = "", ...rest] = path;
  const id = `/${rest.join("/")}`;
  switch (first) {
    case "":
      return <Overview />;
    case "services":
      return rest[0] === "new" ? <ServiceForm key="new" /> : <Services />;
    case "service":
      return <ServiceDetail key={id} id={id} />;
    case "service-edit":
      return <ServiceForm key={id} id={id} />;
    case "tasks":
      return <Tasks />;
    case "task":
      return <TaskDetail key={id} frameworkId={rest[0] ?? ""} taskId={rest[1] ?? ""} />;
    case "nodes":
      return <Nodes />;
    case "node":
      return <NodeDetail key={id} id={rest.join("/")} />;
    case "deployments":
      return <Deployments />;
    case "networking":
      return <Networking />;
    case "frameworks":
      return <Frameworks />;
    default:
      return (
        <Empty title="There is no such page">
          <a href="#/">Go to the overview</a>
        </Empty>
      );
  }
}

/** Keeps a fault of one page from taking the navigation with it. */
class Guard extends Component<{ children: React.ReactNode }, { error: unknown }> {
  override state = { error: null as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return <Empty title="This page failed">{messageOf(this.state.error)}</Empty>;
  }
}

export function Page() {
  const { path } = useRoute();
  return <Guard key={path.join("/")}>{pageOf(path)}</Guard>;
}
