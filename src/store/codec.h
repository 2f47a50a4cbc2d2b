#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/enum.h"
#include "base/id.h"
#include "base/json.h"
#include "base/time.h"

namespace paperclip::store {

/// The few ways in which a value travels to and from an engine.
enum class Kind : unsigned char { text, integer, real };

/// One value on its way.
struct Slot {
  bool is_null = true;
  std::string text;
  long long integer = 0;
  double real = 0;
};

/// How values of one C++ type become slots and slots become values.
struct Codec {
  Kind kind;
  bool nullable;
  /// The PostgreSQL type of a parameter of this C++ type.
  std::string_view sql_type;
  /// For a list: the PostgreSQL type of its elements. Otherwise empty.
  std::string_view element_type;
  void (*write)(const void* value, Slot& slot);
  /// Takes a slot that is not null; may take its text away. Throws StoreError when the slot's value does not fit.
  void (*read)(Slot& slot, void* value);
  /// Sets the value to null; only called when `nullable`.
  void (*clear)(void* value);
};

/// How a type of your own is stored: specialise with
/// `using type = <a supported type>; static type store(const T&); static T load(type);`.
template <class T>
struct StoredAs;

template <class T>
concept HasStoredAs = requires { typename StoredAs<T>::type; };

namespace detail {
/// Throws StoreError (bad_request) for what not both engines can hold: U+0000 and invalid UTF-8.
void check_text(std::string_view text);
/// The same, and also the escape \u0000, which jsonb refuses.
void check_json(std::string_view text);
[[noreturn]] void does_not_fit(std::string_view what, std::string_view value);
void append_json(const Slot& slot, Kind kind, std::string& out);
void write_id(std::string_view id, Slot& slot);

void write_string(const void* value, Slot& slot);
/// Swaps rather than copies: a row that is filled again gives its buffer back to the statement.
void read_string(Slot& slot, void* value);
void write_view(const void* value, Slot& slot);
void write_bool(const void* value, Slot& slot);
void read_bool(Slot& slot, void* value);
void write_double(const void* value, Slot& slot);
void read_double(Slot& slot, void* value);
void write_timestamp(const void* value, Slot& slot);
void read_timestamp(Slot& slot, void* value);
void write_json(const void* value, Slot& slot);
void read_json(Slot& slot, void* value);
void clear_json(void* value);
void write_null(const void* value, Slot& slot);
}  // namespace detail

template <class T>
struct CodecOf;

template <>
struct CodecOf<std::string> {
  static constexpr Codec codec{Kind::text, false, "text", "", detail::write_string, detail::read_string, nullptr};
};
template <>
struct CodecOf<std::string_view> {  // as a parameter only
  static constexpr Codec codec{Kind::text, false, "text", "", detail::write_view, nullptr, nullptr};
};
template <>
struct CodecOf<bool> {
  static constexpr Codec codec{Kind::integer, false, "boolean", "", detail::write_bool, detail::read_bool, nullptr};
};
template <>
struct CodecOf<double> {
  static constexpr Codec codec{Kind::real,          false,  "double precision", "", detail::write_double,
                               detail::read_double, nullptr};
};
template <>
struct CodecOf<Timestamp> {
  static constexpr Codec codec{Kind::text, false, "timestamptz", "", detail::write_timestamp, detail::read_timestamp,
                               nullptr};
};
/// Empty text is SQL NULL, both ways.
template <>
struct CodecOf<RawJson> {
  static constexpr Codec codec{Kind::text,        true, "jsonb", "", detail::write_json, detail::read_json,
                               detail::clear_json};
};
template <>
struct CodecOf<std::nullopt_t> {  // as a parameter only
  static constexpr Codec codec{Kind::text, true, "", "", detail::write_null, nullptr, nullptr};
};

template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char>)
struct CodecOf<T> {
  static void write(const void* value, Slot& slot) {
    const T number = *static_cast<const T*>(value);
    if (!std::in_range<long long>(number)) detail::does_not_fit("a 64-bit signed integer", std::to_string(number));
    slot.is_null = false;
    slot.integer = static_cast<long long>(number);
  }
  static void read(Slot& slot, void* value) {
    if (!std::in_range<T>(slot.integer))
      detail::does_not_fit(std::is_signed_v<T> ? "the integer" : "the unsigned integer", std::to_string(slot.integer));
    *static_cast<T*>(value) = static_cast<T>(slot.integer);
  }
  static constexpr bool narrow = std::numeric_limits<T>::max() <= std::numeric_limits<std::int32_t>::max();
  static constexpr Codec codec{Kind::integer, false, narrow ? "integer" : "bigint", "", write, read, nullptr};
};

