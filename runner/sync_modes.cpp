#include "runner/sync_modes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/bytes.h"
#include "runner/sync_stream.h"
#include "runner/system.h"

namespace paperclip::sync {

namespace {

constexpr const char* index_name = ".paperclip-runtime/sync-index";
constexpr std::size_t longest_index = 512 * 1024 * 1024;

int fail(const std::string& error) {
  fprintf(stderr, "paperclip-runner: %s\n", error.c_str());
  return 1;
}

bool make_path(const std::string& path) {
  for (auto slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    if (mkdir(path.substr(0, slash).c_str(), 0755) != 0 && errno != EEXIST) return false;
    if (slash == std::string::npos) return true;
  }
}

Tree read_index(int root) {
  Tree index;
  if (!read_tree(read_whole(root, index_name, longest_index), index)) index.clear();
  return index;
}

// Only spares reading files again: without it everything still works.
void write_index(int root, const Tree& tree) {
  mkdirat(root, std::string(reserved_directory).c_str(), 0700);
  const auto directory = open_below(root, reserved_directory, O_RDONLY | O_DIRECTORY);
  if (directory) runner::write_file_in(directory.get(), "sync-index", write_tree(tree, true), runner::Durability::none);
}

int manifest(int root, const Exclusions& exclusions) {
  remove_old_stages(root);
  Tree tree;
  std::string error;
  const Tree index = read_index(root);
  if (!scan(root, exclusions, tree, error) || !hash_files(root, tree, &index, nullptr, error)) return fail(error);
  write_index(root, tree);
  return write_all(1, write_tree(tree, false)) ? 0 : 1;
}

int unpack(int root) {
  std::string name, error;
  Delivery delivery;
  {
    const auto stage = make_stage(root, name, error);
    if (!stage || !receive_parcel(stage.get(), 0, 1, delivery, error)) {
      remove_stage(root, name);
      answer_error(1, error);
      return fail(error);
    }
    Placement placement;
    place_delivery(root, stage.get(), delivery, placement);
    if (!placement.refused.empty())
      error = "Could not put " + std::to_string(placement.refused.size()) + " paths in place, first " + placement.refused.front();
  }
  remove_stage(root, name);
  // What came needs no reading the next time.
  Tree index = read_index(root);
  for (const auto& path : delivery.removed) index.erase(path);
  for (const auto& [path, mode] : delivery.rights) index.erase(path);
  for (const auto& [path, arrival] : delivery.arrived) {
    index.erase(path);
    if (arrival.entry.kind != Kind::file) continue;
    const auto file = open_below(root, path, O_RDONLY);
    struct stat found {};
    if (!file || fstat(file.get(), &found) != 0) continue;
    Entry entry = arrival.entry;
    entry.mode = found.st_mode & 07777;
    entry.changed_ns = static_cast<std::int64_t>(found.st_ctim.tv_sec) * 1'000'000'000 + found.st_ctim.tv_nsec;
    entry.modified_ns = static_cast<std::int64_t>(found.st_mtim.tv_sec) * 1'000'000'000 + found.st_mtim.tv_nsec;
    entry.inode = found.st_ino;
    index.insert_or_assign(path, entry);
  }
  write_index(root, index);
  if (!error.empty()) {
    answer_error(1, error);
    return fail(error);
  }
  answer_done(1);
  return 0;
}

// First the list of what is wanted: a count, then the paths.
bool read_wishes(std::vector<std::string>& paths) {
  const auto exactly = [](char* to, std::size_t count) {
    while (count > 0) {
      const ssize_t got = read(0, to, count);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      to += got;
      count -= static_cast<std::size_t>(got);
    }
    return true;
  };
  char raw[4];
  if (!exactly(raw, sizeof raw)) return false;
  const auto size = runner::ByteReader(std::string_view(raw, sizeof raw)).number<std::uint32_t>();
  std::string list(size, '\0');
  if (!exactly(list.data(), list.size())) return false;
  runner::ByteReader reader(list);
  while (!reader.rest().empty()) {
    std::string path(reader.text());
    if (!reader.ok() || !is_safe_path(path)) return false;
    paths.push_back(std::move(path));
  }
  return true;
}

int pack(int root, const Exclusions& exclusions) {
  Parcel parcel;
  if (!read_wishes(parcel.changed)) return fail("The list of wanted paths is broken");
  Tree tree;
  std::string error;
  if (!scan(root, exclusions, tree, error)) return fail(error);
  const auto result = send_parcel(root, tree, parcel, 0, 1);
  return result.ok() ? 0 : fail(result.error);
}

}  // namespace

int run_mode(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  const std::string_view mode = argv[1];
  const std::string directory = argc > 2 ? argv[2] : "";
  Exclusions exclusions;
  constexpr std::string_view option = "--exclude=";
  for (int i = 3; i < argc; ++i)
    if (std::string_view(argv[i]).substr(0, option.size()) == option) exclusions.names.emplace_back(argv[i] + option.size());
  if (directory.empty() || directory.front() != '/') return fail("name an absolute directory");
  if (!make_path(directory)) return fail("Cannot make \"" + directory + "\": " + strerror(errno));
  const Descriptor root(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail("Cannot open \"" + directory + "\": " + strerror(errno));
  if (mode == "manifest") return manifest(root.get(), exclusions);
  if (mode == "unpack") return unpack(root.get());
  return pack(root.get(), exclusions);
}

}  // namespace paperclip::sync
