#include "server/local_state.h"

#include <system_error>

#include "base/random.h"
#include "base/text.h"
#include "os/files.h"
#include "store/database.h"

namespace paperclip::server {

namespace fs = std::filesystem;

Result<LocalState> LocalState::open(const Config& config) {
  for (const fs::path& directory : {config.instance_root / "db", config.instance_root / "secrets", config.log_directory, config.run_log_directory,
                                    config.storage_directory}) {
    std::error_code problem;
    fs::create_directories(directory, problem);
    if (problem)
      return internal_error("Cannot create the directory " + directory.string() + ": " + problem.message() +
                            ". Set PAPERCLIP_HOME to a directory this user may write.");
  }
  std::error_code ignored;
  fs::permissions(config.instance_root, fs::perms::owner_all, ignored);
  fs::permissions(config.instance_root / "secrets", fs::perms::owner_all, ignored);
  LocalState state;
  state.lock_.emplace(TRY(os::FileLock::acquire(config.instance_root / "server.lock", "Another server")));
  state.token_secret_ = config.token_secret;
  if (state.token_secret_.expose().empty()) {
    const fs::path file = config.instance_root / "secrets" / "run-token.key";
    if (!fs::exists(file)) TRY(os::write_file_atomically(file, Random::system().hex(32), 0600, os::Durability::synced));
    state.token_secret_ = SecretText(std::string(trim(TRY(os::read_file(file)))));
    if (state.token_secret_.expose().size() < 32)
      return internal_error("The run token secret in " + file.string() + " is damaged. Delete the file; a fresh one is made at the next start.");
  }
  return state;
}

Result<> ensure_local_board(store::Database& database, const Config& config) {
  if (config.deployment_mode != "local_trusted") return {};
  const bool there = database.read([](store::Reader& reader) {
    return reader.exists("select 1 from \"user\" u join instance_user_roles r on r.user_id = u.id and r.role = 'instance_admin' where u.id = 'local-board'") &&
           !reader.exists("select 1 from companies c where not exists (select 1 from company_memberships m where m.company_id = c.id "
                          "and m.principal_type = 'user' and m.principal_id = 'local-board')");
  });
  if (there) return {};
  return database.write([](store::Transaction& tx) -> Result<> {
    if (!tx.exists("select 1 from \"user\" where id = 'local-board'"))
      tx.execute("insert into \"user\" (id, name, email, email_verified, created_at, updated_at) values ('local-board', 'Board', 'local@paperclip.local', :1, :2, :3)",
                 true, tx.now(), tx.now());
    if (!tx.exists("select 1 from instance_user_roles where user_id = 'local-board' and role = 'instance_admin'"))
      tx.execute("insert into instance_user_roles (id, user_id, role, created_at, updated_at) values (:1, 'local-board', 'instance_admin', :2, :3)",
                 tx.new_id<AnyId>(), tx.now(), tx.now());
    for (const auto& company : tx.column<CompanyId>(
             "select c.id from companies c where not exists (select 1 from company_memberships m where m.company_id = c.id "
             "and m.principal_type = 'user' and m.principal_id = 'local-board')"))
      tx.execute("insert into company_memberships (id, company_id, principal_type, principal_id, status, membership_role, created_at, updated_at) "
                 "values (:1, :2, 'user', 'local-board', 'active', 'owner', :3, :4)",
                 tx.new_id<AnyId>(), company, tx.now(), tx.now());
    return {};
  });
}

}  // namespace paperclip::server
