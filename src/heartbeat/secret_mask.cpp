#include "heartbeat/secret_mask.h"

#include <algorithm>

#include "base/write_json.h"

namespace paperclip::heartbeat {

namespace {
constexpr std::size_t shortest = 6;
}

SecretMask::SecretMask(const std::vector<std::string>& values) {
  for (const auto& value : values) {
    if (value.size() < shortest) continue;
    patterns_.push_back(value);
    std::string in_json;
    append_json_string(in_json, value);
    in_json = in_json.substr(1, in_json.size() - 2);
    if (in_json != value) patterns_.push_back(std::move(in_json));
  }
  std::sort(patterns_.begin(), patterns_.end(), [](const auto& a, const auto& b) { return a.size() != b.size() ? a.size() > b.size() : a < b; });
  patterns_.erase(std::unique(patterns_.begin(), patterns_.end()), patterns_.end());
  for (const auto& pattern : patterns_) first_[static_cast<unsigned char>(pattern.front())] = true;
}

SecretMask::Scan SecretMask::scan(std::string_view bytes, std::size_t end, bool at_end) const {
  Scan scan;
  if (patterns_.empty()) {
    scan.text = bytes.substr(0, end);
    scan.taken = end;
    return scan;
  }
  std::size_t plain_from = 0, at = 0;
  const auto keep_plain = [&](std::size_t until) { scan.text.append(bytes.substr(plain_from, until - plain_from)); };
  while (at < end) {
    if (!first_[static_cast<unsigned char>(bytes[at])]) {
      ++at;
      continue;
    }
    const auto rest = bytes.substr(at);
    const std::string* found = nullptr;
    bool may_begin = false;
    for (const auto& pattern : patterns_) {
      if (rest.size() < pattern.size()) may_begin = may_begin || std::string_view(pattern).starts_with(rest);
      else if (found == nullptr && rest.starts_with(pattern)) found = &pattern;
    }
    if (may_begin && !at_end) break;  // what follows decides
    if (found == nullptr) {
      ++at;
      continue;
    }
    keep_plain(at);
    scan.text += replacement;
    at += found->size();
    plain_from = at;
  }
  if (plain_from < at) keep_plain(at);
  scan.taken = at;
  return scan;
}

json::value SecretMask::mask_json(const json::value& value) const {
  if (patterns_.empty()) return value;
  if (value.is_string()) return json::value(mask(std::string_view(value.get_string())));
  if (value.is_array()) {
    json::array out;
    for (const auto& item : value.get_array()) out.push_back(mask_json(item));
    return out;
  }
  if (value.is_object()) {
    json::object out;
    for (const auto& item : value.get_object()) out[mask(std::string_view(item.key()))] = mask_json(item.value());
    return out;
  }
  return value;
}

}  // namespace paperclip::heartbeat
