#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "paperclip/sdk/json.h"

/// Sandboxes on disk:
///
///     <root>/                 /var/lib/paperclip/sandboxes or ~/.paperclip/sandboxes
///       bin/sandbox-init-…    the first process of every sandbox, by the hash of its bytes
///       etc/                  passwd, group, hosts … as sandboxes see them
///       <plugin id>/          one for each installation, so that several servers do not take each other's for leaked
///         <lease id>/
///           lease.json        whose it is
///           home/ workspace/ tmp/    owned by the sandbox's user; they last as long as the lease
namespace paperclip::providers {

struct LeaseRecord {
  std::string id;
  std::string company_id, environment_id, run_id, created_at;
  bool reuse = false;
  uid_t user = 0;   // outside; the group has the same number
  gid_t group = 0;
};

class LeaseDirectories {
 public:
  /// Makes what is missing. Throws an Error if it cannot.
  LeaseDirectories(std::filesystem::path root, const std::string& plugin_id);

  std::filesystem::path path_of(const std::string& lease_id) const { return leases_ / lease_id; }
  const std::filesystem::path& init() const { return init_; }
  const std::filesystem::path& etc() const { return etc_; }

  /// Makes the directories of a new lease, and its id and user.
  LeaseRecord create(const std::string& company_id, const std::string& environment_id, const std::string& run_id, bool reuse);
  /// Nullopt if there is none of that id, or the text is none.
  std::optional<LeaseRecord> find(const std::string& lease_id) const;
  std::vector<LeaseRecord> list() const;
  /// Removes everything. Nothing happens if it is gone already.
  void remove(const std::string& lease_id);

 private:
  std::filesystem::path leases_, init_, etc_;
};

/// /var/lib/paperclip/sandboxes as root, else below the user's home.
std::filesystem::path default_sandbox_root();

}  // namespace paperclip::providers
