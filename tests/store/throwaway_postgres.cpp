#include "throwaway_postgres.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "store/error.h"
#include "store/session.h"

namespace paperclip::test {

namespace {

const std::string binaries = "/usr/lib/postgresql/15/bin/";
std::string reason;

/// Starts a program as `postgres` (if we are root); its output goes to `log`.
pid_t spawn(const std::vector<std::string>& command, const std::string& log) {
  const passwd* user = geteuid() == 0 ? getpwnam("postgres") : nullptr;
  std::vector<char*> argv;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  dup2(out, 1);
  dup2(out, 2);
  if (user && (setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)) _exit(126);
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (getppid() != parent) _exit(125);
  execv(argv[0], argv.data());
  _exit(127);
}

}  // namespace

ThrowawayPostgres* ThrowawayPostgres::get() {
  static const std::unique_ptr<ThrowawayPostgres> server = [] {
    std::unique_ptr<ThrowawayPostgres> made(new ThrowawayPostgres);
    reason = made->start();
    if (!reason.empty()) made.reset();
    return made;
  }();
  return server.get();
}

const std::string& ThrowawayPostgres::why() { return reason; }

std::string ThrowawayPostgres::start() {
  if (access((binaries + "initdb").c_str(), X_OK) != 0) return "PostgreSQL 15 is not installed";
  const passwd* user = getpwnam("postgres");
  if (geteuid() == 0 && !user) return "running as root and there is no user postgres";
  std::string pattern = (std::filesystem::temp_directory_path() / "paperclip-postgres-XXXXXX").string();
  if (!mkdtemp(pattern.data())) return "no temporary directory";
  directory_ = pattern;
  if (geteuid() == 0 && chown(directory_.c_str(), user->pw_uid, user->pw_gid) != 0) return "chown failed";
  const pid_t initdb = spawn({binaries + "initdb", "-D", directory_ + "/data", "-A", "trust", "-U", "postgres", "-E",
                              "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"},
                             directory_ + "/initdb.log");
  int status = 0;
  waitpid(initdb, &status, 0);
  if (status != 0) return "initdb failed";
  return launch();
}

std::string ThrowawayPostgres::launch() {
  pid_ = spawn({binaries + "postgres", "-D", directory_ + "/data", "-k", directory_, "-c", "listen_addresses=", "-c",
                "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=60",
                "-c", "shared_buffers=32MB"},
               directory_ + "/server.log");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < deadline) {
    try {
      store::Session::open_postgresql("host=" + directory_ + " user=postgres dbname=postgres");
      return "";
    } catch (const store::StoreError&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // between probes, until the deadline
    }
  }
  return "the server did not come up";
}

std::string ThrowawayPostgres::fresh_url() {
  const std::string schema = "test_" + std::to_string(++schemas_);
  const std::string base = "host=" + directory_ + " user=postgres dbname=postgres";
  store::Session::open_postgresql(base)->script("create schema " + schema);
  return base + " options='-c search_path=" + schema + "'";
}

std::string ThrowawayPostgres::plain_url() const {
  std::string host;
  for (const char c : directory_) host += c == '/' ? std::string("%2F") : std::string(1, c);
  return "postgres://postgres@" + host + "/postgres";
}

void ThrowawayPostgres::stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGINT);  // fast shutdown
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void ThrowawayPostgres::restart() {
  stop();
  if (const auto problem = launch(); !problem.empty()) throw std::runtime_error(problem);
}

ThrowawayPostgres::~ThrowawayPostgres() {
  stop();
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

}  // namespace paperclip::test
