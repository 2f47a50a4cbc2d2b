#pragma once

#include <optional>

#include "base/result.h"
#include "base/secret.h"
#include "os/file_lock.h"
#include "server/config.h"

namespace paperclip::store {
class Database;
}

namespace paperclip::server {

/// What the server keeps in its instance directory beside the database: the lock, and the secret of run tokens.
class LocalState {
 public:
  LocalState() = default;
  /// Makes the directories and takes the lock; an Error says which process holds it.
  static Result<LocalState> open(const Config& config);

  /// The configured secret, or the one made at the first start and kept in `secrets/run-token.key` (0600).
  const SecretText& token_secret() const { return token_secret_; }

 private:
  std::optional<os::FileLock> lock_;
  SecretText token_secret_;
};

/// In `local_trusted`: the user `local-board`, its role and its ownership of every company (spec/platform.md 2.6).
Result<> ensure_local_board(store::Database& database, const Config& config);

}  // namespace paperclip::server
