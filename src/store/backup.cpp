#include "store/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/text.h"
#include "os/descriptor.h"
#include "os/files.h"
#include "store/error.h"
#include "store/session.h"

namespace paperclip::store {

namespace {

Result<void> synchronise(const std::filesystem::path& path) {
  const os::Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor || fsync(descriptor.get()) != 0) return os::file_error("synchronise", path, errno);
  return success();
}

}  // namespace

Result<void> copy_sqlite(const std::string& database, const std::filesystem::path& file) {
  if (std::filesystem::exists(file)) return conflict("the backup file exists already: " + file.string());
  const std::filesystem::path partial = file.string() + ".partial";
  {
    // SQLite takes an empty file as its target, and so the mode is ours.
    const os::Descriptor made(::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!made) return os::file_error("create", partial, errno);
  }
  try {
    const auto session = Session::open_sqlite({.path = database});
    session->script("PRAGMA query_only = OFF; VACUUM INTO '" + replace_all(partial.string(), "'", "''") + "'");
    TRY(synchronise(partial));
    std::filesystem::rename(partial, file);
    return synchronise(file.has_parent_path() ? file.parent_path() : ".");
  } catch (const StoreError& error) {
    ::unlink(partial.c_str());
    return error.error();
  } catch (const std::system_error& error) {
    ::unlink(partial.c_str());
    return os::file_error("rename", partial, error.code().value());
  }
}

}  // namespace paperclip::store
