#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>
#include <cmath>
#include <concepts>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum.h"
#include "base/fields.h"
#include "base/id.h"
#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "base/write_json.h"

/// Bodies into described structs. What does not fit becomes an issue of the reference's form (spec/platform.md 1.3).
namespace paperclip {

/// Where we are in the body and what was wrong so far.
class SchemaIssues {
 public:
  /// Adds an issue at the current path. `extra` are the further keys of its code.
  void add(std::string_view code, std::string message, json::object extra = {});
  void invalid_type(std::string_view expected, const json::value* received);
  bool empty() const { return issues_.empty(); }
  std::size_t size() const { return issues_.size(); }
  /// The 400 `Validation error` that lists them.
  Error error() &&;

  class Step {
   public:
    Step(SchemaIssues& issues, json::value part) : issues_(issues) { issues_.path_.push_back(std::move(part)); }
    ~Step() { issues_.path_.pop_back(); }
    Step(const Step&) = delete;

   private:
    SchemaIssues& issues_;
  };

 private:
  json::array path_;
  json::array issues_;
};

/// A schema of its own: has `static void read(const json::value*, T&, SchemaIssues&)`. A null pointer means absent.
template <class T>
concept HasOwnReader = requires(const json::value* v, T& t, SchemaIssues& i) { T::read(v, t, i); };

void read_json(const json::value* value, bool& out, SchemaIssues& issues);
void read_json(const json::value* value, double& out, SchemaIssues& issues);
void read_json(const json::value* value, std::string& out, SchemaIssues& issues);
void read_json(const json::value* value, Timestamp& out, SchemaIssues& issues);
void read_json(const json::value* value, RawJson& out, SchemaIssues& issues);
void read_json(const json::value* value, json::value& out, SchemaIssues& issues);
void read_json(const json::value* value, JsonObject& out, SchemaIssues& issues);
void read_json(const json::value* value, Url& out, SchemaIssues& issues);

namespace detail {
bool read_text(const json::value* value, std::string& out, SchemaIssues& issues);
void check_length(std::string_view text, std::size_t min, std::size_t max, SchemaIssues& issues);
void check_count(std::size_t count, std::size_t min, std::size_t max, SchemaIssues& issues);
void read_int(const json::value* value, std::int64_t& out, std::int64_t min, std::int64_t max, SchemaIssues& issues);
void unknown_keys(const json::object& object, const std::vector<std::string>& known, SchemaIssues& issues);
void bad_enum(const json::value& value, const std::vector<std::string_view>& words, SchemaIssues& issues);
}  // namespace detail

template <std::integral N>
  requires(!std::is_same_v<N, bool>)
void read_json(const json::value* value, N& out, SchemaIssues& issues) {
  std::int64_t wide = 0;
  detail::read_int(value, wide, std::numeric_limits<N>::min(), std::numeric_limits<N>::max(), issues);
  out = static_cast<N>(wide);
}

template <std::int64_t Min, std::int64_t Max>
void read_json(const json::value* value, Int<Min, Max>& out, SchemaIssues& issues) {
  detail::read_int(value, out.value, Min, Max, issues);
}

template <std::size_t Min, std::size_t Max>
void read_json(const json::value* value, Text<Min, Max>& out, SchemaIssues& issues) {
  if (detail::read_text(value, out, issues)) detail::check_length(out, Min, Max, issues);
}

template <std::size_t Min, std::size_t Max>
void read_json(const json::value* value, Trimmed<Min, Max>& out, SchemaIssues& issues) {
  if (!detail::read_text(value, out, issues)) return;
  out = std::string(trim(out));
  detail::check_length(out, Min, Max, issues);
}

template <std::size_t Min, std::size_t Max>
void read_json(const json::value* value, Multiline<Min, Max>& out, SchemaIssues& issues) {
  if (!detail::read_text(value, out, issues)) return;
  out = normalise_escaped_newlines(std::move(out));
  detail::check_length(out, Min, Max, issues);
}

template <class Tag>
void read_json(const json::value* value, Id<Tag>& out, SchemaIssues& issues) {
  std::string text;
  if (!detail::read_text(value, text, issues)) return;
  if (auto id = Id<Tag>::parse(text)) out = *id;
  else issues.add("invalid_string", "Invalid uuid", {{"validation", "uuid"}});
}

template <DescribedEnum E>
void read_json(const json::value* value, E& out, SchemaIssues& issues) {
  if (value == nullptr || !value->is_string()) {
    // zod names the choices as the expected type.
    std::string expected;
    for (auto word : enum_words<E>()) (expected += expected.empty() ? "'" : " | '").append(word) += "'";
    return issues.invalid_type(expected, value);
  }
  if (auto found = parse_enum<E>(value->get_string())) out = *found;
  else detail::bad_enum(*value, enum_words<E>(), issues);
}

template <HasOwnReader T>
void read_json(const json::value* value, T& out, SchemaIssues& issues) { T::read(value, out, issues); }
template <class T>
void read_json(const json::value* value, std::optional<T>& out, SchemaIssues& issues);
template <class T>
void read_json(const json::value* value, Omit<T>& out, SchemaIssues& issues);
template <class T>
void read_json(const json::value* value, Patch<T>& out, SchemaIssues& issues);
template <class T>
void read_json(const json::value* value, Default<T>& out, SchemaIssues& issues);
template <class T>
void read_json(const json::value* value, std::vector<T>& out, SchemaIssues& issues);
template <class T, std::size_t Min, std::size_t Max>
void read_json(const json::value* value, List<T, Min, Max>& out, SchemaIssues& issues);
template <class T>
void read_json(const json::value* value, std::map<std::string, T>& out, SchemaIssues& issues);
template <DescribedStruct T>
  requires(!HasOwnReader<T>)
void read_json(const json::value* value, T& out, SchemaIssues& issues);

template <class T>
void read_json(const json::value* value, std::optional<T>& out, SchemaIssues& issues) {
  out.reset();
  if (value == nullptr || value->is_null()) return;
  read_json(value, out.emplace(), issues);
}

template <class T>
void read_json(const json::value* value, Omit<T>& out, SchemaIssues& issues) {
  out.reset();
  if (value != nullptr) read_json(value, out.emplace(), issues);
}

template <class T>
void read_json(const json::value* value, Patch<T>& out, SchemaIssues& issues) {
  if (value == nullptr) return;
  if (value->is_null()) {
    out = Patch<T>::null();
    return;
  }
  T inner{};
  read_json(value, inner, issues);
  out = Patch<T>(std::move(inner));
}

template <class T>
void read_json(const json::value* value, Default<T>& out, SchemaIssues& issues) {
  if (value != nullptr) read_json(value, out.value, issues);
}

template <class T>
void read_json(const json::value* value, std::vector<T>& out, SchemaIssues& issues) {
  if (value == nullptr || !value->is_array()) return issues.invalid_type("array", value);
  const auto& items = value->get_array();
  out.resize(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    SchemaIssues::Step step(issues, static_cast<std::int64_t>(i));
    T item{};
    read_json(&items[i], item, issues);
    out[i] = std::move(item);
  }
}

template <class T, std::size_t Min, std::size_t Max>
void read_json(const json::value* value, List<T, Min, Max>& out, SchemaIssues& issues) {
  read_json(value, static_cast<std::vector<T>&>(out), issues);
  if (value != nullptr && value->is_array()) detail::check_count(out.size(), Min, Max, issues);
}

template <class T>
void read_json(const json::value* value, std::map<std::string, T>& out, SchemaIssues& issues) {
  if (value == nullptr || !value->is_object()) return issues.invalid_type("object", value);
  for (const auto& item : value->get_object()) {
    SchemaIssues::Step step(issues, item.key());
    read_json(&item.value(), out[std::string(item.key())], issues);
  }
}

namespace detail {
template <class T>
void read_members(const json::object& object, T& out, SchemaIssues& issues, std::vector<std::string>* known) {
  boost::mp11::mp_for_each<members_of<T>>([&](auto d) {
    auto& member = out.*d.pointer;
    using M = std::remove_cvref_t<decltype(member)>;
    if constexpr (is_flat<M>::value) {
      read_members(object, static_cast<typename is_flat<M>::part&>(member), issues, known);
    } else {
      static const std::string key = wire_name(d.name);
      if (known != nullptr) known->push_back(key);
      SchemaIssues::Step step(issues, json::string(key));
      read_json(object.if_contains(key), member, issues);
    }
  });
}
}  // namespace detail

/// A struct with `static constexpr bool strict = true` refuses unknown keys. One with
/// `void check(SchemaIssues&) const` adds its own conditions once every field was fine.
template <DescribedStruct T>
  requires(!HasOwnReader<T>)
void read_json(const json::value* value, T& out, SchemaIssues& issues) {
  if (value == nullptr || !value->is_object()) return issues.invalid_type("object", value);
  const std::size_t before = issues.size();
  if constexpr (requires { T::strict; }) {
    std::vector<std::string> known;
    detail::read_members(value->get_object(), out, issues, &known);
    detail::unknown_keys(value->get_object(), known, issues);
  } else {
    detail::read_members(value->get_object(), out, issues, nullptr);
  }
  if constexpr (requires { out.check(issues); })
    if (issues.size() == before) out.check(issues);
}

/// Reads a whole body; a null pointer is a missing one.
template <class T>
Result<T> decode(const json::value* body) {
  T out{};
  SchemaIssues issues;
  read_json(body, out, issues);
  if (!issues.empty()) return std::move(issues).error();
  return out;
}

}  // namespace paperclip
