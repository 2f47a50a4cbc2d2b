#include "environments/sync_history.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/text.h"
#include "environments/stream_watch.h"
#include "os/files.h"
#include "runner/bytes.h"
#include "runner/sync_stream.h"

namespace paperclip::environments {

namespace fs = std::filesystem;

namespace {

// Run there as `sh -c <text> sh <directory> …`. Everything is quoted; nothing of ours is in the text itself.
constexpr const char* look_script = R"(
command -v git >/dev/null 2>&1 || { echo nogit; exit 0; }
cd "$1" 2>/dev/null || { echo empty; exit 0; }
[ -e .git ] || { echo empty; exit 0; }
echo git
git rev-parse -q --verify refs/paperclip/base || echo none
)";

constexpr const char* take_script = R"(
set -e
mkdir -p "$1"
cd "$1"
[ -e .git ] || git init -q .
bundle=.paperclip-runtime/history/bundle
if [ -f "$bundle" ]; then
  git fetch -q --no-tags --force "$bundle" "+refs/paperclip/export:refs/paperclip/base"
  rm -f "$bundle"
fi
old=$(git rev-parse -q --verify HEAD || true)
if [ -n "$old" ] && ! git merge-base --is-ancestor "$old" "$2" 2>/dev/null; then git update-ref "refs/paperclip/kept/$old" "$old"; fi
git update-ref refs/paperclip/base "$2"
if [ -n "$3" ]; then
  git symbolic-ref HEAD "refs/heads/$3"
  git update-ref HEAD "$2"
else
  git update-ref --no-deref HEAD "$2"
fi
rm -f .git/index.lock
git reset -q --hard "$2"
mkdir -p .git/info
grep -qx /.paperclip-runtime/ .git/info/exclude 2>/dev/null || echo /.paperclip-runtime/ >> .git/info/exclude
)";

constexpr const char* give_script = R"(
set -e
cd "$1"
[ -e .git ] || { echo none; exit 0; }
head=$(git rev-parse -q --verify HEAD) || { echo none; exit 0; }
if [ "$head" = "$2" ]; then echo none; exit 0; fi
mkdir -p .paperclip-runtime/history
rm -f .paperclip-runtime/history/bundle
git update-ref refs/paperclip/export "$head"
if git merge-base "$head" "$2" >/dev/null 2>&1; then git bundle create -q .paperclip-runtime/history/bundle refs/paperclip/export "^$2" >&2
else git bundle create -q .paperclip-runtime/history/bundle refs/paperclip/export >&2; fi
git update-ref -d refs/paperclip/export
echo "$head"
)";

bool is_commit(std::string_view text) { return text.size() >= 40 && text.size() <= 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

}  // namespace

SyncHistory::SyncHistory(SyncPeer& peer, const SyncOptions& options) : peer_(peer), options_(options), git_(options.local, options.host) {}

Result<std::string> SyncHistory::script(const std::string& text, const std::vector<std::string>& arguments, Deadline deadline) const {
  std::vector<std::string> argv{"sh", "-c", text, "sh", options_.remote};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const auto output = TRY(peer_.run(argv, deadline));
  if (!output.ok()) return Error(ErrorKind::bad_gateway, "git in the place failed: " + reason_of(output));
  return std::string(trim(output.stdout_text));
}

