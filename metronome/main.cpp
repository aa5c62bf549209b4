// metronome: runs jobs when their time has come. Read README.md for the picture, core.cpp for the rules.

#include "metronome/flags.hpp"
#include "metronome/shell.hpp"
#include "jobs/daemon.hpp"

int main(int argc, char** argv) { return jobs::run_daemon<metronome::Flags, metronome::Shell>("dcos-metronome", argc, argv); }
