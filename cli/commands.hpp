#pragma once

// The work of every command, one file per noun under commands/.

#include "cli/command.hpp"
#include "cli/context.hpp"

namespace cli {

#define CLI_COMMAND(name) base::Result<int> name(Context& context, const Arguments& arguments)

CLI_COMMAND(auth_login);
CLI_COMMAND(auth_logout);
CLI_COMMAND(auth_list_providers);

CLI_COMMAND(cluster_attach);
CLI_COMMAND(cluster_list);
CLI_COMMAND(cluster_remove);
CLI_COMMAND(cluster_rename);
CLI_COMMAND(cluster_setup);

CLI_COMMAND(config_keys);
CLI_COMMAND(config_set);
CLI_COMMAND(config_show);
CLI_COMMAND(config_unset);

CLI_COMMAND(job_add);
CLI_COMMAND(job_history);
CLI_COMMAND(job_kill);
CLI_COMMAND(job_list);
CLI_COMMAND(job_queue);
CLI_COMMAND(job_remove);
CLI_COMMAND(job_run);
CLI_COMMAND(job_schedule_add);
CLI_COMMAND(job_schedule_remove);
CLI_COMMAND(job_schedule_show);
CLI_COMMAND(job_schedule_update);
CLI_COMMAND(job_show);
CLI_COMMAND(job_show_runs);
CLI_COMMAND(job_update);

CLI_COMMAND(marathon_about);
CLI_COMMAND(marathon_ping);
CLI_COMMAND(app_add);
CLI_COMMAND(app_kill);
CLI_COMMAND(app_list);
CLI_COMMAND(app_remove);
CLI_COMMAND(app_restart);
CLI_COMMAND(app_show);
CLI_COMMAND(app_start);
CLI_COMMAND(app_stop);
CLI_COMMAND(app_update);
CLI_COMMAND(app_version_list);
CLI_COMMAND(deployment_list);
CLI_COMMAND(deployment_rollback);
CLI_COMMAND(deployment_stop);
CLI_COMMAND(deployment_watch);
CLI_COMMAND(marathon_task_kill);
CLI_COMMAND(marathon_task_list);
CLI_COMMAND(marathon_task_show);
CLI_COMMAND(marathon_task_stop);

CLI_COMMAND(node_list);
CLI_COMMAND(package_describe);
CLI_COMMAND(package_install);
CLI_COMMAND(package_list);
CLI_COMMAND(package_repo_add);
CLI_COMMAND(package_repo_import);
CLI_COMMAND(package_repo_list);
CLI_COMMAND(package_repo_remove);
CLI_COMMAND(package_search);
CLI_COMMAND(package_uninstall);

CLI_COMMAND(service_list);
CLI_COMMAND(service_shutdown);
CLI_COMMAND(task_download);
CLI_COMMAND(task_list);
CLI_COMMAND(task_attach);
CLI_COMMAND(task_exec);
CLI_COMMAND(task_log);
CLI_COMMAND(task_ls);

CLI_COMMAND(completion);
CLI_COMMAND(complete_words);
CLI_COMMAND(help);

#undef CLI_COMMAND

}  // namespace cli
