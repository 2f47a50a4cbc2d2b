#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace paperclip::heartbeat {

/// Replaces the values of secrets in what a run says. A value shorter than six bytes is left alone: it would riddle the
/// log and hide nothing. A value that JSON writes differently (quotes, line ends) is also known in that form.
class SecretMask {
 public:
  static constexpr std::string_view replacement = "***REDACTED***";

  SecretMask() = default;
  explicit SecretMask(const std::vector<std::string>& values);

  /// What was scanned of a piece of a stream.
  struct Scan {
    std::string text;       // masked
    std::size_t taken = 0;  // bytes of the input that `text` stands for; the rest may be the beginning of a secret
  };
  /// Scans up to `end`, but looks at all of `bytes`. At the end of a stream nothing is kept back.
  Scan scan(std::string_view bytes, std::size_t end, bool at_end) const;

  std::string mask(std::string_view whole) const { return scan(whole, whole.size(), true).text; }
  /// Every string in it, keys too.
  json::value mask_json(const json::value& value) const;

  bool empty() const { return patterns_.empty(); }

 private:
  std::vector<std::string> patterns_;  // longest first
  std::array<bool, 256> first_{};
};

}  // namespace paperclip::heartbeat
