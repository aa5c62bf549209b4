#pragma once

// Amounts with three decimals, kept as an integer number of thousandths, so that 0.1 + 0.2 == 0.3 and sums never drift.

#include <cmath>
#include <compare>
#include <cstdint>
#include <limits>

namespace resources {

class Scalar {
 public:
  constexpr Scalar() = default;
  static constexpr Scalar from_thousandths(int64_t value) { return Scalar(value); }
  static constexpr Scalar from_int(int64_t value) { return Scalar(value * 1000); }

  /// Values that a message may carry: finite, and small enough that thousandths fit with room for sums.
  static bool representable(double value) { return std::isfinite(value) && std::fabs(value) <= 1e15; }

  /// Rounds to the nearest thousandth. `value` is representable.
  static Scalar from_double(double value) { return Scalar(std::llround(value * 1000)); }

  constexpr int64_t thousandths() const { return value_; }
  double value() const { return static_cast<double>(value_) / 1000; }
  constexpr bool zero() const { return value_ == 0; }
  constexpr bool positive() const { return value_ > 0; }

  auto operator<=>(const Scalar&) const = default;

  // Sums saturate: an absurd total must not become a small or a negative one.
  Scalar& operator+=(Scalar other) {
    if (__builtin_add_overflow(value_, other.value_, &value_)) {
      value_ = other.value_ > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
    }
    return *this;
  }
  Scalar& operator-=(Scalar other) { return *this += Scalar(-other.value_); }
  friend Scalar operator+(Scalar a, Scalar b) { return a += b; }
  friend Scalar operator-(Scalar a, Scalar b) { return a -= b; }

 private:
  constexpr explicit Scalar(int64_t value) : value_(value) {}
  int64_t value_ = 0;
};

}  // namespace resources
