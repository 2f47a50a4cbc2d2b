#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"

/// Uploaded bytes, beside the database (spec/platform.md 8.1).
namespace paperclip::domain {

/// Where the bytes of an upload are, and what they are.
struct StoredObject {
  std::string provider, object_key;
  std::int64_t byte_size = 0;
  std::string sha256;  // hex
};

/// A directory on this machine's disk. Thread-safe. Not for use inside a rule: it does I/O.
class ObjectStorage {
 public:
  ObjectStorage(std::filesystem::path root, Clock& clock, Random& random)
      : root_(std::move(root)), clock_(clock), random_(random) {}

  /// Stores the bytes under a fresh key `<company>/<name_space>/<year>/<month>/<day>/<uuid>-<stem><extension>`. They
  /// are on the disk when this returns.
  Result<StoredObject> put(CompanyId company, std::string_view name_space, const std::optional<std::string>& filename,
                           std::string_view bytes);
  /// The bytes. 403 for a key of another company, 400 for one with `..`, 404 if there are none.
  Result<std::string> open(CompanyId company, const std::string& object_key) const;
  /// Nothing there is fine.
  Result<> remove(CompanyId company, const std::string& object_key);

 private:
  Result<std::filesystem::path> path_of(CompanyId company, const std::string& object_key) const;

  std::filesystem::path root_;
  Clock& clock_;
  Random& random_;
};

/// One segment of a key: other characters than `[A-Za-z0-9._-]` become `_`; at most 120 characters; `file` if nothing
/// is left.
std::string sanitised_segment(std::string_view text);
/// The key of a new object at that time.
std::string object_key(CompanyId company, std::string_view name_space, const std::optional<std::string>& filename,
                       Timestamp time, std::string_view uuid);

}  // namespace paperclip::domain
