// chronos: runs jobs when their time has come. Read README.md for the picture, core.cpp for the rules.

#include "chronos/flags.hpp"
#include "chronos/shell.hpp"
#include "jobs/daemon.hpp"

int main(int argc, char** argv) { return jobs::run_daemon<chronos::Flags, chronos::Shell>("dcos-chronos", argc, argv); }
