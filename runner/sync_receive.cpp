#include <algorithm>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runner/bytes.h"
#include "runner/sync_stream.h"

namespace paperclip::sync {

namespace {

constexpr std::size_t buffer_bytes = 128 * 1024;
constexpr std::uint32_t longest_chunk = 1024 * 1024;
constexpr std::uint64_t acknowledge_every = 32 * 1024;
constexpr std::size_t most_entries = 5'000'000;

class Receiver {
 public:
  Receiver(int in, int out) : in_(in), out_(out), buffer_(buffer_bytes, '\0') {}

  bool bytes(char* to, std::size_t count) {
    while (count > 0) {
      if (at_ == end_ && !refill()) return false;
      const std::size_t taken = std::min(count, end_ - at_);
      memcpy(to, buffer_.data() + at_, taken);
      take(taken);
      to += taken;
      count -= taken;
    }
    return true;
  }
  /// Up to `count` bytes that are here, at least one.
  std::string_view some(std::size_t count) {
    if (at_ == end_ && !refill()) return {};
    const std::string_view out(buffer_.data() + at_, std::min(count, end_ - at_));
    take(out.size());
    return out;
  }
  template <class T>
  bool number(T& value) {
    char raw[sizeof(T)];
    if (!bytes(raw, sizeof raw)) return false;
    value = runner::ByteReader(std::string_view(raw, sizeof raw)).number<T>();
    return true;
  }
  bool text(std::string& value, std::uint32_t limit) {
    std::uint32_t size = 0;
    if (!number(size)) return false;
    if (size > limit) return error = "A text in the stream is too long", false;
    value.resize(size);
    return bytes(value.data(), size);
  }

  std::string error;

 private:
  void take(std::size_t count) {
    at_ += count;
    total_ += count;
  }
  bool refill() {
    if (total_ - told_ >= acknowledge_every || (told_ < total_ && total_ != 0)) {
      std::string word;
      runner::ByteWriter(word).number(std::uint8_t{'A'}).number(total_);
      if (!write_all(out_, word)) return error = "The connection broke", false;
      told_ = total_;
    }
    ssize_t got = 0;
    do got = read(in_, buffer_.data(), buffer_.size());
    while (got < 0 && errno == EINTR);
    if (got <= 0) return error = got == 0 ? "The stream ended in the middle" : std::string("The connection broke: ") + strerror(errno), false;
    at_ = 0;
    end_ = static_cast<std::size_t>(got);
    return true;
  }

