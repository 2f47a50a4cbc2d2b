#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>
#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/enum.h"
#include "base/fields.h"
#include "base/id.h"
#include "base/json.h"
#include "base/text.h"
#include "base/time.h"

/// Described structs straight to JSON text, without a tree (spec: keys are camelCase; DESIGN idea 2).
namespace paperclip {

template <class T>
concept DescribedStruct = std::is_class_v<T> && boost::describe::has_describe_members<T>::value && !std::is_union_v<T>;

template <class T>
using members_of = boost::describe::describe_members<T, boost::describe::mod_any_access | boost::describe::mod_inherited>;

/// The wire name of a C++ member: camelCase, a trailing underscore dropped.
inline std::string wire_name(std::string_view member) {
  if (!member.empty() && member.back() == '_') member.remove_suffix(1);
  return camel_case(member);
}

void append_json_string(std::string& out, std::string_view text);

inline void append_json(std::string& out, std::string_view text) { append_json_string(out, text); }
inline void append_json(std::string& out, const std::string& text) { append_json_string(out, text); }
inline void append_json(std::string& out, const char* text) { append_json_string(out, text); }
inline void append_json(std::string& out, bool value) { out += value ? "true" : "false"; }
inline void append_json(std::string& out, std::nullptr_t) { out += "null"; }
inline void append_json(std::string& out, const RawJson& raw) { raw.text.empty() ? out.append("null") : out.append(raw.text); }
void append_json(std::string& out, double value);
void append_json(std::string& out, const json::value& value);
void append_json(std::string& out, const json::object& value);
inline void append_json(std::string& out, const JsonObject& value) { append_json(out, value.value); }
inline void append_json(std::string& out, Timestamp time) {
  char text[26];
  text[0] = text[25] = '"';
  write_iso(time, text + 1);
  out.append(text, 26);
}
template <std::integral N>
  requires(!std::is_same_v<N, bool>)
void append_json(std::string& out, N value) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, end);
}
template <std::int64_t Min, std::int64_t Max>
void append_json(std::string& out, const Int<Min, Max>& value) { append_json(out, value.value); }
template <class Tag>
void append_json(std::string& out, const Id<Tag>& id) {
  out += '"';
  out += id.view();
  out += '"';
}
template <DescribedEnum E>
void append_json(std::string& out, E value) {
  out += '"';
  out += to_text(value);
  out += '"';
}

template <class T>
void append_json(std::string& out, const std::optional<T>& value);
template <class T, class A>
void append_json(std::string& out, const std::vector<T, A>& list);
template <class T>
void append_json(std::string& out, const std::map<std::string, T>& map);
template <DescribedStruct T>
void append_json(std::string& out, const T& value);

template <class T>
void append_json(std::string& out, const std::optional<T>& value) {
  if (value) append_json(out, *value);
  else out += "null";
}
template <class T>
void append_json(std::string& out, const Default<T>& value) { append_json(out, value.value); }
template <class T>
void append_json(std::string& out, const Patch<T>& value) { append_json(out, value.optional()); }

template <class T, class A>
void append_json(std::string& out, const std::vector<T, A>& list) {
  out += '[';
  bool first = true;
  for (const auto& item : list) {
    if (!first) out += ',';
    first = false;
    append_json(out, item);
  }
  out += ']';
}

template <class T>
void append_json(std::string& out, const std::map<std::string, T>& map) {
  out += '{';
  bool first = true;
  for (const auto& [key, value] : map) {
    if (!first) out += ',';
    first = false;
    append_json_string(out, key);
    out += ':';
    append_json(out, value);
  }
  out += '}';
}

namespace detail {
template <class T>
struct is_omit : std::false_type {};
template <class T>
struct is_omit<Omit<T>> : std::true_type {};
template <class T>
struct is_flat : std::false_type {};
template <class T>
struct is_flat<Flat<T>> : std::true_type {
  using part = T;
};
}  // namespace detail

/// The members of a described struct without the braces; `first` says whether a comma is due.
template <DescribedStruct T>
void append_json_members(std::string& out, const T& value, bool& first) {
  boost::mp11::mp_for_each<members_of<T>>([&](auto d) {
    const auto& member = value.*d.pointer;
    using M = std::remove_cvref_t<decltype(member)>;
    if constexpr (detail::is_flat<M>::value) {
      append_json_members(out, static_cast<const typename detail::is_flat<M>::part&>(member), first);
    } else {
      static const std::string key = "\"" + wire_name(d.name) + "\":";
      if constexpr (detail::is_omit<M>::value)
        if (!member) return;
      if (!first) out += ',';
      first = false;
      out += key;
      if constexpr (detail::is_omit<M>::value) append_json(out, *member);
      else append_json(out, member);
    }
  });
}

template <DescribedStruct T>
void append_json(std::string& out, const T& value) {
  out += '{';
  bool first = true;
  append_json_members(out, value, first);
  out += '}';
}

template <class T>
std::string write_json(const T& value) {
  std::string out;
  append_json(out, value);
  return out;
}

/// The same description as a tree, for places that edit JSON (activity details, redaction).
template <class T>
json::value to_json(const T& value) { return RawJson(write_json(value)).parse(); }

/// Writes an object key by key, for answers that no struct describes.
class JsonObjectWriter {
 public:
  explicit JsonObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  template <class T>
  JsonObjectWriter& field(std::string_view key, const T& value) {
    begin(key);
    append_json(out_, value);
    return *this;
  }
  /// All members of a described struct.
  template <DescribedStruct T>
  JsonObjectWriter& members(const T& value) {
    append_json_members(out_, value, first_);
    return *this;
  }
  /// The caller appends the value to the returned text.
  std::string& begin(std::string_view key) {
    if (!first_) out_ += ',';
    first_ = false;
    append_json_string(out_, key);
    out_ += ':';
    return out_;
  }
  void end() { out_ += '}'; }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace paperclip
