#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace paperclip {

/// The closed set of expected failures. Each maps to one HTTP status (spec/platform.md 1.3), see `http_status`.
enum class ErrorKind {
  bad_request,     // 400
  validation,      // 400, details are schema issues
  unauthorized,    // 401
  forbidden,       // 403
  not_found,       // 404
  conflict,        // 409
  gone,            // 410
  too_large,       // 413
  unprocessable,   // 422
  too_many,        // 429
  internal,        // 500
  bad_gateway,     // 502
  unavailable,     // 503
  timeout,         // 504
};

/// An expected failure: what was wrong, with which value, and what to do about it.
struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string message;
  /// Goes out as `details`; null means there is none.
  boost::json::value details = nullptr;
  /// Further top-level keys of the error body, for the few errors that have them. Null or an object.
  boost::json::value extra = nullptr;

  Error(ErrorKind kind_, std::string message_, boost::json::value details_ = nullptr)
      : kind(kind_), message(std::move(message_)), details(std::move(details_)) {}
};

int http_status(ErrorKind kind);

inline Error bad_request(std::string message, boost::json::value details = nullptr) {
  return {ErrorKind::bad_request, std::move(message), std::move(details)};
}
inline Error unauthorized(std::string message = "Unauthorized") { return {ErrorKind::unauthorized, std::move(message)}; }
inline Error forbidden(std::string message = "Forbidden", boost::json::value details = nullptr) {
  return {ErrorKind::forbidden, std::move(message), std::move(details)};
}
inline Error not_found(std::string message = "Not found") { return {ErrorKind::not_found, std::move(message)}; }
inline Error conflict(std::string message, boost::json::value details = nullptr) {
  return {ErrorKind::conflict, std::move(message), std::move(details)};
}
inline Error unprocessable(std::string message, boost::json::value details = nullptr) {
  return {ErrorKind::unprocessable, std::move(message), std::move(details)};
}
inline Error internal_error(std::string message) { return {ErrorKind::internal, std::move(message)}; }

/// A value or an Error. `Result<void>` holds nothing on success.
template <class T = void>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  template <class U>
    requires(std::is_constructible_v<T, U &&> && !std::is_same_v<std::decay_t<U>, Result> &&
             !std::is_same_v<std::decay_t<U>, Error> && !std::is_same_v<std::decay_t<U>, T>)
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  void value() const {}
  void operator*() const {}
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};

inline Result<void> success() { return {}; }

}  // namespace paperclip

/// Evaluates to the value of a Result, or returns its error from the enclosing function. Not for use in coroutines.
#define TRY(expression)                                          \
  __extension__({                                                \
    auto&& try_result_ = (expression);                           \
    if (!try_result_.ok()) return std::move(try_result_).error(); \
    *std::move(try_result_);                                     \
  })