Result<SyncHistory::Pushed> SyncHistory::push(Deadline deadline) const {
  Pushed out;
  std::error_code ec;
  // Only where the workspace is the top of a checkout that has a commit.
  const auto top = git_.text({"rev-parse", "--show-toplevel"}, deadline);
  if (!top || !fs::equivalent(*top, options_.local, ec)) return out;
  const auto head = git_.text({"rev-parse", "--verify", "--quiet", "HEAD"}, deadline);
  if (!head || !is_commit(*head)) return out;
  const auto branch = git_.text({"symbolic-ref", "--quiet", "--short", "HEAD"}, deadline);
  if (fs::exists(options_.local / ".gitmodules", ec))
    out.warnings.push_back("The repository has submodules: their files are carried, their history stays here.");

  const auto seen = split(TRY(script(look_script, {}, deadline)), '\n');
  if (seen.front() == "nogit") {
    out.warnings.push_back("git is not installed in the place: the run works without the repository's history.");
    return out;
  }
  std::string known;
  if (seen.size() > 1 && is_commit(seen[1]) && git_.succeeds({"cat-file", "-e", seen[1] + "^{commit}"}, deadline)) known = seen[1];
  if (known != *head) {
    auto scratch = TRY(os::TemporaryDirectory::create("paperclip-bundle-"));
    const std::string bundle = (scratch.path() / "bundle").string();
    // The name under which the commit travels is made up in the bundle's own repository view.
    const std::string name = "refs/paperclip/export";
    TRY(git_.text({"update-ref", ref() + "/export", *head}, deadline));
    std::vector<std::string> create{"-c", "core.quotePath=false", "bundle", "create", "-q", bundle, ref() + "/export"};
    if (!known.empty()) create.push_back("^" + known);
    auto made = git_.text(create, deadline);
    (void)git_.run({"update-ref", "-d", ref() + "/export"}, deadline);
    if (!made) return std::move(made).error();
    const auto root = TRY(os::open_directory(scratch.path()));
    sync::Tree tree;
    std::string error;
    if (!sync::scan(root.get(), {}, tree, error)) return internal_error(error);
    auto stream = TRY(peer_.open({options_.runner, "unpack", options_.remote + "/.paperclip-runtime/history"}, deadline));
    StreamWatch watch(stream->socket(), deadline);
    const auto sent = sync::send_parcel(root.get(), tree, {.changed = {"bundle"}, .rights = {}, .removed = {}}, stream->socket(), stream->socket(), options_.window);
    watch.stop();
    const auto end = stream->finish(deadline);
    if (!sent.ok()) return Error(end ? ErrorKind::bad_gateway : ErrorKind::unavailable, "Cannot bring the history to the place: " + (end && !end->ok() ? reason_of(*end) : sent.error));
  }
  std::string text = take_script;
  text = replace_all(text, "+refs/paperclip/export:", "+" + ref() + "/export:");
  TRY(script(text, {*head, branch ? *branch : ""}, deadline));
  out.in_place = true;
  out.base = json::object{{"head", *head}, {"branch", branch ? json::value(*branch) : json::value(nullptr)}};
  return out;
}

Result<SyncHistory::Fetched> SyncHistory::fetch(const json::object& base, Deadline deadline) const {
  Fetched out;
  const auto head = text_at(json::value(base), "head");
  if (!head) return out;
  out.base = *head;
  const auto there = TRY(script(give_script, {*head}, deadline));
  if (!is_commit(there)) return out;
  auto scratch = TRY(os::TemporaryDirectory::create("paperclip-bundle-"));
  const auto stage = TRY(os::open_directory(scratch.path()));
  auto stream = TRY(peer_.open({options_.runner, "pack", options_.remote + "/.paperclip-runtime/history"}, deadline));
  std::string list, wish, error;
  runner::ByteWriter(list).text("bundle");
  runner::ByteWriter(wish).text(list);
  sync::Delivery delivery;
  StreamWatch watch(stream->socket(), deadline);
  const bool received = sync::write_all(stream->socket(), wish) && sync::receive_parcel(stage.get(), stream->socket(), stream->socket(), delivery, error);
  if (received) sync::answer_done(stream->socket());
  else ::shutdown(stream->socket(), SHUT_RDWR);
  watch.stop();
  const auto end = stream->finish(deadline);
  const auto bundle = delivery.arrived.find("bundle");
  if (!received || bundle == delivery.arrived.end()) return Error(end ? ErrorKind::bad_gateway : ErrorKind::unavailable, "The bundle of commits did not arrive: " + error);
  TRY(git_.text({"-c", "fetch.fsckObjects=true", "fetch", "-q", "--no-tags", "--no-write-fetch-head", "--force", (scratch.path() / bundle->second.staged).string(),
                 "+refs/paperclip/export:" + ref()}, deadline));
  out.commit = TRY(git_.text({"rev-parse", "--verify", ref()}, deadline));
  return out;
}

bool SyncHistory::fast_forward(const Fetched& fetched, Deadline deadline, std::vector<std::string>& warnings) const {
  const auto stays = [&](const std::string& why) {
    warnings.push_back("The run's commits are in " + ref() + "; the branch here was not moved, because " + why + ".");
    return false;
  };
  const auto now = git_.text({"rev-parse", "--verify", "HEAD"}, deadline);
  if (!now) return stays("it has no commit any more");
  if (*now == *fetched.commit) return true;
  if (*now != fetched.base) return stays("it has got other commits since the run began");
  if (!git_.succeeds({"merge-base", "--is-ancestor", *now, *fetched.commit}, deadline)) return stays("the run rewrote the commits it started from");
  // The files are in place already: only the index and the branch move, and what was staged here stays staged.
  if (!git_.succeeds({"read-tree", "-i", "-m", *now, *fetched.commit}, deadline)) return stays("what is staged here is in the way");
  if (auto moved = git_.text({"update-ref", "-m", "paperclip: commits of a run", "HEAD", *fetched.commit, *now}, deadline); !moved) {
    (void)git_.run({"read-tree", "-i", "-m", *fetched.commit, *now}, deadline);
    return stays("git refused it: " + moved.error().message);
  }
  (void)git_.run({"update-index", "-q", "--refresh"}, deadline);
  (void)git_.run({"update-ref", "-d", ref(), *fetched.commit}, deadline);
  return true;
}

}  // namespace paperclip::environments