  const int in_, out_;
  std::string buffer_;
  std::size_t at_ = 0, end_ = 0;
  std::uint64_t total_ = 0, told_ = 0;
};

bool receive_file(Receiver& receiver, int stage, const std::string& path, Arrival& arrival, std::string& error) {
  std::uint32_t mode = 0;
  if (!receiver.number(mode) || !receiver.number(arrival.modified_ns)) return false;
  arrival.entry.mode = mode & 0777;  // no set-id bits from the other side
  const Descriptor file(openat(stage, arrival.staged.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return error = "Cannot stage \"" + path + "\": " + strerror(errno), false;
  Hasher hasher;
  for (;;) {
    std::uint32_t left = 0;
    if (!receiver.number(left)) return false;
    if (left == 0) break;
    if (left > longest_chunk) return error = "A piece of a file in the stream is too long", false;
    while (left > 0) {
      const auto piece = receiver.some(left);
      if (piece.empty()) return false;
      hasher.add(piece);
      std::string_view rest = piece;
      while (!rest.empty()) {
        const ssize_t written = write(file.get(), rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return error = "Cannot stage \"" + path + "\": " + strerror(errno), false;
        rest.remove_prefix(static_cast<std::size_t>(written));
      }
      arrival.entry.size += piece.size();
      left -= static_cast<std::uint32_t>(piece.size());
    }
  }
  Hash promised;
  if (!receiver.bytes(reinterpret_cast<char*>(promised.data()), promised.size())) return false;
  arrival.entry.hash = hasher.finish();
  arrival.entry.hashed = true;
  if (arrival.entry.hash != promised) return error = "The content of \"" + path + "\" is not what was sent", false;
  const timespec times[2] = {{0, UTIME_OMIT}, {arrival.modified_ns / 1'000'000'000, arrival.modified_ns % 1'000'000'000}};
  futimens(file.get(), times);
  if (fchmod(file.get(), arrival.entry.mode) != 0) return error = "Cannot set the rights of \"" + path + "\": " + strerror(errno), false;
  return true;
}

}  // namespace

bool receive_parcel(int stage, int in, int out, Delivery& delivery, std::string& error) {
  Receiver receiver(in, out);
  const auto broke = [&] {
    if (error.empty()) error = receiver.error.empty() ? "The stream is broken" : receiver.error;
    return false;
  };
  std::uint8_t word = 0, version = 0;
  if (!receiver.number(word) || !receiver.number(version)) return broke();
  if (word != 'P' || version != 1) return error = "This is no stream of files that we know", false;
  for (std::size_t count = 0;; ++count) {
    if (!receiver.number(word)) return broke();
    if (word == 'E') return true;
    if (count >= most_entries) return error = "The stream holds too many entries", false;
    std::string path;
    if (!receiver.text(path, 4096)) return broke();
    if (!is_safe_path(path) || Exclusions{}.covers(path, std::string_view(path).substr(path.rfind('/') + 1)) ||
        std::string_view(path).substr(0, path.find('/')) == reserved_directory || ("/" + path + "/").find("/.git/") != std::string::npos)
      return error = "The stream names a path that must not be written: \"" + path + "\"", false;
    if (word == 'R') {
      delivery.removed.push_back(std::move(path));
      continue;
    }
    if (word == 'M') {
      std::uint32_t mode = 0;
      if (!receiver.number(mode)) return broke();
      delivery.rights.insert_or_assign(std::move(path), mode & 0777);
      continue;
    }
    Arrival arrival;
    arrival.staged = std::to_string(count);
    if (word == 'F') {
      if (!receive_file(receiver, stage, path, arrival, error)) return broke();
    } else if (word == 'L') {
      arrival.entry.kind = Kind::link;
      if (!receiver.text(arrival.entry.target, 4096)) return broke();
      if (arrival.entry.target.empty() || arrival.entry.target.find('\0') != std::string::npos) return error = "The stream holds a broken link", false;
    } else if (word == 'D') {
      arrival.entry.kind = Kind::directory;
      if (!receiver.number(arrival.entry.mode)) return broke();
      arrival.entry.mode = (arrival.entry.mode & 0777) | 0700;
    } else {
      return error = "The stream holds an entry of an unknown kind", false;
    }
    delivery.arrived.insert_or_assign(std::move(path), std::move(arrival));
  }
}

namespace {

/// The open folder of the path before, because files come folder by folder.
class Parents {
 public:
  explicit Parents(int root) : root_(root) {}
  int open(const std::string& path, std::string& name, bool make) {
    const auto slash = path.rfind('/');
    name = slash == std::string::npos ? path : path.substr(slash + 1);
    const std::string folder = slash == std::string::npos ? std::string() : path.substr(0, slash);
    if (at_ && folder == folder_) return at_.get();
    if (make && !make_parents(root_, path)) return -1;
    std::string ignored;
    at_ = open_parent(root_, path, ignored);
    folder_ = folder;
    return at_ ? at_.get() : -1;
  }
  void forget() { at_.reset(); }

 private:
  const int root_;
  Descriptor at_;
  std::string folder_;
};

bool is_folder(int parent, const char* name) {
  struct stat found {};
  return fstatat(parent, name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(found.st_mode);
}

/// Empty, or why it could not be placed.
std::string place_one(int stage, int parent, const std::string& name, const Arrival& arrival) {
  const Entry& entry = arrival.entry;
  if (entry.kind == Kind::directory) {
    if (mkdirat(parent, name.c_str(), entry.mode) != 0) {
      if (errno != EEXIST) return strerror(errno);
      if (!is_folder(parent, name.c_str()) && (unlinkat(parent, name.c_str(), 0) != 0 || mkdirat(parent, name.c_str(), entry.mode) != 0)) return strerror(errno);
    }
    return fchmodat(parent, name.c_str(), entry.mode, 0) == 0 ? std::string() : strerror(errno);
  }
  if (is_folder(parent, name.c_str()) && unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0) return std::string("a folder is in its place: ") + strerror(errno);
  if (entry.kind == Kind::link && symlinkat(entry.target.c_str(), stage, arrival.staged.c_str()) != 0) return strerror(errno);
  if (renameat(stage, arrival.staged.c_str(), parent, name.c_str()) != 0) return strerror(errno);
  return {};
}

}  // namespace

void place_delivery(int root, int stage, const Delivery& delivery, Placement& placement) {
  Parents parents(root);
  std::string name;
  const auto judge = [&](const std::string& path, const Entry* entry) { return placement.judge ? placement.judge(path, entry) : Verdict::take; };
  // Folders after what they hold.
  std::vector<std::string> removed = delivery.removed;
  std::sort(removed.rbegin(), removed.rend());
  for (const auto& path : removed) {
    if (judge(path, nullptr) != Verdict::take) continue;
    const int parent = parents.open(path, name, false);
    if (parent < 0) continue;
    if (unlinkat(parent, name.c_str(), 0) != 0 && errno == EISDIR) {
      // What is kept in it keeps it.
      if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0) parents.forget();
    }
    placement.placed.push_back(path);
  }
  for (const auto& [path, mode] : delivery.rights) {
    if (judge(path, nullptr) != Verdict::take) continue;
    const auto file = open_below(root, path, O_RDONLY);
    if (!file || fchmod(file.get(), mode) != 0) placement.refused.push_back(path + ": " + strerror(errno));
    else placement.placed.push_back(path);
  }
  for (const auto& [path, arrival] : delivery.arrived) {
    const Entry& entry = arrival.entry;
    Verdict verdict = judge(path, &entry);
    if (verdict == Verdict::keep) continue;
    if (entry.kind == Kind::link && !placement.allow_outward_links && !stays_inside(path, entry.target)) {
      placement.refused.push_back(path + ": the link leads out of the workspace");
      continue;
    }
    const int parent = parents.open(path, name, true);
    if (parent < 0) {
      placement.refused.push_back(path + ": " + strerror(errno));
      continue;
    }
    if (verdict == Verdict::take_beside) name += placement.beside_suffix;
    if (const auto problem = place_one(stage, parent, name, arrival); !problem.empty()) placement.refused.push_back(path + ": " + problem);
    else (verdict == Verdict::take ? placement.placed : placement.beside).push_back(path);
    if (entry.kind == Kind::directory) parents.forget();
  }
}

void answer_done(int out) { write_all(out, "K"); }

void answer_error(int out, std::string_view error) {
  std::string word;
  runner::ByteWriter(word).number(std::uint8_t{'X'}).text(error.substr(0, 60'000));
  write_all(out, word);
}

Descriptor make_stage(int root, std::string& name, std::string& error) {
  const std::string base(reserved_directory);
  if (mkdirat(root, base.c_str(), 0700) != 0 && errno != EEXIST) return error = "Cannot make \"" + base + "\": " + strerror(errno), Descriptor();
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  name = base + "/sync-" + std::to_string(now.tv_sec) + "-" + std::to_string(now.tv_nsec) + "-" + std::to_string(getpid());
  if (mkdirat(root, name.c_str(), 0700) != 0) return error = "Cannot make \"" + name + "\": " + strerror(errno), Descriptor();
  auto stage = open_below(root, name, O_RDONLY | O_DIRECTORY);
  if (!stage) error = "Cannot open \"" + name + "\": " + strerror(errno);
  return stage;
}

void remove_stage(int root, const std::string& name) {
  const auto stage = open_below(root, name, O_RDONLY | O_DIRECTORY);
  if (!stage) return;
  const int again = openat(stage.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (DIR* stream = again < 0 ? nullptr : fdopendir(again); stream != nullptr) {
    while (const dirent* item = readdir(stream)) unlinkat(stage.get(), item->d_name, 0);
    closedir(stream);
  }
  unlinkat(root, name.c_str(), AT_REMOVEDIR);
}

void remove_old_stages(int root) {
  const auto base = open_below(root, reserved_directory, O_RDONLY | O_DIRECTORY);
  const int again = base ? openat(base.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (again < 0) return;
  DIR* stream = fdopendir(again);
  if (stream == nullptr) return;
  const std::int64_t now = time(nullptr);
  std::vector<std::string> old;
  while (const dirent* item = readdir(stream)) {
    struct stat found {};
    if (strncmp(item->d_name, "sync-", 5) == 0 && fstatat(base.get(), item->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(found.st_mode) &&
        found.st_mtime + 3600 < now)
      old.emplace_back(std::string(reserved_directory) + "/" + item->d_name);
  }
  closedir(stream);
  for (const auto& name : old) remove_stage(root, name);
}

}  // namespace paperclip::sync
