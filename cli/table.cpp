#include "cli/table.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace cli {
namespace {

// "12", "1,234", "-3.5": a cell that reads as a number.
bool is_number(std::string_view text) {
  text = base::trim(text);
  if (text.starts_with('-')) text.remove_prefix(1);
  bool digits = false, point = false;
  for (char c : text) {
    if (c >= '0' && c <= '9') {
      digits = true;
    } else if (c == '.' && digits && !point) {
      point = true;
      digits = false;
    } else if (c != ',' || !digits || point) {
      return false;
    }
  }
  return digits;
}

std::string blanks(size_t count) {
  return std::string(count, ' ');
}

}  // namespace

size_t display_width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string Table::render() const {
  size_t columns = header_.size();
  std::vector<size_t> width(columns);
  for (size_t i = 0; i < columns; ++i) width[i] = display_width(header_[i]);
  for (const auto& row : rows_)
    for (size_t i = 0; i < columns && i < row.size(); ++i)
      for (std::string_view line : base::split(row[i], '\n'))
        width[i] = std::max(width[i], display_width(line));

  std::string out;
  bool centered = style_ == Style::Centered;
  auto put = [&](size_t column, std::string_view text, bool head) {
    size_t gap = width[column] - display_width(text);
    size_t before = 0;
    if (centered && head) before = gap / 2;
    if (centered && !head && numbers_right_ && is_number(text)) before = gap;
    out.append(blanks(before)).append(text).append(blanks(gap - before)).append("  ");
  };
  auto start = [&] { out += centered ? "  " : ""; };
  auto end = [&] { out += '\n'; };

  start();
  for (size_t i = 0; i < columns; ++i) put(i, header_[i], true);
  end();
  for (const auto& row : rows_) {
    std::vector<std::vector<std::string_view>> cells;
    size_t lines = 1;
    for (size_t i = 0; i < columns; ++i) {
      cells.push_back(i < row.size() ? base::split(row[i], '\n')
                                     : std::vector<std::string_view>{""});
      lines = std::max(lines, cells.back().size());
    }
    for (size_t line = 0; line < lines; ++line) {
      start();
      for (size_t i = 0; i < columns; ++i)
        put(i, line < cells[i].size() ? cells[i][line] : "", false);
      end();
    }
  }
  return out;
}

}  // namespace cli
