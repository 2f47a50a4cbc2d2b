#include "environments/workspace_sync.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"
#include "environments/git.h"
#include "environments/stream_watch.h"
#include "environments/sync_history.h"
#include "os/files.h"
#include "runner/bytes.h"
#include "runner/sync_stream.h"

namespace paperclip::environments {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t longest_manifest = 512 * 1024 * 1024;
constexpr std::size_t longest_state = 512 * 1024 * 1024;

class PlacePeer : public SyncPeer {
 public:
  explicit PlacePeer(Place& place) : place_(place) {}
  Result<std::unique_ptr<PlaceStream>> open(const std::vector<std::string>& argv, Deadline deadline) override { return place_.open_stream(command(argv), deadline); }
  Result<os::CommandOutput> run(const std::vector<std::string>& argv, Deadline deadline) override { return place_.run_command(command(argv), deadline); }

 private:
  // The workspace may be missing still, and nothing here depends on where it runs.
  static PlaceCommand command(const std::vector<std::string>& argv) { return {.argv = argv, .cwd = "/", .environment = {}, .stdin_text = {}}; }
  Place& place_;
};

Result<os::Descriptor> open_workspace(const fs::path& path) { return os::open_directory(path); }

Error broken(const std::string& what, const std::string& why) { return {ErrorKind::bad_gateway, what + ": " + why}; }
// The connection went in the middle: another attempt may do.
Error lost(const std::string& what, const std::string& why) { return {ErrorKind::unavailable, what + ": " + why}; }

// Everything the command writes. The socket blocks, so that the deadline is looked at between pieces.
Result<std::string> read_all(PlaceStream& stream, Deadline deadline) {
  std::string out;
  std::string buffer(256 * 1024, '\0');
  for (;;) {
    pollfd ready{stream.socket(), POLLIN, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(deadline.left().count(), 60'000)));
    if (count < 0 && errno != EINTR) return internal_error("Cannot wait for the place");
    if (count <= 0) {
      if (deadline.passed()) return Error(ErrorKind::timeout, "The place took too long");
      continue;
    }
    const ssize_t got = ::read(stream.socket(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return lost("Cannot hear the place", "the connection broke");
    if (got == 0) return out;
    out.append(buffer, 0, static_cast<std::size_t>(got));
    if (out.size() > longest_manifest) return Error(ErrorKind::too_large, "The place's list of files is too long");
  }
}

// What the tool there said went wrong, if it did; else what we saw.
Error tool_error(const std::string& what, PlaceStream& stream, const std::string& seen, bool expired) {
  if (expired) return {ErrorKind::timeout, what + ": it took too long"};
  ::shutdown(stream.socket(), SHUT_RDWR);
  const auto end = stream.finish(Deadline::in(std::chrono::seconds(5)));
  if (end && !end->ok() && !trim(end->stderr_text).empty()) return broken(what, reason_of(*end));
  return end ? broken(what, seen) : lost(what, seen);
}

sync::Exclusions exclusions_of(const SyncOptions& options) { return {options.exclude}; }

Result<sync::Tree> scan(int root, const SyncOptions& options) {
  sync::Tree tree;
  std::string error;
  if (!sync::scan(root, exclusions_of(options), tree, error)) return internal_error(error);
  return tree;
}

sync::Tree read_state(const fs::path& path) {
  sync::Tree tree;
  const auto bytes = os::read_file(path, longest_state);
  if (!bytes || !sync::read_tree(*bytes, tree)) tree.clear();
  return tree;
}

/// What is at a path of the workspace right now.
std::optional<sync::Entry> look(int root, const std::string& path) {
  std::string name;
  const auto parent = sync::open_parent(root, path, name);
  struct stat found {};
  if (!parent || ::fstatat(parent.get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  sync::Entry entry;
  entry.mode = found.st_mode & 07777;
  entry.inode = found.st_ino;
  entry.changed_ns = found.st_ctim.tv_sec * std::int64_t{1'000'000'000} + found.st_ctim.tv_nsec;
  entry.modified_ns = found.st_mtim.tv_sec * std::int64_t{1'000'000'000} + found.st_mtim.tv_nsec;
  if (S_ISREG(found.st_mode)) {
    entry.size = static_cast<std::uint64_t>(found.st_size);
  } else if (S_ISLNK(found.st_mode)) {
    entry.kind = sync::Kind::link;
    entry.mode = 0;
    std::string target(4096, '\0');
    const ssize_t length = ::readlinkat(parent.get(), name.c_str(), target.data(), target.size());
    entry.target = target.substr(0, static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  } else {
    entry.kind = sync::Kind::directory;
  }
  return entry;
}

void add_hash(int root, const std::string& path, sync::Entry& entry) {
  sync::Tree one;
  one.emplace(path, entry);
  std::string ignored;
  if (sync::hash_files(root, one, nullptr, nullptr, ignored)) entry = one.begin()->second;
}

bool same_content(const sync::Entry& a, const sync::Entry& b) {
  if (a.kind != b.kind || a.target != b.target) return false;
  return a.kind != sync::Kind::file || (a.size == b.size && a.hashed && b.hashed && a.hash == b.hash);
}

}  // namespace

std::unique_ptr<SyncPeer> peer_of(Place& place) { return std::make_unique<PlacePeer>(place); }

WorkspaceSync::WorkspaceSync(SyncPeer& peer, SyncOptions options) : peer_(peer), options_(std::move(options)) {}

std::vector<std::string> WorkspaceSync::tool(const std::string& mode, const std::string& directory) const {
  std::vector<std::string> argv{options_.runner, mode, directory};
  for (const auto& name : options_.exclude) argv.push_back("--exclude=" + name);
  return argv;
}

fs::path WorkspaceSync::base_file(const char* extension) const { return options_.state / (options_.key + extension); }

Result<std::string> WorkspaceSync::read_manifest(Deadline deadline) {
  auto stream = TRY(peer_.open(tool("manifest", options_.remote), deadline));
  ::shutdown(stream->socket(), SHUT_WR);
  auto bytes = TRY(read_all(*stream, deadline));
  const auto end = TRY(stream->finish(deadline));
  if (!end.ok()) return broken("Cannot list the workspace in the place", reason_of(end));
  return bytes;
}

// The mirror is ours alone, so what is on record for it is of a run that has ended.
Result<> WorkspaceSync::rescue(UploadReport& report, Deadline deadline) {
  if (options_.place.empty()) return {};
  std::error_code ec;
  std::vector<std::string> left;
  for (const auto& file : fs::directory_iterator(options_.state, ec)) {
    if (file.path().extension() != ".json" || file.path().stem() == options_.key) continue;
    const auto stored = os::read_file(file.path(), 1 << 20);
    const auto base = stored ? parse_json(*stored) : Result<json::value>(json::value());
    if (base && text_at(*base, "local") == options_.local.string() && text_at(*base, "remote") == options_.remote && text_at(*base, "place") == options_.place)
      left.push_back(file.path().stem().string());
  }
  for (const auto& key : left) {
    SyncOptions options = options_;
    options.key = key;
    WorkspaceSync earlier(peer_, options);
    // Where the mirror is not there any more, nothing was removed by the run.
    const auto there = TRY(peer_.run({"sh", "-c", "[ -e \"$1/.paperclip-runtime/sync-index\" ]", "sh", options_.remote}, deadline));
    auto brought = there.ok() ? earlier.bring_back(deadline) : Result<BackReport>(not_found("the mirror is gone"));
    if (!brought && brought.error().kind == ErrorKind::unavailable) return std::move(brought).error();
    if (brought) {
      report.warnings.push_back("What run " + key + " had left in the place was brought back first.");
      for (auto& line : brought->lines()) report.warnings.push_back(std::move(line));
    } else {
      report.warnings.push_back("What run " + key + " had left in the place could not be brought back: " + brought.error().message);
    }
    // From here on the mirror is another one.
    fs::remove(earlier.base_file(".json"), ec);
    fs::remove(earlier.base_file(".tree"), ec);
  }
  return {};
}

Result<UploadReport> WorkspaceSync::upload(Deadline deadline) {
  UploadReport report;
  TRY(os::make_directories(options_.state));
  TRY(rescue(report, deadline));
  const auto root = TRY(open_workspace(options_.local));
  const SyncHistory history(peer_, options_);
  const auto pushed = TRY(history.push(deadline));
  report.history = pushed.in_place;
  report.warnings.insert(report.warnings.end(), pushed.warnings.begin(), pushed.warnings.end());

  sync::Tree there;
  if (!sync::read_tree(TRY(read_manifest(deadline)), there)) return broken("Cannot list the workspace in the place", "its answer is broken");
  // The index of the last upload spares reading what nobody touched.
  const fs::path index_file = options_.state / (sha256_hex(options_.local.string()).substr(0, 32) + ".index");
  const auto known = read_state(index_file);
  auto here = TRY(scan(root.get(), options_));
  std::vector<std::string> compared;
  for (const auto& [path, entry] : here)
    if (const auto other = there.find(path); other != there.end() && entry.kind == sync::Kind::file && other->second.kind == sync::Kind::file && entry.size == other->second.size)
      compared.push_back(path);
  std::string error;
  if (!sync::hash_files(root.get(), here, &known, &compared, error)) return internal_error(error);
  const auto parcel = sync::difference(here, there);
  report.files = parcel.changed.size() + parcel.rights.size();
  report.removed = parcel.removed.size();
  if (!parcel.empty()) {
    auto stream = TRY(peer_.open(tool("unpack", options_.remote), deadline));
    StreamWatch watch(stream->socket(), deadline);
    const auto sent = sync::send_parcel(root.get(), here, parcel, stream->socket(), stream->socket(), options_.window);
    const bool expired = watch.stop();
    report.bytes = sent.bytes;
    if (!sent.ok()) return tool_error("Cannot bring the workspace to the place", *stream, sent.error, expired);
    const auto end = TRY(stream->finish(deadline));
    if (!end.ok()) return broken("Cannot bring the workspace to the place", reason_of(end));
  }
  // What bring_back compares with. First the tree, then the file that says it is there.
  const std::string tree = sync::write_tree(here, true);
  TRY(os::write_file_atomically(index_file, tree));
  TRY(os::write_file_atomically(base_file(".tree"), sync::write_tree(here, false)));
  json::object base = pushed.base;
  base["local"] = options_.local.string();
  base["remote"] = options_.remote;
  base["place"] = options_.place;
  TRY(os::write_file_atomically(base_file(".json"), to_string(json::value(base))));
  return report;
}

Result<BackReport> WorkspaceSync::bring_back(Deadline deadline) {
  BackReport report;
  report.conflict_suffix = ".paperclip-" + options_.key.substr(0, 8);
  const auto stored = os::read_file(base_file(".json"), 1 << 20);
  if (!stored) return not_found("There is no upload to bring anything back from");
  const auto base = parse_json(*stored);
  if (!base || !base->is_object()) return internal_error("The record of the upload is broken: " + base_file(".json").string());
  const auto root = TRY(open_workspace(options_.local));
  const auto uploaded = read_state(base_file(".tree"));

  // Commits first: whatever happens to the files, they are safe then.
  const SyncHistory history(peer_, options_);
  auto fetched = history.fetch(base->get_object(), deadline);
  if (!fetched && fetched.error().kind == ErrorKind::unavailable) return fetched.error();
  if (!fetched) report.warnings.push_back("Commits could not be brought back: " + fetched.error().message);

  sync::Tree there;
  if (!sync::read_tree(TRY(read_manifest(deadline)), there)) return broken("Cannot list the workspace in the place", "its answer is broken");
  const auto parcel = sync::difference(there, uploaded);
  sync::Delivery delivery;
  delivery.removed = parcel.removed;
  for (const auto& path : parcel.rights) delivery.rights.emplace(path, there.find(path)->second.mode & 0777);

  std::string stage_name, error;
  const auto stage = sync::make_stage(root.get(), stage_name, error);
  if (!stage) return internal_error(error);
  const auto receive = [&]() -> Result<> {
    if (parcel.changed.empty()) return {};
    auto stream = TRY(peer_.open(tool("pack", options_.remote), deadline));
    StreamWatch watch(stream->socket(), deadline);
    std::string list, wish;
    for (const auto& path : parcel.changed) runner::ByteWriter(list).text(path);
    runner::ByteWriter(wish).text(list);
    bool fine = sync::write_all(stream->socket(), wish);
    if (!fine) error = "it does not listen";
    fine = fine && sync::receive_parcel(stage.get(), stream->socket(), stream->socket(), delivery, error);
    if (fine) sync::answer_done(stream->socket());
    if (!fine) return tool_error("Cannot bring the workspace back", *stream, error, watch.stop());
    watch.stop();
    (void)stream->finish(deadline);
    return {};
  };
  std::error_code ec;
  const auto leave_nothing = [&] {
    sync::remove_stage(root.get(), stage_name);
    fs::remove(options_.local / std::string(sync::reserved_directory), ec);  // if nothing else is in it
  };
  if (auto received = receive(); !received) {
    leave_nothing();
    return std::move(received).error();
  }

  sync::Placement placement;
  placement.allow_outward_links = false;
  placement.beside_suffix = report.conflict_suffix;
  placement.judge = [&](const std::string& path, const sync::Entry* arrived) {
    auto now = look(root.get(), path);
    const auto before = uploaded.find(path);
    const bool was = before != uploaded.end();
    if (!now) {
      // Removed here meanwhile: what is new there comes back, what is gone there as well is fine.
      return arrived == nullptr ? sync::Verdict::keep : sync::Verdict::take;
    }
    if (now->kind == sync::Kind::directory) {
      const bool to_folder = arrived != nullptr && arrived->kind == sync::Kind::directory;
      // A folder goes only when it is empty; one that stands in a file's way is a conflict unless it was ours to give up.
      return arrived == nullptr || to_folder || was ? sync::Verdict::take : sync::Verdict::take_beside;
    }
    if (now->kind == sync::Kind::file) add_hash(root.get(), path, *now);
    if (was && same_content(*now, before->second)) return sync::Verdict::take;
    if (arrived != nullptr && same_content(*now, *arrived)) return sync::Verdict::keep;
    report.conflicts.push_back(path);
    return arrived == nullptr ? sync::Verdict::keep : sync::Verdict::take_beside;
  };
  sync::place_delivery(root.get(), stage.get(), delivery, placement);
  leave_nothing();
  report.placed = placement.placed.size();
  report.refused = std::move(placement.refused);

  if (fetched && fetched->commit) {
    report.commit = fetched->commit;
    report.fast_forwarded = history.fast_forward(*fetched, deadline, report.warnings);
  }
  if (fetched) {
    fs::remove(base_file(".json"), ec);
    fs::remove(base_file(".tree"), ec);
  }
  return report;
}

std::vector<std::string> BackReport::lines() const {
  std::vector<std::string> out;
  if (!conflicts.empty()) {
    std::string line = std::to_string(conflicts.size()) + (conflicts.size() == 1 ? " file was" : " files were") + " changed here and by the run; yours stayed, the run's are kept with the suffix \"" +
                       conflict_suffix + "\": ";
    for (std::size_t i = 0; i < conflicts.size() && i < 20; ++i) line += (i == 0 ? "" : ", ") + conflicts[i];
    if (conflicts.size() > 20) line += " and " + std::to_string(conflicts.size() - 20) + " more";
    out.push_back(std::move(line));
  }
  for (std::size_t i = 0; i < refused.size() && i < 20; ++i) out.push_back("Not brought back: " + refused[i]);
  out.insert(out.end(), warnings.begin(), warnings.end());
  return out;
}

}  // namespace paperclip::environments
