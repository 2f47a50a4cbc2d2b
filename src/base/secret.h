#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace paperclip {

/// Overwrites memory in a way that no optimiser removes.
void wipe(void* memory, std::size_t size);

namespace detail {
// The whole buffer, not only what is in use: a string that shrank still holds its old tail.
inline void wipe_value(std::string& text) {
  wipe(text.data(), text.capacity());
  text.clear();
}
inline void wipe_value(std::vector<unsigned char>& bytes) {
  wipe(bytes.data(), bytes.size());
  bytes.clear();
}
template <class T>
  requires std::is_trivially_copyable_v<T>
void wipe_value(T& value) {
  wipe(&value, sizeof value);
}
}  // namespace detail

/// A value that must not reach a log, an event or an error. It does not print, compare or convert; whoever needs what
/// is inside says `expose()`, which is easy to search for. Every copy is overwritten when it goes, a moved-from one at
/// once.
template <class T>
class Secret {
 public:
  Secret() = default;
  explicit Secret(T value) : value_(std::move(value)) { detail::wipe_value(value); }
  Secret(const Secret& other) = default;
  Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { detail::wipe_value(other.value_); }
  Secret& operator=(const Secret& other) {
    if (this != &other) *this = Secret(other);
    return *this;
  }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      detail::wipe_value(value_);
      value_ = std::move(other.value_);
      detail::wipe_value(other.value_);
    }
    return *this;
  }
  ~Secret() { detail::wipe_value(value_); }

  const T& expose() const { return value_; }

  friend std::ostream& operator<<(std::ostream&, const Secret&) = delete;
  bool operator==(const Secret&) const = delete;  // constant_time_equal on what both expose

 private:
  T value_{};
};

using SecretText = Secret<std::string>;

}  // namespace paperclip
