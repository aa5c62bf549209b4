#include "base/http/parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <utility>

#include "base/strings.hpp"

namespace base::http {

namespace beast = boost::beast;

namespace {

constexpr size_t kMaxFields = 200;
constexpr size_t kShortestEnd = 5;  // "0\r\n\r\n", of a chunked body

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

/// What requests and answers have in common; `Message` is Request or Response.
template <bool is_request, class Message>
class MessageParser : public beast::http::basic_parser<is_request> {
  using Base = beast::http::basic_parser<is_request>;
  using Error = beast::error_code;

 public:
  explicit MessageParser(size_t max_header_bytes) {
    this->header_limit(static_cast<uint32_t>(max_header_bytes));
    this->body_limit(boost::none);
    this->eager(false);
    message.headers.reserve(12);
  }

  Message message;
  MessageInfo info;
  ParseFailure failure;
  std::string_view piece;
  std::string_view window;  // the bytes being parsed, to tell unfolded values
  bool head_reported = false;
  bool done_reported = false;
  int hosts = 0;
  uint64_t chunk_left = 0;

  /// Beast ends the process when it is asked about the end of a chunked body before that can be whole.
  bool wants_more(size_t size) const {
    return head_reported && info.chunked && chunk_left == 0 && size < kShortestEnd;
  }

  Error fail(int status, std::string text) {
    failure = {status, std::move(text)};
    return make_error_code(beast::http::error::bad_value);
  }

 private:
  void on_request_impl(beast::http::verb verb, beast::string_view method, beast::string_view target,
                       int version, Error& error) override {
    (void)verb;
    if constexpr (is_request) {
      message.method.assign(method.data(), method.size());
      message.target.assign(target.data(), target.size());
      info.http10 = version == 10;
      if (verb == beast::http::verb::unknown) error = fail(501, "unknown method");
    }
  }

  void on_response_impl(int status, beast::string_view, int version, Error&) override {
    if constexpr (!is_request) {
      message.status = status;
      info.http10 = version == 10;
    }
  }

  void on_field_impl(beast::http::field field, beast::string_view name, beast::string_view value,
                     Error& error) override {
    if (head_reported) return;  // trailers say nothing that may be believed
    std::string_view text = view(value);
    if (!text.empty() && is_folded(view(name), text)) {
      error = fail(400, "folded header lines are not accepted");
      return;
    }
    if (message.headers.all().size() >= kMaxFields) {
      error = fail(431, "too many header fields");
      return;
    }
    switch (field) {
      case beast::http::field::content_length:
        if (info.content_length) {
          error = fail(400, "more than one Content-Length");
          return;
        }
        info.content_length = 0;
        break;
      case beast::http::field::transfer_encoding:
        if (!iequals(text, "chunked")) {
          error = fail(is_request ? 501 : 400, "unknown Transfer-Encoding");
          return;
        }
        info.chunked = true;
        break;
      case beast::http::field::host:
        ++hosts;
        break;
      case beast::http::field::expect:
        if constexpr (is_request) {
          if (!iequals(text, "100-continue")) {
            error = fail(417, "unknown expectation");
            return;
          }
          info.expects_continue = true;
        }
        break;
      default:
        break;
    }
    message.headers.add(std::string(view(name)), std::string(text));
  }

  /// Beast joins the lines of a folded value in a buffer of its own, unless its first line is blank.
  bool is_folded(std::string_view name, std::string_view value) const {
    if (value.data() < window.data() || value.data() >= window.data() + window.size()) return true;
    const char* end = name.data() + name.size();
    std::string_view between(end, static_cast<size_t>(value.data() - end));
    return between.find('\n') != std::string_view::npos;
  }

  void on_header_impl(Error& error) override {
    info.keep_alive = this->keep_alive();
    info.upgrade = this->upgrade();
    if (info.chunked && info.content_length) {
      error = fail(400, "both Content-Length and Transfer-Encoding");
      return;
    }
    if (info.content_length) {
      if (auto length = this->content_length()) info.content_length = *length;
    }
    if constexpr (is_request) {
      if (info.chunked && info.http10) {
        error = fail(400, "HTTP/1.0 has no chunked bodies");
        return;
      }
      check_target(error);
    } else {
      info.until_close = this->need_eof();
    }
  }

  /// Brings the target into the form "/path?query".
  void check_target(Error& error) {
    if constexpr (is_request) {
      if (hosts > 1 || (hosts == 0 && !info.http10)) {
        error = fail(400, hosts > 1 ? "more than one Host" : "the Host header is missing");
        return;
      }
      std::string& target = message.target;
      if (!target.starts_with('/') && target != "*") {
        size_t scheme = target.find("://");
        if (scheme == std::string::npos || message.method == "CONNECT" ||
            !(iequals(target.substr(0, scheme), "http") ||
              iequals(target.substr(0, scheme), "https"))) {
          error = fail(400, "the request target must be a path");
          return;
        }
        size_t begin = scheme + 3;
        size_t end = target.find_first_of("/?", begin);
        message.headers.set("Host", target.substr(begin, end == std::string::npos ? end : end - begin));
        std::string path = end == std::string::npos ? "/" : target.substr(end);
        target = path.starts_with('?') ? "/" + path : path;
      }
      size_t query = target.find('?');
      message.path.assign(target, 0, query);
      if (query != std::string::npos) message.query_text.assign(target, query + 1);
    }
  }

