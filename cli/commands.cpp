// The table of all commands.

#include "cli/commands.hpp"

namespace cli {
namespace {

constexpr Option kJson{"json", 0, false, "Print in json format"};
constexpr Option kQuiet{"quiet", 'q', false, "Print only IDs"};
constexpr Option kForce{"force", 0, false, "Stop a deployment that locks the app"};
constexpr Option kUser{"username", 0, true, "Who logs in"};
constexpr Option kPassword{"password", 0, true, "The password; better in a file"};
constexpr Option kPasswordFile{"password-file", 0, true, "A file with the password, mode 0600"};
constexpr Option kPrivateKey{"private-key", 0, true,
                             "A file with a service account's key, mode 0600"};
constexpr Option kProvider{"provider", 0, true, "The way to log in, see list-providers"};
constexpr Option kCompleted{"completed", 0, false, "Print completed ones"};
constexpr Option kAppId{"app-id", 0, true, "The ID of its app"};
constexpr Option kPackageVersion{"package-version", 0, true, "A version of the package"};
constexpr Option kPackageOptions{"options", 0, true, "A JSON file with options"};
constexpr Option kYes{"yes", 0, false, "Do not ask"};
constexpr Option kAll{"all", 0, false, "Print running and completed ones"};

// A table reads by rows.
// clang-format off
constexpr Command kCommands[] = {
    {"auth", "Authenticate to the cluster"},
    {"auth list-providers", "List the ways to log in to a cluster", "[<url>]", {kJson}, 0, 1,
     auth_list_providers},
    {"auth login", "Log in to the current cluster", "",
     {kProvider, kUser, kPassword, kPasswordFile, kPrivateKey}, 0, 0, auth_login},
    {"auth logout", "Log out of the current cluster", "", {}, 0, 0, auth_logout},

    {"cluster", "Manage your clusters"},
    {"cluster attach", "Work on another configured cluster", "<cluster>", {}, 1, 1, cluster_attach,
     "cluster"},
    {"cluster list", "List the configured clusters", "",
     {Option{"attached", 0, false, "Only the attached cluster"}, kJson,
      Option{"names", 0, false, "Print only names"}}, 0, 0, cluster_list},
    {"cluster remove", "Forget a cluster", "[<cluster>]",
     {Option{"all", 0, false, "All of them"}, Option{"unavailable", 0, false,
     "Those that do not answer"}}, 0, 1,
     cluster_remove, "cluster"},
    {"cluster rename", "Give a cluster another name here", "<cluster> <new-name>", {}, 2, 2,
     cluster_rename, "cluster"},
    {"cluster setup", "Configure a cluster and attach to it", "<url>",
     {Option{"insecure", 0, false, "Do not check certificates"}, Option{"ca-certs", 0, true,
     "A file of authorities"},
      Option{"name", 0, true, "The cluster's name here"}, Option{"no-timeout", 0, false,
     "Requests may take for ever"},
      Option{"no-check", 0, false, "Kept for compatibility"},
      kProvider, kUser, kPassword, kPasswordFile, kPrivateKey}, 1, 1, cluster_setup},

    {"completion", "Print the completion script of a shell", "bash|zsh", {}, 1, 1, completion,
     "shell"},
    {"__complete", "", "[<word>...]", {}, 0, -1, complete_words, "", true},

    {"config", "Manage the configuration of the current cluster"},
    {"config keys", "List the keys that can be set", "", {kQuiet}, 0, 0, config_keys},
    {"config set", "Set a key", "<name> <value>", {}, 2, 2, config_set, "config-key"},
    {"config show", "Print one key or all", "[<name>]", {}, 0, 1, config_show, "config-key"},
    {"config unset", "Remove a key", "<name>", {}, 1, 1, config_unset, "config-key"},

    {"help", "Print the help of a command", "[<command>...]", {}, 0, -1, help, "command"},

    {"job", "Run jobs by the clock, after other jobs, or by hand"},
    {"job add", "Add a job: a JSON file, a URL, or standard input", "[<resource>]", {}, 0, 1, job_add},
    {"job history", "Print the runs of a job that have ended", "<job-id>",
     {Option{"failures", 0, false, "Those that failed instead of those that succeeded"}, kJson, kQuiet}, 1, 1, job_history},
    {"job kill", "Kill a run of a job", "<job-id> [<run-id>]", {Option{"all", 0, false, "Every run"}}, 1, 2, job_kill},
    {"job list", "List jobs", "", {kJson, kQuiet}, 0, 0, job_list},
    {"job queue", "List runs that wait for an offer", "", {kJson, kQuiet}, 0, 0, job_queue},
    {"job remove", "Remove a job", "<job-id>", {Option{"stop-current-job-runs", 0, false, "Also when it is running"}}, 1, 1,
     job_remove},
    {"job run", "Run a job now", "<job-id>", {kJson, kQuiet}, 1, 1, job_run},
    {"job schedule", "Manage the schedule of a job"},
    {"job schedule add", "Give a job a schedule", "<job-id> [<resource>]", {}, 1, 2, job_schedule_add},
    {"job schedule remove", "Take a job's schedule away", "<job-id> <schedule-id>", {}, 2, 2, job_schedule_remove},
    {"job schedule show", "Print the schedule of a job", "<job-id>", {kJson, kQuiet}, 1, 1, job_schedule_show},
    {"job schedule update", "Change the schedule of a job", "<job-id> [<resource>]", {}, 1, 2, job_schedule_update},
    {"job show", "Print the definition of a job", "<job-id>", {}, 1, 1, job_show},
    {"job show runs", "Print the runs of a job that are under way", "<job-id>", {kJson, kQuiet}, 1, 1, job_show_runs},
    {"job update", "Change a job: a JSON file, a URL, or standard input", "[<resource>]", {}, 0, 1, job_update},

    {"marathon", "Deploy and manage applications"},
    {"marathon about", "Print Marathon's own description", "", {}, 0, 0, marathon_about},
    {"marathon ping", "Ask whether Marathon is alive", "", {Option{"once", 0, false,
     "Ask only once"}}, 0, 0,
     marathon_ping},
    {"marathon app", "Manage applications"},
    {"marathon app add", "Add an application: a JSON file, a URL, or standard input",
     "[<resource>]", {}, 0, 1, app_add},
    {"marathon app kill", "Kill the running instances of an application", "<app-id>",
     {Option{"scale", 0, false, "Also lower the number of instances"}, Option{"host", 0, true,
     "Only on this host"}}, 1,
     1, app_kill},
    {"marathon app list", "List applications", "", {kJson, kQuiet}, 0, 0, app_list},
    {"marathon app remove", "Remove an application", "<app-id>", {kForce}, 1, 1, app_remove},
    {"marathon app restart", "Start all instances of an application again", "<app-id>", {kForce}, 1,
     1, app_restart},
    {"marathon app show", "Print an application's definition and state", "<app-id>",
     {Option{"app-version", 0, true, "A version, or how many back: -1"}}, 1, 1, app_show},
    {"marathon app start", "Start a stopped application", "<app-id> [<instances>]", {kForce}, 1, 2,
     app_start},
    {"marathon app stop", "Stop an application: no instances", "<app-id>", {kForce}, 1, 1,
     app_stop},
    {"marathon app update", "Change an application: name=value, or JSON on standard input",
     "<app-id> [<property>=<value>...]", {kForce}, 1, -1, app_update},
    {"marathon app version", "Versions of an application"},
    {"marathon app version list", "List the versions of an application", "<app-id>",
     {Option{"max-count", 0, true, "At most so many"}}, 1, 1, app_version_list},
    {"marathon deployment", "Manage deployments"},
    {"marathon deployment list", "List running deployments", "[<app-id>]", {kJson, kQuiet}, 0, 1,
     deployment_list},
    {"marathon deployment rollback", "Undo a deployment", "<deployment-id>", {}, 1, 1,
     deployment_rollback},
    {"marathon deployment stop", "Stop a deployment where it is", "<deployment-id>", {}, 1, 1,
     deployment_stop},
    {"marathon deployment watch", "Wait until a deployment ends", "<deployment-id>",
     {Option{"max-count", 0, true, "Look at most so often"}, Option{"interval", 0, true,
     "Seconds between looks"}}, 1,
     1, deployment_watch},
    {"marathon task", "Manage the tasks of applications"},
    {"marathon task kill", "Kill tasks", "<task-id>...",
     {Option{"scale", 0, false, "Also lower the number of instances"},
      Option{"wipe", 0, false, "Also give up their volumes"}, kJson}, 1, -1, marathon_task_kill},
    {"marathon task list", "List tasks", "[<app-id>]", {kJson, kQuiet}, 0, 1, marathon_task_list},
    {"marathon task show", "Print a task", "<task-id>", {}, 1, 1, marathon_task_show},
    {"marathon task stop", "Stop a task; its app starts another", "<task-id>",
     {Option{"wipe", 0, false, "Also give up its volumes"}}, 1, 1, marathon_task_stop},

    {"node", "Manage nodes; alone: list them", "",
     {kJson, Option{"field", 0, true, "Another column, as name or name:path"},
      Option{"mesos-id", 0, false, "Print only the agents' IDs"}}, 0, 0, node_list},
    {"node list", "List the nodes", "",
     {kJson, Option{"field", 0, true, "Another column, as name or name:path"},
      Option{"mesos-id", 0, false, "Print only the agents' IDs"}}, 0, 0, node_list},

    {"package", "Install and manage packages"},
    {"package describe", "Print a package's definition, or parts of it", "<package-name>",
     {Option{"app", 0, false, "The template of its app"}, kAppId,
      Option{"cli", 0, false, "Its command line"}, Option{"config", 0, false,
     "The schema of its options"},
      kPackageOptions, kPackageVersion, Option{"package-versions", 0, false, "All its versions"},
      Option{"render", 0, false, "The app that its options make"}}, 1, 1, package_describe},
    {"package install", "Install a package", "<package-name>",
     {Option{"app", 0, false, "Only its app"}, kAppId, Option{"cli", 0, false,
     "Only its command line"}, kPackageOptions,
      kPackageVersion, kYes}, 1, 1, package_install},
    {"package list", "List the installed packages", "[<query>]",
     {kAppId, Option{"cli", 0, false, "Only command lines"}, kJson}, 0, 1, package_list},
    {"package repo", "Manage the repositories of packages"},
    {"package repo add", "Add a repository: a URL, or a file or directory on the service's machine",
     "<repo-name> <repo-url>",
     {Option{"index", 0, true, "Its place in the list, from 0; earlier ones win"}}, 2, 2,
     package_repo_add},
    {"package repo import", "Add the repositories that a file lists", "<repo-file>", {}, 1, 1,
     package_repo_import},
    {"package repo list", "List the repositories", "", {kJson}, 0, 0, package_repo_list},
    {"package repo remove", "Remove repositories", "<repo-name>...", {}, 1, -1,
     package_repo_remove},
    {"package search", "Search the repositories", "[<query>]", {kJson}, 0, 1, package_search},
    {"package uninstall", "Uninstall a package", "<package-name>",
     {Option{"all", 0, false, "All its apps"}, Option{"app", 0, false, "Only its app"}, kAppId,
      Option{"cli", 0, false, "Only its command line"}, kYes}, 1, 1, package_uninstall},

    {"service", "Manage schedulers; alone: list them", "",
     {kJson, kCompleted, Option{"inactive", 0, false, "Also disconnected ones"}, kQuiet}, 0, 0,
     service_list},
    {"service list", "List the schedulers", "",
     {kJson, kCompleted, Option{"inactive", 0, false, "Also disconnected ones"}, kQuiet}, 0, 0,
     service_list},
    {"service shutdown", "End a scheduler and its tasks for ever", "<service-id>",
     {Option{"yes", 0, false, "Do not ask"}}, 1, 1, service_shutdown},

    {"task", "Manage tasks; alone: list them", "[<task>]",
     {kAll, kCompleted, kJson, kQuiet, Option{"agent-id", 0, true, "Only on this agent"}}, 0, 1,
     task_list},
    {"task attach", "Attach to the terminal of a task; ctrl-p, ctrl-q leave it", "<task>",
     {Option{"no-stdin", 0, false, "Do not hand on what is typed"}}, 1, 1, task_attach},
    {"task download", "Copy files of a task's sandbox", "<task> [<path>]",
     {Option{"target-dir", 0, true, "Where to put them"}, kAll, kCompleted}, 1, 2, task_download},
    {"task exec", "Run a command beside a task, in its container", "<task> <command> [<argument>...]",
     {Option{"interactive", 'i', false, "Hand on what is typed"}, Option{"tty", 't', false, "With a terminal"},
      Option{"user", 'u', true, "As this user"}}, 2, -1, task_exec, "", false, true},
    {"task list", "List tasks", "[<task>]",
     {kAll, kCompleted, kJson, kQuiet, Option{"agent-id", 0, true, "Only on this agent"}}, 0, 1,
     task_list},
    {"task log", "Print a file of a task's sandbox", "<task> [<file>]",
     {Option{"follow", 0, false, "Go on as the file grows"}, Option{"lines", 0, true,
     "The last so many lines"}, kAll,
      kCompleted, Option{"output", 'o', true, "Kept for compatibility"}}, 1, 2, task_log},
    {"task ls", "List the files of a task's sandbox", "<task> [<path>]",
     {Option{"long", 'l', false, "With mode, owner, size and date"}, kAll, kCompleted}, 1, 2,
     task_ls},
};
// clang-format on

}  // namespace

std::span<const Command> commands() {
  return kCommands;
}

}  // namespace cli
