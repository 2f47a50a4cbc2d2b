#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "os/descriptor.h"
#include "runner/sync_hash.h"

/// What stands in a workspace: the same code looks at it on this machine and, in the runner, in a place.
namespace paperclip::sync {

using os::Descriptor;

/// Reserved on both sides, never carried: index, staged files, assets, temporary bundles.
inline constexpr std::string_view reserved_directory = ".paperclip-runtime";

enum class Kind : std::uint8_t { file = 'F', link = 'L', directory = 'D' };

struct Entry {
  Kind kind = Kind::file;
  std::uint32_t mode = 0;   // permission bits; 0 for links
  std::uint64_t size = 0;   // of files
  Hash hash{};              // of a file's content
  bool hashed = false;
  std::string target;       // of links
  // For knowing later that nobody touched it; not told to the other side.
  std::int64_t changed_ns = 0, modified_ns = 0;
  std::uint64_t inode = 0;

  /// The same thing to a reader, whoever wrote it when. Both must be hashed.
  bool same_as(const Entry& other) const {
    return kind == other.kind && mode == other.mode && size == other.size && target == other.target && (kind != Kind::file || hash == other.hash);
  }
};

/// By path below the root, without a leading slash; a directory comes before what it holds.
using Tree = std::map<std::string, Entry, std::less<>>;

/// What is left out at any depth: `.git`, `._*`; at the top: the reserved directory and `.paperclip/worktrees`; and every
/// name or path below the root that is listed.
struct Exclusions {
  std::vector<std::string> names;
  bool covers(std::string_view path, std::string_view name) const;
};

/// Whether a path from the other side may be used: relative, no empty part, no `.`, no `..`, no NUL, at most 4,000 bytes.
bool is_safe_path(std::string_view path);
/// Whether a link at that path stays below the root wherever it is followed.
bool stays_inside(std::string_view path, std::string_view target);

/// Looks at everything below a directory. Sockets, pipes and devices are passed over. False and a message on trouble.
bool scan(int root, const Exclusions& exclusions, Tree& tree, std::string& error);
/// Fills in the hashes of the named files, or of all (`only` null); what `known` has hashed and is untouched is not read.
bool hash_files(int root, Tree& tree, const Tree* known, const std::vector<std::string>* only, std::string& error);
/// True if neither content nor rights can have changed between two looks.
bool is_untouched(const Entry& now, const Entry& before);

/// The index of a tree, for the next look. `load` of a missing or broken one is empty.
std::string write_tree(const Tree& tree, bool with_times);
bool read_tree(std::string_view bytes, Tree& tree);

/// Opens a file or directory below the root without following a link anywhere; negative errno as the descriptor's absence.
Descriptor open_below(int root, std::string_view path, int flags, unsigned mode = 0);
/// Opens the directory that holds the path, and says the last part.
Descriptor open_parent(int root, std::string_view path, std::string& name);
/// Makes the directories above a path.
bool make_parents(int root, std::string_view path);

std::string read_whole(int root, const char* name, std::size_t limit);

}  // namespace paperclip::sync