template <class Tag>
struct CodecOf<Id<Tag>> {
  static void write(const void* value, Slot& slot) {
    detail::write_id(static_cast<const Id<Tag>*>(value)->view(), slot);
  }
  static void read(Slot& slot, void* value) {
    const auto id = Id<Tag>::parse(slot.text);
    if (!id) detail::does_not_fit("an id", slot.text);
    *static_cast<Id<Tag>*>(value) = *id;
  }
  static constexpr Codec codec{Kind::text, false, "uuid", "", write, read, nullptr};
};

template <DescribedEnum E>
struct CodecOf<E> {
  static void write(const void* value, Slot& slot) {
    slot.is_null = false;
    slot.text = to_text(*static_cast<const E*>(value));
    if (slot.text.empty()) detail::does_not_fit("a described enumerator", "?");
  }
  static void read(Slot& slot, void* value) {
    const auto parsed = parse_enum<E>(slot.text);
    if (!parsed) detail::does_not_fit("a word of its enumeration", slot.text);
    *static_cast<E*>(value) = *parsed;
  }
  static constexpr Codec codec{Kind::text, false, "text", "", write, read, nullptr};
};

template <class T>
struct CodecOf<std::optional<T>> {
  static void write(const void* value, Slot& slot) {
    const auto& optional = *static_cast<const std::optional<T>*>(value);
    if (optional)
      CodecOf<T>::codec.write(&*optional, slot);
    else
      slot.is_null = true;
  }
  static void read(Slot& slot, void* value) {
    auto& optional = *static_cast<std::optional<T>*>(value);
    if (!optional) optional.emplace();
    CodecOf<T>::codec.read(slot, &*optional);
  }
  static void clear(void* value) { static_cast<std::optional<T>*>(value)->reset(); }
  static constexpr Codec codec{
      CodecOf<T>::codec.kind, true, CodecOf<T>::codec.sql_type, CodecOf<T>::codec.element_type, write, read, clear};
};

/// A list, as a parameter only: written as a JSON array, used in SQL as `in {list :1}`.
template <class T>
struct CodecOf<std::vector<T>> {
  static void write(const void* value, Slot& slot) {
    const Codec& element = CodecOf<T>::codec;
    slot.is_null = false;
    slot.text = "[";
    Slot one;
    for (const T& item : *static_cast<const std::vector<T>*>(value)) {
      if (slot.text.size() > 1) slot.text += ',';
      element.write(&item, one);
      detail::append_json(one, element.kind, slot.text);
    }
    slot.text += ']';
  }
  static constexpr Codec codec{Kind::text, false, "jsonb", CodecOf<T>::codec.sql_type, write, nullptr, nullptr};
};

template <HasStoredAs T>
struct CodecOf<T> {
  using Stored = typename StoredAs<T>::type;
  static void write(const void* value, Slot& slot) {
    const Stored stored = StoredAs<T>::store(*static_cast<const T*>(value));
    CodecOf<Stored>::codec.write(&stored, slot);
  }
  static void read(Slot& slot, void* value) {
    Stored stored{};
    CodecOf<Stored>::codec.read(slot, &stored);
    *static_cast<T*>(value) = StoredAs<T>::load(std::move(stored));
  }
  static void clear(void* value) { *static_cast<T*>(value) = StoredAs<T>::load(Stored{}); }
  static constexpr Codec codec{CodecOf<Stored>::codec.kind,
                               CodecOf<Stored>::codec.nullable,
                               CodecOf<Stored>::codec.sql_type,
                               "",
                               write,
                               read,
                               clear};
};

template <class T>
concept Storable = requires { CodecOf<T>::codec; };

/// A borrowed parameter.
struct Param {
  const Codec* codec;
  const void* value;
  std::string_view text;  // where the value is text that has no object of its own
  std::string_view name;  // the member, for messages

  void write(Slot& slot) const { codec->write(value ? value : &text, slot); }
};

template <class T>
Param param(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view> && !std::is_same_v<T, std::string> &&
                !std::is_same_v<T, std::string_view>) {
    return {&CodecOf<std::string_view>::codec, nullptr, std::string_view(value), {}};
  } else {
    static_assert(Storable<T>, "this type cannot be a parameter: see store/codec.h");
    return {&CodecOf<T>::codec, &value, {}, {}};
  }
}

using Params = std::span<const Param>;

}  // namespace paperclip::store
