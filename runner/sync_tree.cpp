#include "runner/sync_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runner/bytes.h"
#include "runner/sync_stream.h"

namespace paperclip::sync {

namespace {

constexpr std::size_t longest_path = 4000;
constexpr int deepest = 200;
/// A change within this time of a look may leave the same time stamps.
constexpr std::int64_t clock_grain_ns = 20'000'000;

std::int64_t ns_of(const timespec& time) { return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec; }

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return ns_of(now);
}

void fill(const struct stat& found, Entry& entry) {
  entry.mode = found.st_mode & 07777;
  entry.changed_ns = ns_of(found.st_ctim);
  entry.modified_ns = ns_of(found.st_mtim);
  entry.inode = found.st_ino;
}

bool scan_directory(int directory, const std::string& prefix, int depth, const Exclusions& exclusions, Tree& tree, std::string& error) {
  if (depth > deepest) return error = "Folders are nested too deep at \"" + prefix + "\"", false;
  DIR* stream = fdopendir(directory);
  if (stream == nullptr) {
    close(directory);
    return error = "Cannot read folder \"" + prefix + "\": " + strerror(errno), false;
  }
  bool fine = true;
  while (fine) {
    errno = 0;
    const dirent* item = readdir(stream);
    if (item == nullptr) {
      if (errno != 0) error = "Cannot read folder \"" + prefix + "\": " + strerror(errno), fine = false;
      break;
    }
    const std::string_view name = item->d_name;
    if (name == "." || name == "..") continue;
    const std::string path = prefix.empty() ? std::string(name) : prefix + "/" + std::string(name);
    if (path.size() > longest_path || exclusions.covers(path, name)) continue;
    struct stat found {};
    if (fstatat(dirfd(stream), item->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      error = "Cannot look at \"" + path + "\": " + strerror(errno);
      fine = false;
      break;
    }
    Entry entry;
    fill(found, entry);
    if (S_ISREG(found.st_mode)) {
      entry.size = static_cast<std::uint64_t>(found.st_size);
      tree.emplace(path, std::move(entry));
    } else if (S_ISLNK(found.st_mode)) {
      char target[PATH_MAX];
      const ssize_t length = readlinkat(dirfd(stream), item->d_name, target, sizeof target);
      if (length < 0) continue;
      entry.kind = Kind::link;
      entry.mode = 0;
      entry.target.assign(target, static_cast<std::size_t>(length));
      tree.emplace(path, std::move(entry));
    } else if (S_ISDIR(found.st_mode)) {
      entry.kind = Kind::directory;
      tree.emplace(path, std::move(entry));
      const int below = openat(dirfd(stream), item->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (below < 0) {
        if (errno == ENOENT) continue;
        error = "Cannot open folder \"" + path + "\": " + strerror(errno);
        fine = false;
      } else {
        fine = scan_directory(below, path, depth + 1, exclusions, tree, error);
      }
    }
  }
  closedir(stream);
  return fine;
}

}  // namespace

bool Exclusions::covers(std::string_view path, std::string_view name) const {
  if (name == ".git" || name.substr(0, 2) == "._") return true;
  if (path == reserved_directory || path == ".paperclip/worktrees") return true;
  for (const auto& excluded : names)
    if (name == excluded || path == excluded) return true;
  return false;
}

bool is_safe_path(std::string_view path) {
  if (path.empty() || path.size() > longest_path || path.front() == '/' || path.find('\0') != std::string_view::npos) return false;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = path.find('/', at) == std::string_view::npos ? path.size() : path.find('/', at);
    const auto part = path.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

bool stays_inside(std::string_view path, std::string_view target) {
  if (target.empty() || target.front() == '/') return false;
  int depth = 0;
  for (char c : path) depth += c == '/';
  for (std::size_t at = 0; at <= target.size();) {
    const std::size_t end = target.find('/', at) == std::string_view::npos ? target.size() : target.find('/', at);
    const auto part = target.substr(at, end - at);
    if (part == "..") --depth;
    else if (!part.empty() && part != ".") ++depth;
    if (depth < 0) return false;
    at = end + 1;
  }
  return true;
}

bool scan(int root, const Exclusions& exclusions, Tree& tree, std::string& error) {
  const int again = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return error = std::string("Cannot open the workspace: ") + strerror(errno), false;
  return scan_directory(again, "", 0, exclusions, tree, error);
}

bool is_untouched(const Entry& now, const Entry& before) {
  return now.kind == before.kind && now.size == before.size && now.mode == before.mode && now.inode == before.inode && now.changed_ns == before.changed_ns &&
         now.modified_ns == before.modified_ns && now.target == before.target;
}

bool hash_files(int root, Tree& tree, const Tree* known, const std::vector<std::string>* only, std::string& error) {
  std::string buffer(256 * 1024, '\0');
  const auto hash_one = [&](const std::string& path, Entry& entry) {
    if (entry.kind != Kind::file || entry.hashed) return true;
    if (known != nullptr) {
      const auto before = known->find(path);
      if (before != known->end() && before->second.hashed && is_untouched(entry, before->second)) {
        entry.hash = before->second.hash;
        entry.hashed = true;
        return true;
      }
    }
    const auto file = open_below(root, path, O_RDONLY | O_NOATIME);
    const auto readable = file ? Descriptor() : open_below(root, path, O_RDONLY);
    const int fd = file ? file.get() : readable.get();
    if (fd < 0) return error = "Cannot read \"" + path + "\": " + strerror(errno), false;
    Hasher hasher;
    std::uint64_t size = 0;
    for (;;) {
      const ssize_t got = read(fd, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return error = "Cannot read \"" + path + "\": " + strerror(errno), false;
      if (got == 0) break;
      hasher.add(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
      size += static_cast<std::uint64_t>(got);
    }
    entry.size = size;
    entry.hash = hasher.finish();
    entry.hashed = true;
    return true;
  };
  if (only != nullptr) {
    for (const auto& path : *only)
      if (const auto found = tree.find(path); found != tree.end() && !hash_one(path, found->second)) return false;
    return true;
  }
  for (auto& [path, entry] : tree)
    if (!hash_one(path, entry)) return false;
  return true;
}

Parcel difference(const Tree& here, const Tree& there) {
  Parcel parcel;
  for (const auto& [path, entry] : here) {
    const auto other = there.find(path);
    if (other == there.end()) {
      parcel.changed.push_back(path);
      continue;
    }
    Entry with_our_rights = other->second;
    with_our_rights.mode = entry.mode;
    const bool same = entry.kind == Kind::file && !entry.hashed ? false : entry.same_as(with_our_rights);
    if (!same) parcel.changed.push_back(path);
    else if (entry.mode != other->second.mode) (entry.kind == Kind::directory ? parcel.changed : parcel.rights).push_back(path);
  }
  for (const auto& [path, entry] : there)
    if (!here.contains(path)) parcel.removed.push_back(path);
  return parcel;
}

std::string write_tree(const Tree& tree, bool with_times) {
  std::string out;
  runner::ByteWriter writer(out);
  const std::int64_t now = now_ns();
  for (const auto& [path, entry] : tree) {
    // Changed just now: a further change might not show.
    const bool racy = entry.changed_ns + clock_grain_ns > now;
    if (with_times && (racy || (entry.kind == Kind::file && !entry.hashed))) continue;
    writer.number(static_cast<std::uint8_t>(entry.kind)).text(path).number(entry.mode);
    if (entry.kind == Kind::file) {
      writer.number(entry.size);
      out.append(reinterpret_cast<const char*>(entry.hash.data()), entry.hash.size());
    } else if (entry.kind == Kind::link) {
      writer.text(entry.target);
    }
    if (with_times) writer.number(entry.changed_ns).number(entry.modified_ns).number(entry.inode);
  }
  writer.number(static_cast<std::uint8_t>(with_times ? 'I' : 'E'));
  return out;
}

bool read_tree(std::string_view bytes, Tree& tree) {
  if (bytes.empty()) return false;
  const bool with_times = bytes.back() == 'I';
  runner::ByteReader reader(bytes);
  for (;;) {
    const auto kind = reader.number<std::uint8_t>();
    if (kind == 'E' || kind == 'I') return reader.ok() && reader.rest().empty();
    if (kind != 'F' && kind != 'L' && kind != 'D') return false;
    Entry entry;
    entry.kind = static_cast<Kind>(kind);
    const std::string path(reader.text());
    entry.mode = reader.number<std::uint32_t>() & 07777;
    if (entry.kind == Kind::file) {
      entry.size = reader.number<std::uint64_t>();
      for (auto& byte : entry.hash) byte = reader.number<std::uint8_t>();
      entry.hashed = true;
    } else if (entry.kind == Kind::link) {
      entry.target = reader.text();
    }
    if (with_times) {
      entry.changed_ns = reader.number<std::int64_t>();
      entry.modified_ns = reader.number<std::int64_t>();
      entry.inode = reader.number<std::uint64_t>();
    }
    if (!reader.ok() || !is_safe_path(path)) return false;
    tree.emplace(path, std::move(entry));
  }
}

Descriptor open_below(int root, std::string_view path, int flags, unsigned mode) {
  std::string name;
  const auto parent = open_parent(root, path, name);
  if (!parent) return {};
  return Descriptor(openat(parent.get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
}

Descriptor open_parent(int root, std::string_view path, std::string& name) {
  Descriptor at(openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (auto slash = path.find('/'); at && slash != std::string_view::npos; slash = path.find('/')) {
    const std::string part(path.substr(0, slash));
    path.remove_prefix(slash + 1);
    at.reset(openat(at.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  name = path;
  return at;
}

bool make_parents(int root, std::string_view path) {
  Descriptor at(openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (auto slash = path.find('/'); at && slash != std::string_view::npos; slash = path.find('/')) {
    const std::string part(path.substr(0, slash));
    path.remove_prefix(slash + 1);
    if (mkdirat(at.get(), part.c_str(), 0755) != 0 && errno != EEXIST) return false;
    at.reset(openat(at.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  return static_cast<bool>(at);
}

std::string read_whole(int root, const char* name, std::size_t limit) {
  const Descriptor file(openat(root, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  std::string out;
  char buffer[65536];
  while (file && out.size() < limit) {
    const ssize_t got = read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    out.append(buffer, static_cast<std::size_t>(got));
  }
  return out;
}

}  // namespace paperclip::sync
