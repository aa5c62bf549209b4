// dcos: operates a cluster from the command line. commands.cpp is the table of all commands.

#include <csignal>
#include <cstdio>

#include <termios.h>
#include <unistd.h>

#include "base/environment.hpp"
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

// A line that the terminal does not show. The terminal is as it was afterwards, also when the line
// is interrupted.
termios shown{};
void show_again(int signal) {
  ::tcsetattr(STDIN_FILENO, TCSANOW, &shown);
  _exit(128 + signal);
}

base::Result<std::string> read_secret() {
  if (::tcgetattr(STDIN_FILENO, &shown) != 0) return base::errno_error("the terminal", errno);
  auto on_interrupt = ::signal(SIGINT, show_again);
  auto on_end = ::signal(SIGTERM, show_again);
  termios hidden = shown;
  hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  hidden.c_lflag |= ECHONL;
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  auto line = read_input();
  ::tcsetattr(STDIN_FILENO, TCSANOW, &shown);
  ::signal(SIGINT, on_interrupt);
  ::signal(SIGTERM, on_end);
  if (!line) return line;
  while (line->ends_with('\n') || line->ends_with('\r')) line->pop_back();
  return line;
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
  cli::Environment environment = base::process_environment();
  cli::Io io;
  io.out = [](std::string_view text) { write_all(STDOUT_FILENO, text); };
  io.err = [](std::string_view text) { write_all(STDERR_FILENO, text); };
  io.read_input = read_input;
  io.read_secret = read_secret;
  io.input_is_terminal = ::isatty(STDIN_FILENO) != 0;
  return cli::run(std::vector<std::string>(argv + 1, argv + argc), std::move(environment),
                  std::move(io));
}
