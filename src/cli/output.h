#pragma once

#include <initializer_list>
#include <iosfwd>
#include <string>
#include <string_view>

#include "base/json.h"

/// How results look (spec/cli.md 1.6).
namespace paperclip::cli {

/// JSON with two spaces of indentation; no final newline.
std::string pretty_json(const json::value& value);

/// One line of `key=value` pairs: the naming keys first, then the other scalars. `-` for null; long text is cut.
std::string inline_record(const json::value& record);

/// As JSON when `as_json`; otherwise a list is one line for each item and all else is JSON.
void print_value(std::ostream& out, const json::value& value, bool as_json);

/// The same, where the lines shall show only these members, in this order.
void print_list(std::ostream& out, const json::value& list, bool as_json,
                std::initializer_list<std::string_view> columns);

/// White space made single, at most `limit` characters, the last three dots when cut.
std::string compact(std::string_view text, std::size_t limit = 90);

/// `$1.25`
std::string dollars(std::int64_t cents);

}  // namespace paperclip::cli