  void on_body_init_impl(const boost::optional<uint64_t>&, Error&) override {}

  size_t on_body_impl(beast::string_view body, Error&) override {
    piece = view(body);
    return body.size();
  }

  void on_chunk_header_impl(uint64_t size, beast::string_view, Error&) override { chunk_left = size; }

  size_t on_chunk_body_impl(uint64_t, beast::string_view body, Error&) override {
    piece = view(body);
    chunk_left -= body.size();
    return body.size();
  }

  void on_finish_impl(Error&) override {}
};

int status_of(const beast::error_code& error) {
  if (error == beast::http::error::header_limit) return 431;
  if (error == beast::http::error::body_limit) return 413;
  if (error == beast::http::error::bad_version) return 505;
  return 400;
}

/// One step; common to both kinds.
template <class Parser>
ParseEvent step(Parser& parser, std::string_view& data, size_t max_header_bytes) {
  for (;;) {
    if (parser.is_done()) {
      parser.done_reported = true;
      return ParseEvent::Done;
    }
    if (data.empty() || parser.wants_more(data.size())) return ParseEvent::NeedMore;
    parser.piece = {};
    parser.window = data;
    beast::error_code error;
    size_t taken = parser.put(boost::asio::const_buffer(data.data(), data.size()), error);
    data.remove_prefix(taken);
    if (error == beast::http::error::need_more) {
      // Also a chunk header or a trailer without end is refused.
      if (data.size() <= max_header_bytes) return ParseEvent::NeedMore;
      parser.failure = {431, "the header is larger than the limit"};
      return ParseEvent::Failed;
    }
    if (error) {
      if (parser.failure.message.empty()) {
        parser.failure = {status_of(error), "malformed HTTP message: " + error.message()};
      }
      return ParseEvent::Failed;
    }
    if (parser.is_header_done() && !parser.head_reported) {
      // Beast counts the fields alone; what comes in pieces is measured as a whole.
      if (taken > max_header_bytes) {
        parser.failure = {431, "the header is larger than the limit"};
        return ParseEvent::Failed;
      }
      parser.head_reported = true;
      return ParseEvent::Head;
    }
    if (!parser.piece.empty()) return ParseEvent::Body;
  }
}

}  // namespace

struct RequestParser::Impl {
  size_t max_header_bytes;
  std::optional<MessageParser<true, Request>> parser;
};

RequestParser::RequestParser(size_t max_header_bytes)
    : impl_(new Impl{max_header_bytes, std::nullopt}) {}
RequestParser::~RequestParser() = default;

void RequestParser::begin() { impl_->parser.reset(); }
bool RequestParser::started() const { return impl_->parser && !impl_->parser->done_reported; }

ParseEvent RequestParser::next(std::string_view& data) {
  if (!impl_->parser) {
    // Empty lines before a request line are tolerated (RFC 9112 2.2).
    while (data.starts_with("\r\n")) data.remove_prefix(2);
    if (data.empty() || data == "\r") return ParseEvent::NeedMore;
    impl_->parser.emplace(impl_->max_header_bytes);
  }
  return step(*impl_->parser, data, impl_->max_header_bytes);
}

Request& RequestParser::head() { return impl_->parser->message; }
const MessageInfo& RequestParser::info() const { return impl_->parser->info; }
std::string_view RequestParser::piece() const { return impl_->parser->piece; }
const ParseFailure& RequestParser::failure() const { return impl_->parser->failure; }

struct ResponseParser::Impl {
  size_t max_header_bytes;
  std::optional<MessageParser<false, Response>> parser;
};

ResponseParser::ResponseParser(size_t max_header_bytes)
    : impl_(new Impl{max_header_bytes, std::nullopt}) {}
ResponseParser::~ResponseParser() = default;

void ResponseParser::begin(bool no_body) {
  impl_->parser.emplace(impl_->max_header_bytes);
  if (no_body) impl_->parser->skip(true);
}

bool ResponseParser::started() const { return impl_->parser && impl_->parser->got_some(); }

ParseEvent ResponseParser::next(std::string_view& data) {
  return step(*impl_->parser, data, impl_->max_header_bytes);
}

ParseEvent ResponseParser::end_of_stream() {
  auto& parser = *impl_->parser;
  beast::error_code error;
  if (parser.is_done()) return ParseEvent::Done;
  if (parser.got_some()) parser.put_eof(error);
  if (!error && parser.is_done()) return ParseEvent::Done;
  parser.failure = {502, "the connection was closed before the answer was complete"};
  return ParseEvent::Failed;
}

Response& ResponseParser::head() { return impl_->parser->message; }
const MessageInfo& ResponseParser::info() const { return impl_->parser->info; }
std::string_view ResponseParser::piece() const { return impl_->parser->piece; }
const ParseFailure& ResponseParser::failure() const { return impl_->parser->failure; }

}  // namespace base::http
