#pragma once

// Tables as the original prints them (pure).

#include <string>
#include <string_view>
#include <vector>

namespace cli {

class Table {
 public:
  enum class Style {
    Centered,  // two blanks at the left, headers centred, numbers to the right: node, task,
               // service, cluster, app list
    Plain,     // no margin, all to the left: deployments, tasks of Marathon
  };

  explicit Table(std::vector<std::string> header, Style style = Style::Centered)
      : header_(std::move(header)), style_(style) {}

  /// Numbers to the left as everything else.
  void align_left() { numbers_right_ = false; }

  /// A cell may have several lines.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }

  std::string render() const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_{};
  Style style_;
  bool numbers_right_ = true;
};

/// Columns that a text takes on a terminal: code points, not bytes.
size_t display_width(std::string_view text);

}  // namespace cli
