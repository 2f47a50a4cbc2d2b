#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

/// The types of wire fields: constraints and presence are types, so that a described struct says all there is to say.
/// How each is read from a body stands in `read_json.h`, how it is written in `write_json.h`.
namespace paperclip {

/// May be absent, must not be null (zod `.optional()`); written as no key when empty.
template <class T>
struct Omit : std::optional<T> {
  using std::optional<T>::optional;
  using std::optional<T>::operator=;
};

/// Absent, null or a value: the fields of a PATCH body (zod `.nullish()` with the difference kept).
template <class T>
class Patch {
 public:
  Patch() = default;
  Patch(T value) : present_(true), value_(std::move(value)) {}  // NOLINT: implicit by design
  static Patch null() { Patch p; p.present_ = true; return p; }

  bool present() const { return present_; }
  bool is_null() const { return present_ && !value_; }
  bool has_value() const { return value_.has_value(); }
  explicit operator bool() const { return present_; }
  const T& operator*() const { return *value_; }
  const T* operator->() const { return &*value_; }
  const std::optional<T>& optional() const { return value_; }
  /// Stores the new value (or nothing, for null) if the field was sent.
  template <class U>
  void apply(std::optional<U>& to) const {
    if (!present_) return;
    if (value_) to = U(*value_);
    else to.reset();
  }

 private:
  bool present_ = false;
  std::optional<T> value_;
};

/// Absent keeps the default the struct's member initialiser gave (zod `.default()`).
template <class T>
struct Default {
  T value{};
  Default() = default;
  Default(T v) : value(std::move(v)) {}  // NOLINT: implicit by design
  operator const T&() const { return value; }
  const T& operator*() const { return value; }
  const T* operator->() const { return &value; }
};

constexpr std::size_t unlimited = static_cast<std::size_t>(-1);

/// Text with a length in UTF-16 units between Min and Max.
template <std::size_t Min, std::size_t Max = unlimited>
struct Text : std::string {
  using std::string::string;
  Text(std::string text) : std::string(std::move(text)) {}  // NOLINT: implicit by design
};
/// The same, trimmed before it is measured.
template <std::size_t Min, std::size_t Max = unlimited>
struct Trimmed : std::string {
  using std::string::string;
  Trimmed(std::string text) : std::string(std::move(text)) {}  // NOLINT: implicit by design
};
/// The same, with left-over `\n` escapes made real newlines first (spec/issues.md 0.4).
template <std::size_t Min, std::size_t Max = unlimited>
struct Multiline : std::string {
  using std::string::string;
  Multiline(std::string text) : std::string(std::move(text)) {}  // NOLINT: implicit by design
};

/// A whole number between Min and Max.
template <std::int64_t Min = INT64_MIN, std::int64_t Max = INT64_MAX>
struct Int {
  std::int64_t value = 0;
  Int() = default;
  Int(std::int64_t v) : value(v) {}  // NOLINT: implicit by design
  operator std::int64_t() const { return value; }
};

/// An absolute URL.
struct Url : std::string {
  using std::string::string;
  Url(std::string text) : std::string(std::move(text)) {}  // NOLINT: implicit by design
};

/// Any JSON object.
struct JsonObject {
  json::object value;
  RawJson raw() const { return RawJson(json::value(value)); }
};

/// A list with a length between Min and Max.
template <class T, std::size_t Min = 0, std::size_t Max = unlimited>
struct List : std::vector<T> {
  using std::vector<T>::vector;
};

/// The members of T stand among those of the struct that holds it (a wide answer from narrow parts).
template <class T>
struct Flat : T {
  Flat() = default;
  Flat(T value) : T(std::move(value)) {}  // NOLINT: implicit by design
};

/// The two-character escapes `\r\n`, `\n`, `\r` become line feeds.
std::string normalise_escaped_newlines(std::string text);

}  // namespace paperclip
