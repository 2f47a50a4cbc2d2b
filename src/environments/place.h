#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/id.h"
#include "base/json.h"
#include "base/result.h"
#include "domain/environments/environment.h"
#include "environments/egress_policy.h"
#include "environments/runner.h"
#include "os/descriptor.h"
#include "os/process.h"

/// Where agents work: one acquired lease at work, and the drivers that make it (spec/environments.md 8–10,
/// spec/remote-runtimes.md). Calls with a deadline block.
///
///     Driver::acquire ──> Place ── run_command, open_stream, runner().start … ──> Place::release
///           └ the lease row keeps provider lease id and metadata; Driver::resume makes the Place again from them
namespace paperclip::environments {

enum class PlaceKind { local, ssh, sandbox };

/// What a place is called and where its workspace stands.
struct PlaceDescription {
  PlaceKind kind = PlaceKind::local;
  std::string cwd;        // of the workspace there, absolute; empty on this machine
  std::string label = "this machine";  // for people: `SSH host deploy@build-1:22`, `e2b sandbox`
  std::string shell = "sh";            // or bash, where the provider declares it
  std::string runner;                  // path of the runner there, for workspace sync; empty where none can run
  /// Why an agent there cannot call the API; empty where it can.
  std::string mute;
  /// For the log of a run there: that no runner works, and what stands in for it.
  std::string notice;
  /// Saved as `remoteExecution` with a session; it is resumed only where an equal one is found (spec/remote-runtimes.md 7).
  json::object identity;
  /// The remote directory *is* the workspace: nothing is uploaded, brought back or deleted, and runs take turns.
  bool in_place = false;
  /// How it may use the network, as its provider says.
  EgressTerms egress;
  /// How much of a transfer may be under way: little, where others share the connection.
  std::size_t transfer_window = 256 * 1024;
  /// Commands start with this environment there; what a run sets is laid over it.
  os::Environment base_environment;
};

/// A command of ours in a place: no agent.
struct PlaceCommand {
  std::vector<std::string> argv;  // argv[0] is searched in PATH there; no shell unless it is one
  std::string cwd;                // empty: the workspace
  os::Environment environment;    // laid over the place's own; never in an argv
  std::string stdin_text;
  std::size_t output_limit = 16 * 1024 * 1024;
};

/// A command whose stdin and stdout are one socket. Dropping it before `finish` ends the command there.
class PlaceStream {
 public:
  virtual ~PlaceStream() = default;
  /// A blocking stream socket: what is written is its stdin, `shutdown(SHUT_WR)` ends that; what is read is its stdout.
  virtual int socket() const = 0;
  /// Waits for the command's end. stdout is empty: it was the socket's. An error when the place was lost meanwhile.
  virtual Result<os::CommandOutput> finish(Deadline deadline) = 0;
};

enum class ReleaseOutcome { succeeded, failed, cancelled };

/// One acquired lease at work. From any thread. Destroying it gives up connections, nothing else: runs in it go on, and
/// the lease stays.
class Place {
 public:
  virtual ~Place() = default;
  virtual const PlaceDescription& description() const = 0;
  /// Runs its agents. Lives as long as the place.
  virtual Runner& runner() = 0;
  /// Runs a command to its end. A failing one is an output; an error means it could not be run, or the place was lost.
  virtual Result<os::CommandOutput> run_command(const PlaceCommand& command, Deadline deadline) = 0;
  /// Starts a command to pipe bundles and archives through. `unprocessable` where a place has one-shot commands only and no
  /// runner of ours works there.
  virtual Result<std::unique_ptr<PlaceStream>> open_stream(const PlaceCommand& command, Deadline deadline) = 0;
  /// Writes one file, whole or not at all, making its parents. Paths are absolute there.
  virtual Result<void> write_file(const std::string& path, std::string_view bytes, unsigned mode, Deadline deadline) = 0;
  /// Gives the lease back. Safe to call twice. The place is of no use afterwards.
  virtual Result<void> release(ReleaseOutcome outcome, Deadline deadline) = 0;
};

/// What a driver needs to know.
struct PlaceRequest {
  domain::Environment environment;
  json::object config;  // of the environment, secret references resolved: may hold secrets
  RunId run_id;
  /// Names the directory of the workspace there, so that concurrent runs of different workspaces never share one; safe
  /// as a file name. Empty: the configured directory itself.
  std::string workspace_key;
  std::optional<std::string> workspace_mode;
};

/// A place and what its lease row shall remember. No secrets.
struct AcquiredPlace {
  std::unique_ptr<Place> place;
  std::optional<std::string> provider;
  std::optional<std::string> provider_lease_id;
  json::object metadata;
  std::optional<Timestamp> expires_at;
};

/// `ok` false is an answer, not an error (spec/environments.md 6).
struct PlaceProbe {
  bool ok = false;
  std::string summary;
  json::object details;
};

/// Makes places of one kind. From any thread.
class Driver {
 public:
  virtual ~Driver() = default;
  virtual Result<AcquiredPlace> acquire(const PlaceRequest& request, Deadline deadline) = 0;
  /// The place of a lease that is there already: reuse, or a run of an earlier server. `gone` when it is no more.
  virtual Result<AcquiredPlace> resume(const PlaceRequest& request, const domain::EnvironmentLease& lease, Deadline deadline) = 0;
  /// Gives back a lease of which no Place is at hand: of a lost run, of an earlier server. Idempotent.
  virtual Result<void> release(const PlaceRequest& request, const domain::EnvironmentLease& lease, ReleaseOutcome outcome,
                               Deadline deadline) = 0;
  virtual Result<PlaceProbe> probe(const PlaceRequest& request, Deadline deadline) = 0;
};

}  // namespace paperclip::environments
