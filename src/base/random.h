#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/id.h"

namespace paperclip {

/// Where randomness comes from. Tests replace it with a seeded one. Safe to call from any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(unsigned char* out, std::size_t size) = 0;
  /// The operating system's generator (cryptographic).
  static Random& system();

  /// A fresh UUID v4, canonical text.
  std::string uuid();
  template <class IdType>
  IdType id() { return *IdType::parse(uuid()); }
  /// `bytes` random bytes as lower-case hex.
  std::string hex(std::size_t bytes);
  std::uint64_t next();
};

}  // namespace paperclip
