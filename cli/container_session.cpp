#include "cli/container_session.hpp"

#include <errno.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <optional>
#include <thread>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/loop.hpp"
#include "base/random.hpp"
#include "base/recordio.hpp"
#include "base/strings.hpp"
#include "cli/json_text.hpp"
#include "cli/version.hpp"

namespace cli {
namespace {

namespace json = boost::json;

constexpr base::Duration kHeartbeat = base::seconds(30);
constexpr base::Duration kWait = base::seconds(30);
constexpr size_t kMaxBacklog = 64 << 10;
constexpr char kLeave1 = 16, kLeave2 = 17;  // ctrl-p, ctrl-q

/// Every key goes to the other side as it is pressed, as long as this lives.
class RawTerminal {
 public:
  RawTerminal() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    cfmakeraw(&raw);
    changed_ = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  ~RawTerminal() {
    if (changed_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

/// Reads standard input on a thread, one piece at a time, and no further until it is asked to.
class InputReader {
 public:
  InputReader(base::Loop& loop, std::function<void(std::string)> piece) : loop_(loop), piece_(std::move(piece)) {
    int ends[2];
    if (pipe(ends) != 0) return;
    reader_ = base::Fd(ends[0]);
    writer_ = base::Fd(ends[1]);
    thread_ = std::thread([this] { read_on(); });
  }
  ~InputReader() {
    writer_.reset();
    if (thread_.joinable()) thread_.join();
  }
  InputReader(const InputReader&) = delete;
  InputReader& operator=(const InputReader&) = delete;

  /// The next piece is wanted. An empty one is the end.
  void next() {
    if (writer_) (void)!write(writer_.get(), "n", 1);
  }

 private:
  void read_on() {
    char word = 0;
    while (read(reader_.get(), &word, 1) == 1) {
      pollfd wait[2] = {{STDIN_FILENO, POLLIN, 0}, {reader_.get(), 0, 0}};
      while (poll(wait, 2, -1) < 0 && errno == EINTR) {
      }
      if ((wait[1].revents & (POLLHUP | POLLERR)) != 0) return;
      char buffer[4096];
      const ssize_t length = read(STDIN_FILENO, buffer, sizeof buffer);
      std::string piece(buffer, length > 0 ? static_cast<size_t>(length) : 0);
      loop_.post([this, piece] { piece_(piece); });
      if (length <= 0) return;
    }
  }

  base::Loop& loop_;
  std::function<void(std::string)> piece_;
  base::Fd reader_, writer_;
  std::thread thread_;
};

std::optional<std::pair<unsigned, unsigned>> window() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return std::nullopt;
  return std::pair<unsigned, unsigned>(size.ws_row, size.ws_col);
}

std::string window_json(std::pair<unsigned, unsigned> size) {
  return fmt::format(R"({{"window_size":{{"rows":{},"columns":{}}}}})", size.first, size.second);
}

class Session {
 public:
  Session(const ClientSettings& settings, const SessionRequest& request, const SessionOutput& output)
      : settings_(settings), request_(request), output_(output), client_(loop_, options(settings)) {
    container_ = request.container;
    if (!request.command.empty())
      container_ = fmt::format(R"({{"value":"{}","parent":{}}})", base::Random::from_os().uuid(), request.container);
  }

  base::Result<int> run() {
    base::http::ClientRequest request;
    ASSIGN_OR_RETURN(request, make(request_.command.empty() ? attach_call() : launch_call()));
    request.headers.set("Content-Type", "application/json");
    request.headers.set("Accept", "application/recordio");
    request.headers.set("Message-Accept", "application/json");
    base::http::StreamCallbacks callbacks;
    callbacks.on_head = [this](const base::http::Response& head) {
      status_ = head.status;
      if (status_ == 200) connected();
    };
    callbacks.on_data = [this](std::string_view data) { received(data); };
    callbacks.on_end = [this](base::Status end) { output_ended(std::move(end)); };
    output_call_ = client_.stream(std::move(request), std::move(callbacks));
    if (request_.terminal && isatty(STDIN_FILENO) != 0) {
      if (request_.input) raw_.emplace();
      loop_.on_signal(SIGWINCH, [this] { send_window(); });
    }
    loop_.run();
    raw_.reset();
    reader_.reset();
    if (failure_) return *failure_;
    return code_;
  }

 private:
  static base::http::ClientOptions options(const ClientSettings& settings) {
    base::http::ClientOptions made;
    made.verify_tls = settings.verify_tls;
    made.ca_file = settings.ca_file;
    return made;
  }

  base::Result<base::http::ClientRequest> make(std::string body) const {
    base::http::ClientRequest request;
    ASSIGN_OR_RETURN(request.url, base::http::Url::parse(settings_.url + "/agent/" + request_.agent_id + "/api/v1"));
    request.method = "POST";
    request.body = std::move(body);
    request.headers.set("User-Agent", "dcos-cli");
    if (!settings_.token.empty()) request.headers.set("Authorization", "token=" + settings_.token);
    return request;
  }

  std::string attach_call() const {
    return R"({"type":"ATTACH_CONTAINER_OUTPUT","attach_container_output":{"container_id":)" + container_ + "}}";
  }

  std::string launch_call() const {
    std::string text;
    base::json::Writer out(text);
    out.begin_object();
    out.field("type", "LAUNCH_NESTED_CONTAINER_SESSION");
    out.key("launch_nested_container_session");
    out.begin_object();
    out.key("container_id");
    out.raw(container_);
    out.key("command");
    out.begin_object();
    out.field("shell", false);
    out.field("value", request_.command[0]);
    out.key("arguments");
    out.begin_array();
    for (const auto& word : request_.command) out.value(word);
    out.end_array();
    if (!request_.user.empty()) out.field("user", request_.user);
    out.end_object();
    if (request_.terminal) {
      out.key("container");
      out.begin_object();
      out.field("type", "MESOS");
      out.key("tty_info");
      const auto size = window();
      out.raw(size ? window_json(*size) : "{}");
      out.end_object();
    }
    out.end_object();
    out.end_object();
    return text;
  }

  /// The container runs: what is typed goes there.
  void connected() {
    if (!request_.input) return;
    auto made = make("");
    if (!made) return;
    made->headers.set("Content-Type", "application/recordio");
    made->headers.set("Message-Content-Type", "application/json");
    base::http::StreamCallbacks callbacks;
    callbacks.on_head = [this](const base::http::Response& head) { input_status_ = head.status; };
    callbacks.on_data = [this](std::string_view data) {
      if (input_text_.size() < kMaxBacklog) input_text_.append(data);
    };
    callbacks.on_end = [this](const base::Status&) {
      input_open_ = false;
      if (input_status_ >= 400)
        fail(fmt::format("The agent does not take input ({}): {}{}", input_status_, input_text_,
                         request_.command.empty() ? "; with --no-stdin the output is shown alone" : ""));
    };
    callbacks.on_drained = [this] { want_more(); };
    input_call_ = client_.stream_upload(std::move(*made), std::move(callbacks));
    input_open_ = true;
    send_input(R"({"type":"CONTAINER_ID","container_id":)" + container_ + "}");
    if (request_.terminal) send_window();
    loop_.every(kHeartbeat, [this] {
      send_input(R"({"type":"PROCESS_IO","process_io":{"type":"CONTROL","control":{"type":"HEARTBEAT","heartbeat":{"interval":)"
                 R"({"nanoseconds":30000000000}}}}})");
    });
    reader_.emplace(loop_, [this](std::string piece) { typed(std::move(piece)); });
    reader_->next();
  }

  void send_input(const std::string& call) {
    if (!input_open_) return;
    input_call_.write(base::encode_record(R"({"type":"ATTACH_CONTAINER_INPUT","attach_container_input":)" + call + "}"));
  }

  void send_window() {
    if (const auto size = window())
      send_input(R"({"type":"PROCESS_IO","process_io":{"type":"CONTROL","control":{"type":"TTY_INFO","tty_info":)" +
                 window_json(*size) + "}}}");
  }

  void typed(std::string piece) {
    const bool end = piece.empty();
    if (!end && request_.command.empty() && raw_) {
      // ctrl-p, ctrl-q leave; ctrl-p followed by anything else is for the program.
      std::string kept;
      for (const char key : piece) {
        if (held_ && key == kLeave2) return left();
        if (held_) kept += kLeave1;
        held_ = key == kLeave1;
        if (!held_) kept += key;
      }
      piece = std::move(kept);
      if (piece.empty()) return reader_->next();
    }
    send_input(R"({"type":"PROCESS_IO","process_io":{"type":"DATA","data":{"type":"STDIN","data":")" +
               base::base64_encode(piece) + R"("}}})");
    if (end) {
      if (input_open_) input_call_.end();
      input_open_ = false;
      return;
    }
    paused_ = input_call_.queued_bytes() > kMaxBacklog;
    if (!paused_) reader_->next();
  }

