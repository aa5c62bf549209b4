// dcos: operates a cluster from the command line. commands.cpp is the table of all commands.

#include <csignal>
#include <cstdio>

#include <unistd.h>

#include "base/file.hpp"
#include "base/log.hpp"
#include "cli/run.hpp"

namespace {

// All of standard input, up to what an app definition may reasonably be.
base::Result<std::string> read_input() {
  constexpr size_t kMost = 16 << 20;
  std::string text;
  char buffer[16384];
  while (true) {
    ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got < 0) return base::errno_error("standard input", errno);
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMost)
      return base::Error{base::Code::TooLarge, "standard input is longer than 16 MiB"};
    // A person at a terminal answers with one line.
    if (::isatty(STDIN_FILENO) != 0 && text.ends_with('\n')) return text;
  }
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote <= 0) _exit(1);  // the reader of the pipe has gone
    text.remove_prefix(static_cast<size_t>(wrote));
  }
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  base::log::set_level(base::log::Level::Error);
  cli::Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string_view text(*entry);
    size_t equal = text.find('=');
    if (equal != std::string_view::npos)
      environment[std::string(text.substr(0, equal))] = text.substr(equal + 1);
  }
  cli::Io io;
  io.out = [](std::string_view text) { write_all(STDOUT_FILENO, text); };
  io.err = [](std::string_view text) { write_all(STDERR_FILENO, text); };
  io.read_input = read_input;
  io.input_is_terminal = ::isatty(STDIN_FILENO) != 0;
  return cli::run(std::vector<std::string>(argv + 1, argv + argc), std::move(environment),
                  std::move(io));
}
