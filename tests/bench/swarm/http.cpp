#include "tests/bench/swarm/http.hpp"

#include <algorithm>
#include <utility>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace swarm {

std::string Answer::header(const std::string& name) const {
  const size_t at = base::to_lower(headers).find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const size_t from = at + name.size() + 4;
  return headers.substr(from, headers.find("\r\n", from) - from);
}

void Http::write_request(const std::string& method, const std::string& target, const std::string& fields,
                         std::string_view body) {
  if (!is_open()) {
    in_.clear();
    at_ = 0;
    in_body_ = streaming_ = false;
    open(server_);
  }
  send(method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields +
       "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  send(body);
}

void Http::turn_to(Endpoint server) {
  close();
  waiting_.clear();
  server_ = std::move(server);
}

void Http::request(const std::string& method, const std::string& target, const std::string& fields, std::string_view body,
                   std::function<void(Answer)> done) {
  write_request(method, target, fields, body);
  waiting_.push_back(std::move(done));
}

void Http::stream(const std::string& method, const std::string& target, const std::string& fields, std::string_view body,
                  Stream stream) {
  write_request(method, target, fields, body);
  stream_ = std::move(stream);
  streaming_ = true;
}

void Http::on_closed() {
  for (auto& done : std::exchange(waiting_, {})) done(Answer{});
  if (std::exchange(streaming_, false) && stream_.on_end) stream_.on_end();
}

void Http::on_data(std::string_view bytes) {
  in_.append(bytes);
  while (in_body_ ? take_body() : take_head()) {
  }
  in_.erase(0, std::exchange(at_, 0));
}

bool Http::take_head() {
  const size_t end = in_.find("\r\n\r\n", at_);
  if (end == std::string::npos) return false;
  answer_ = Answer{};
  answer_.headers = in_.substr(at_, end + 2 - at_);
  answer_.status = static_cast<int>(base::parse_uint(std::string_view(in_).substr(at_ + 9, 3)).value_or(0));
  at_ = end + 4;
  chunked_ = !answer_.header("transfer-encoding").empty();
  left_ = chunked_ ? 0 : base::parse_uint(answer_.header("content-length")).value_or(0);
  in_body_ = true;
  if (streaming_ && stream_.on_head) stream_.on_head(answer_);
  return true;
}

bool Http::take_body() {
  const auto take = [&](size_t size) {
    const std::string_view data = std::string_view(in_).substr(at_, size);
    if (streaming_) {
      if (stream_.on_data) stream_.on_data(data);
    } else {
      answer_.body.append(data);
    }
    at_ += size;
    left_ -= size;
  };
  if (left_ > 0) {
    const size_t here = std::min(left_, in_.size() - at_);
    if (here == 0) return false;
    take(here);
    if (left_ > 0) return false;
  }
  if (!chunked_) {
    finish();
    return true;
  }
  // After a chunk: its line end (none before the first), then the next one's size.
  size_t line = at_;
  if (in_.size() - at_ >= 2 && in_.compare(at_, 2, "\r\n") == 0) line += 2;
  const size_t end = in_.find("\r\n", line);
  if (end == std::string::npos) return false;
  left_ = std::strtoull(in_.c_str() + line, nullptr, 16);
  at_ = end + 2;
  if (left_ > 0) return true;
  if (in_.size() - at_ >= 2) at_ += 2;  // the end of the trailers, which arrive with the last chunk
  finish();
  return true;
}

void Http::finish() {
  in_body_ = false;
  if (std::exchange(streaming_, false)) {
    if (stream_.on_end) stream_.on_end();
    return;
  }
  if (waiting_.empty()) return;
  const auto done = std::move(waiting_.front());
  waiting_.pop_front();
  done(std::move(answer_));
}

}  // namespace swarm
