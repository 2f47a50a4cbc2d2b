#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace paperclip::runner {

/// Writes numbers (little-endian) and length-prefixed texts: the only encoding that frames and records know.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <class T>
    requires std::is_integral_v<T>
  ByteWriter& number(T value) {
    auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      out_.push_back(static_cast<char>(bits & 0xff));
      if constexpr (sizeof(T) > 1) bits >>= 8;
    }
    return *this;
  }
  ByteWriter& text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    out_.append(value);
    return *this;
  }

 private:
  std::string& out_;
};

/// Reads what ByteWriter wrote. After reading past the end every value is zero or empty and `ok()` is false.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
    requires std::is_integral_v<T>
  T number() {
    if (bytes_.size() < sizeof(T)) return fail<T>();
    std::make_unsigned_t<T> bits = 0;
    for (std::size_t i = sizeof(T); i-- > 0;) {
      if constexpr (sizeof(T) > 1) bits <<= 8;
      bits = static_cast<std::make_unsigned_t<T>>(bits | static_cast<unsigned char>(bytes_[i]));
    }
    bytes_.remove_prefix(sizeof(T));
    return static_cast<T>(bits);
  }
  std::string_view text() {
    const auto size = number<std::uint32_t>();
    if (!ok_ || bytes_.size() < size) return fail<std::string_view>();
    const auto value = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return value;
  }
  std::string_view rest() const { return bytes_; }
  bool ok() const { return ok_; }

 private:
  template <class T>
  T fail() {
    ok_ = false;
    bytes_ = {};
    return T{};
  }

  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace paperclip::runner
