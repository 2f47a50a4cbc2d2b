#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace paperclip::test {

/// A PostgreSQL server of this test program's own: in a temporary directory, on a UNIX socket only, without fsync, as
/// the user `postgres` when the tests run as root. Started when first asked for, stopped and removed at exit, and
/// killed by the kernel if the tests are.
class ThrowawayPostgres {
 public:
  /// Null when PostgreSQL is not installed; `why()` then says so.
  static ThrowawayPostgres* get();
  static const std::string& why();

  /// A connection text whose tables live in a fresh schema.
  std::string fresh_url();
  /// The same database as a URL of the plainest form, without any parameter.
  std::string plain_url() const;
  /// Stops and starts the server, as an administrator would.
  void restart();

  ~ThrowawayPostgres();

 private:
  ThrowawayPostgres() = default;
  std::string start();
  std::string launch();
  void stop();

  std::string directory_;
  pid_t pid_ = -1;
  int schemas_ = 0;
};

}  // namespace paperclip::test
