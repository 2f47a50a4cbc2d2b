#include "store/codec.h"

#include <boost/json/serialize.hpp>
#include <cmath>

#include "base/text.h"
#include "store/error.h"

namespace paperclip::store {

namespace detail {

void check_text(std::string_view text) {
  if (text.find('\0') != std::string_view::npos)
    throw StoreError(ErrorKind::bad_request, "text contains U+0000, which the database cannot hold");
  if (!valid_utf8(text)) throw StoreError(ErrorKind::bad_request, "text is not valid UTF-8");
}

void check_json(std::string_view text) {
  check_text(text);
  for (auto at = text.find("\\u0000"); at != std::string_view::npos; at = text.find("\\u0000", at + 1)) {
    std::size_t backslashes = 1;
    while (backslashes <= at && text[at - backslashes] == '\\') ++backslashes;
    if (backslashes % 2 == 1)
      throw StoreError(ErrorKind::bad_request, "JSON contains U+0000, which the database cannot hold");
  }
}

void does_not_fit(std::string_view what, std::string_view value) {
  throw StoreError(ErrorKind::internal,
                   "a stored value is not " + std::string(what) + ": " + std::string(value.substr(0, 80)));
}

void append_json(const Slot& slot, Kind kind, std::string& out) {
  if (slot.is_null)
    out += "null";
  else if (kind == Kind::integer)
    out += std::to_string(slot.integer);
  else
    out += kind == Kind::real ? boost::json::serialize(boost::json::value(slot.real))
                              : boost::json::serialize(boost::json::string_view(slot.text));
}

void write_id(std::string_view id, Slot& slot) {
  slot.is_null = false;
  slot.text = id;
}

void write_string(const void* value, Slot& slot) {
  const auto& text = *static_cast<const std::string*>(value);
  check_text(text);
  slot.is_null = false;
  slot.text = text;
}
void read_string(Slot& slot, void* value) { static_cast<std::string*>(value)->swap(slot.text); }

void write_view(const void* value, Slot& slot) {
  const auto text = *static_cast<const std::string_view*>(value);
  check_text(text);
  slot.is_null = false;
  slot.text = text;
}

void write_bool(const void* value, Slot& slot) {
  slot.is_null = false;
  slot.integer = *static_cast<const bool*>(value);
}
void read_bool(Slot& slot, void* value) { *static_cast<bool*>(value) = slot.integer != 0; }

void write_double(const void* value, Slot& slot) {
  slot.is_null = false;
  slot.real = *static_cast<const double*>(value);
  if (!std::isfinite(slot.real)) throw StoreError(ErrorKind::bad_request, "number is not finite");
}
void read_double(Slot& slot, void* value) { *static_cast<double*>(value) = slot.real; }

void write_timestamp(const void* value, Slot& slot) {
  slot.is_null = false;
  slot.text.resize(24);
  write_iso(*static_cast<const Timestamp*>(value), slot.text.data());
}
void read_timestamp(Slot& slot, void* value) {
  const auto parsed = parse_iso(slot.text);  // both engines' print forms
  if (!parsed) does_not_fit("a timestamp", slot.text);
  *static_cast<Timestamp*>(value) = *parsed;
}

void write_json(const void* value, Slot& slot) {
  const auto& text = static_cast<const RawJson*>(value)->text;
  check_json(text);
  slot.is_null = text.empty();
  slot.text = text;
}
void read_json(Slot& slot, void* value) { static_cast<RawJson*>(value)->text.swap(slot.text); }
void clear_json(void* value) { static_cast<RawJson*>(value)->text.clear(); }

void write_null(const void*, Slot& slot) { slot.is_null = true; }

}  // namespace detail

}  // namespace paperclip::store
