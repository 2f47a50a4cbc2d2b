#include "domain/storage/object_storage.h"

#include "base/crypto.h"
#include "base/text.h"
#include "os/files.h"

namespace paperclip::domain {

namespace {

constexpr std::size_t longest_segment = 120;
constexpr std::size_t longest_extension = 16;
constexpr std::size_t largest_object = std::size_t{1} << 30;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

// The last dot counts, and a leading one does not.
std::size_t extension_at(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? name.size() : dot;
}

std::string plain_extension(std::string_view extension) {
  std::string out;
  for (char c : lower(extension))
    if (((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.') && out.size() < longest_extension) out += c;
  return out == "." ? std::string() : out;
}

}  // namespace

std::string sanitised_segment(std::string_view text) {
  std::string out;
  for (char c : text) {
    const char kept = is_plain(c) ? c : '_';
    if (kept == '_' && !out.empty() && out.back() == '_') continue;
    // Two dots would make a key that nobody may read.
    if (kept == '.' && !out.empty() && out.back() == '.') continue;
    out += kept;
  }
  const auto start = out.find_first_not_of('_');
  if (start == std::string::npos) return "file";
  out = out.substr(start, out.find_last_not_of('_') - start + 1);
  if (out.size() > longest_segment) out.resize(longest_segment);
  return out == "." ? "file" : out;
}

std::string object_key(CompanyId company, std::string_view name_space, const std::optional<std::string>& filename,
                       Timestamp time, std::string_view uuid) {
  std::string key = company.str();
  bool any = false;
  for (const auto& segment : split(name_space, '/')) {
    if (segment.empty()) continue;
    key += '/' + sanitised_segment(segment);
    any = true;
  }
  if (!any) key += "/misc";
  const std::string iso = to_iso(time);
  key += '/' + iso.substr(0, 4) + '/' + iso.substr(5, 2) + '/' + iso.substr(8, 2) + '/';
  const std::string name = filename.value_or("file");
  const auto cut = extension_at(name);
  std::string stem = sanitised_segment(std::string_view(name).substr(0, cut));
  while (!stem.empty() && stem.back() == '.') stem.pop_back();
  return key + std::string(uuid) + '-' + stem + plain_extension(std::string_view(name).substr(cut));
}

Result<std::filesystem::path> ObjectStorage::path_of(CompanyId company, const std::string& key) const {
  if (!key.starts_with(company.str() + "/")) return forbidden("Object does not belong to company");
  if (key.find("..") != std::string::npos || key.find('\0') != std::string::npos)
    return bad_request("Invalid object key");
  return root_ / key;
}

Result<StoredObject> ObjectStorage::put(CompanyId company, std::string_view name_space,
                                        const std::optional<std::string>& filename, std::string_view bytes) {
  StoredObject object{"local_disk",
                      paperclip::domain::object_key(company, name_space, filename, clock_.now(), random_.uuid()),
                      static_cast<std::int64_t>(bytes.size()), sha256_hex(bytes)};
  const auto path = TRY(path_of(company, object.object_key));
  TRY(os::make_directories(path.parent_path()));
  TRY(os::write_file_atomically(path, bytes, 0600, os::Durability::synced));
  return object;
}

Result<std::string> ObjectStorage::open(CompanyId company, const std::string& key) const {
  const auto path = TRY(path_of(company, key));
  auto bytes = os::read_file(path, largest_object);
  if (!bytes && bytes.error().kind == ErrorKind::not_found) return not_found("Object not found");
  return bytes;
}

Result<> ObjectStorage::remove(CompanyId company, const std::string& key) {
  return os::remove_tree(TRY(path_of(company, key)));
}

}  // namespace paperclip::domain
