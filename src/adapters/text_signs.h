#pragma once

#include <span>
#include <string_view>

/// Recognising what a tool says in prose: "rate limited", "please log in", "no conversation found …".
namespace paperclip::adapters {

/// A small pattern language, matched anywhere in one line without regard to ASCII case, in linear time:
///   a space  one or more white space characters
///   ~        nothing, a space or a hyphen
///   #        a word border
///   *        any text on the same line
///   others   themselves
bool line_matches(std::string_view line, std::string_view pattern);

/// True if any line of the text matches any of the patterns.
bool mentions(std::string_view text, std::span<const std::string_view> patterns);

}  // namespace paperclip::adapters
