#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "heartbeat/secret_mask.h"

namespace paperclip::heartbeat {

/// One stream of a run on its way into the log: bytes in, text out. Secrets are masked and characters kept whole across
/// chunk borders; inlined images are left out (spec/execution.md 11). Counts which bytes its text stands for, so that
/// after a crash of the server each byte is logged once.
class LogPipe {
 public:
  /// `taken` bytes of the stream are in the log already and will not be given again.
  explicit LogPipe(const SecretMask& mask, std::uint64_t taken = 0) : mask_(mask), taken_(taken) {}

  /// Text to log; empty when everything has to wait for what follows.
  std::string feed(std::string_view bytes);
  /// What was still waiting.
  std::string finish();
  /// Bytes of the stream that are in the text given so far.
  std::uint64_t taken() const { return taken_; }

 private:
  std::string take(bool at_end);
  std::string without_images(std::string text);

  const SecretMask& mask_;
  std::string held_;
  std::uint64_t taken_;
  bool in_image_ = false;
  std::uint64_t image_characters_ = 0;
};

/// A chunk as the log keeps it: beyond 65536 characters only its head and tail.
std::string bounded_log_chunk(std::string chunk);

}  // namespace paperclip::heartbeat
