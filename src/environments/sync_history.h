#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "environments/git.h"
#include "environments/workspace_sync.h"

namespace paperclip::environments {

/// Commits between a repository here and its mirror, by git bundle: there with the workspace, back into a ref of their own.
class SyncHistory {
 public:
  SyncHistory(SyncPeer& peer, const SyncOptions& options);

  struct Pushed {
    bool in_place = false;  // the mirror stands on our commit
    json::object base;      // `head`, `branch`: what `fetch` compares with
    std::vector<std::string> warnings;
  };
  /// The mirror's HEAD, index and tracked files become those of our HEAD. Nothing happens where one side has no git.
  Result<Pushed> push(Deadline deadline) const;

  struct Fetched {
    std::optional<std::string> commit;  // new ones end here; safe as `refs/paperclip/runs/<key>`
    std::string base;                   // our HEAD at the upload
  };
  Result<Fetched> fetch(const json::object& base, Deadline deadline) const;

  /// Moves our branch to the fetched commit if that only adds to it; else says why not and where the commits are.
  bool fast_forward(const Fetched& fetched, Deadline deadline, std::vector<std::string>& warnings) const;

 private:
  std::string ref() const { return "refs/paperclip/runs/" + options_.key; }
  Result<std::string> script(const std::string& text, const std::vector<std::string>& arguments, Deadline deadline) const;

  SyncPeer& peer_;
  const SyncOptions& options_;
  Git git_;
};

}  // namespace paperclip::environments