  void want_more() {
    if (std::exchange(paused_, false) && reader_) reader_->next();
  }

  void left() {
    output_call_.cancel();
    input_call_.cancel();
    code_ = 0;
    loop_.stop();
  }

  void received(std::string_view data) {
    if (status_ != 200) {
      if (text_.size() < kMaxBacklog) text_.append(data);
      return;
    }
    std::vector<std::string> records;
    if (base::Status status = decoder_.feed(data, records); !status) return fail(status.error().message);
    for (const auto& record : records) {
      auto message = base::json::parse(record);
      if (!message) return fail(message.error().message);
      if (text_at(*message, "/type") != "DATA") continue;
      std::string bytes;
      if (!base::base64_decode(text_at(*message, "/data/data"), bytes)) continue;
      (text_at(*message, "/data/type") == "STDERR" ? output_.err : output_.out)(bytes);
    }
  }

  void output_ended(const base::Status& end) {
    if (status_ != 200) {
      if (status_ == 0) return fail(end ? "the agent cannot be reached" : end.error().message);
      return fail(text_.empty() ? fmt::format("the agent answers with status {}", status_) : text_);
    }
    if (!end) return fail("the connection to the container was lost: " + end.error().message);
    if (request_.command.empty()) return loop_.stop();
    auto wait = make(R"({"type":"WAIT_CONTAINER","wait_container":{"container_id":)" + container_ + "}}");
    if (!wait) return fail(wait.error().message);
    wait->headers.set("Content-Type", "application/json");
    wait->headers.set("Accept", "application/json");
    wait->timeout = kWait;
    client_.request(std::move(*wait), [this](base::Result<base::http::Response> answer) {
      if (!answer || answer->status != 200) return fail("how the command ended is not known");
      auto body = base::json::parse(answer->body);
      const auto* status = body ? base::json::find(*body, "/wait_container/exit_status") : nullptr;
      int64_t number = 0;
      if (status == nullptr || !base::json::to_int(*status, number)) return fail("how the command ended is not known");
      const int raw = static_cast<int>(number);
      code_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
      loop_.stop();
    });
  }

  void fail(const std::string& text) {
    if (!failure_) failure_ = base::Error{base::Code::Internal, text};
    loop_.stop();
  }

  const ClientSettings& settings_;
  const SessionRequest& request_;
  const SessionOutput& output_;
  base::Loop loop_;
  base::http::Client client_;
  std::string container_, text_, input_text_;
  base::http::ClientCall output_call_, input_call_;
  base::RecordDecoder decoder_;
  std::optional<RawTerminal> raw_;
  std::optional<InputReader> reader_;
  std::optional<base::Error> failure_;
  int status_ = 0, input_status_ = 0, code_ = 0;
  bool input_open_ = false, paused_ = false, held_ = false;
};

}  // namespace

base::Result<int> run_session(const ClientSettings& settings, const SessionRequest& request, const SessionOutput& output) {
  return Session(settings, request, output).run();
}

}  // namespace cli
