#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <fstream>
#include <set>

#include "cli/context.h"
#include "cli/local/retention.h"
#include "cli/output.h"
#include "os/descriptor.h"
#include "os/file_lock.h"
#include "terminal.h"

namespace paperclip::cli {
namespace {

using BackupTest = WithServer;

std::string contents(const std::filesystem::path& file) { return os::read_file(file).ok() ? *os::read_file(file) : ""; }
unsigned mode(const std::filesystem::path& file) {
  struct stat status{};
  return ::stat(file.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
}

TEST(Output, Records_show_naming_keys_first_and_cut_long_text) {
  const json::value record =
      *parse_json(R"({"zeta":1,"title":"a  b\nc","id":"x","nested":{"a":1},"gone":null,"yes":true})");
  EXPECT_EQ(inline_record(record), "id=x title=a b c zeta=1 gone=- yes=true");
  EXPECT_EQ(compact(std::string(200, 'a')), std::string(87, 'a') + "...");
  EXPECT_EQ(pretty_json(*parse_json(R"({"a":[],"b":[1,{"c":"\n"}],"d":{}})")),
            "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {\n      \"c\": \"\\n\"\n    }\n  ],\n  \"d\": {}\n}");
  EXPECT_EQ(dollars(1205), "$12.05");
  EXPECT_EQ(dollars(-5), "-$0.05");
}

TEST(Program, Help_and_version_succeed_on_stdout_and_nonsense_fails_on_stderr) {
  Terminal terminal;
  const Ran help = terminal.run({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.out.find("doctor"), std::string::npos);
  EXPECT_EQ(help.out.find("demo-agent"), std::string::npos);
  EXPECT_EQ(terminal.run({"--version"}).exit_code, 0);
  for (const std::vector<std::string>& nonsense : {std::vector<std::string>{},
                                                   {"frobnicate"},
                                                   {"company"},
                                                   {"company", "frobnicate"},
                                                   {"company", "get"},
                                                   {"company", "list", "--colour", "red"}}) {
    const Ran ran = terminal.run(nonsense);
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err, "");
  }
  EXPECT_NE(terminal.run({"company", "frobnicate"}).err.find("paperclip company frobnicate"), std::string::npos);
}

TEST(ContextFile, Profiles_are_kept_chosen_and_forgotten) {
  Terminal terminal;
  EXPECT_EQ(terminal.run({"context", "set", "--api-base", "http://one:1", "--company-id", "c1"}).exit_code, 0);
  EXPECT_EQ(terminal
                .run({"context", "set", "--profile", "two", "--api-base", "http://two:2", "--api-key-env-var-name",
                      "TWO_KEY", "--use"})
                .exit_code,
            0);
  const json::value shown = terminal.run({"context", "show", "--json"}).json();
  EXPECT_EQ(string_at(shown, "currentProfile"), "two");
  EXPECT_EQ(string_at(shown.at("profile"), "apiKeyEnvVarName"), "TWO_KEY");
  EXPECT_EQ(string_at(shown, "contextPath"), terminal.path(".paperclip/context.json").string());
  EXPECT_EQ(mode(terminal.path(".paperclip/context.json")), 0600u);
  EXPECT_EQ(terminal.run({"context", "use", "default"}).exit_code, 0);
  EXPECT_EQ(terminal.run({"context", "use", "nobody"}).exit_code, 1);
  EXPECT_EQ(terminal.run({"context", "set", "--company-id", ""}).exit_code, 0);
  const json::value file = *parse_json(contents(terminal.path(".paperclip/context.json")));
  EXPECT_EQ(file.at("version"), 1);
  EXPECT_EQ(file.at("profiles").at("default"), (json::object{{"apiBase", "http://one:1"}}));
}

TEST(ContextFile, The_nearest_one_upwards_counts_and_a_broken_one_is_an_error) {
  Terminal terminal;
  std::filesystem::create_directories(terminal.path(".paperclip"));
  std::ofstream(terminal.path(".paperclip/context.json")) << "{broken";
  const Ran ran = terminal.run({"context", "show"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_NE(ran.err.find("is not JSON"), std::string::npos) << ran.err;
  std::ofstream(terminal.path(".paperclip/context.json")) << "[]";  // another structure is the default
  EXPECT_EQ(terminal.run({"context", "show"}).exit_code, 0);
  terminal.variables["PAPERCLIP_CONTEXT"] = terminal.path("elsewhere.json").string();
  EXPECT_EQ(string_at(terminal.run({"context", "show", "--json"}).json(), "contextPath"),
            terminal.path("elsewhere.json").string());
  EXPECT_EQ(string_at(terminal.run({"context", "show", "--json", "--context", "third.json"}).json(), "contextPath"),
            terminal.path("third.json").string());
}

TEST(Onboard, Writes_configuration_secret_and_key_once) {
  Terminal terminal;
  const Ran first = terminal.run({"onboard", "--yes"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const json::value config = *parse_json(contents(terminal.instance("config.json")));
  EXPECT_EQ(config.at("$meta").at("version"), 1);
  EXPECT_EQ(string_at(config.at("$meta"), "source"), "onboard");
  EXPECT_EQ(string_at(config.at("server"), "deploymentMode"), "local_trusted");
  EXPECT_EQ(config.at("server").at("allowedHostnames"), json::array());
  EXPECT_EQ(string_at(config.at("storage").at("localDisk"), "baseDir"), terminal.instance("data/storage").string());
  EXPECT_EQ(string_at(config.at("secrets").at("localEncrypted"), "keyFilePath"),
            terminal.instance("secrets/master.key").string());
  const std::string env = contents(terminal.instance(".env"));
  EXPECT_EQ(env.find("PAPERCLIP_AGENT_JWT_SECRET="), 0u);
  for (const char* file : {"config.json", ".env", "secrets/master.key"})
    EXPECT_EQ(mode(terminal.instance(file)), 0600u) << file;

  const std::string before = contents(terminal.instance("config.json")),
                    key = contents(terminal.instance("secrets/master.key"));
  const json::value again = terminal.run({"onboard", "--yes", "--json"}).json();
  EXPECT_EQ(again.at("wroteConfig"), false);
  EXPECT_EQ(contents(terminal.instance("config.json")), before);
  EXPECT_EQ(contents(terminal.instance(".env")), env);
  EXPECT_EQ(contents(terminal.instance("secrets/master.key")), key);
}

TEST(Onboard, A_bind_decides_the_mode_and_an_unknown_one_is_refused) {
  Terminal terminal;
  EXPECT_EQ(terminal.run({"onboard", "--yes", "--bind", "moon"}).exit_code, 1);
  EXPECT_FALSE(std::filesystem::exists(terminal.instance("config.json")));
  ASSERT_EQ(terminal.run({"onboard", "--yes", "--bind", "lan"}).exit_code, 0);
  const json::value config = *parse_json(contents(terminal.instance("config.json")));
  EXPECT_EQ(string_at(config.at("server"), "deploymentMode"), "authenticated");
  EXPECT_EQ(string_at(config.at("server"), "host"), "0.0.0.0");
}

TEST(Onboard, A_configuration_that_does_not_count_is_replaced_and_kept_as_backup) {
  Terminal terminal;
  std::filesystem::create_directories(terminal.instance(""));
  std::ofstream(terminal.instance("config.json")) << R"({"server":{}})";
  const Ran ran = terminal.run({"onboard", "--yes"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_NE(ran.err.find("$meta is missing"), std::string::npos) << ran.err;
  EXPECT_EQ(contents(terminal.instance("config.json.backup")), R"({"server":{}})");
}

TEST(AllowedHostname, Is_taken_from_name_or_url_sorted_and_unique) {
  Terminal terminal;
  const Ran early = terminal.run({"allowed-hostname", "one.example"});
  EXPECT_EQ(early.exit_code, 0);
  EXPECT_NE(early.err.find("paperclip onboard"), std::string::npos);
  ASSERT_EQ(terminal.run({"onboard", "--yes"}).exit_code, 0);
  EXPECT_EQ(terminal.run({"allowed-hostname", "https://Two.Example:8443/path"}).exit_code, 0);
  EXPECT_EQ(terminal.run({"allowed-hostname", "one.example"}).exit_code, 0);
  const json::value last = terminal.run({"allowed-hostname", "one.example", "--json"}).json();
  EXPECT_EQ(last.at("added"), false);
  EXPECT_EQ(last.at("allowedHostnames"), (json::array{"one.example", "two.example"}));
  EXPECT_EQ(terminal.run({"allowed-hostname", "not a name"}).exit_code, 1);
}

TEST(Env, Prints_every_variable_with_its_source) {
  Terminal terminal;
  ASSERT_EQ(terminal.run({"onboard", "--yes"}).exit_code, 0);
  terminal.variables["PORT"] = "4711";
  const Ran ran = terminal.run({"env"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_NE(ran.out.find("export PORT='4711'\n"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("export PAPERCLIP_SECRETS_PROVIDER='local_encrypted'\n"), std::string::npos) << ran.out;
  const json::value rows = terminal.run({"env", "--json"}).json();
  EXPECT_EQ(string_at(rows.at(0), "name"), "PAPERCLIP_AGENT_JWT_SECRET");
  EXPECT_EQ(string_at(rows.at(0), "source"), "file");
}

json::value check_named(const json::value& report, std::string_view name) {
  for (const auto& check : report.at("checks").as_array())
    if (string_at(check, "name") == name) return check;
  ADD_FAILURE() << "no check " << name;
  return json::object{};
}

TEST(Doctor, Passes_on_a_fresh_machine_and_repairs_what_can_be_made) {
  Terminal terminal;
  const Ran fresh = terminal.run({"doctor", "--json"});
  EXPECT_EQ(fresh.exit_code, 0) << fresh.out;
  EXPECT_FALSE(std::filesystem::exists(terminal.path(".paperclip"))) << "looking must not change anything";
  EXPECT_EQ(string_at(check_named(fresh.json(), "Secrets key"), "status"), "warn");
  ASSERT_EQ(terminal.run({"onboard", "--yes"}).exit_code, 0);
  const Ran repaired = terminal.run({"doctor", "--repair", "--json"});
  EXPECT_EQ(repaired.exit_code, 0) << repaired.out;
  for (const char* name : {"Configuration", "Token secret", "Secrets key", "Data directory", "Log directory", "Storage",
                           "Instance lock", "Runner"})
    EXPECT_EQ(string_at(check_named(repaired.json(), name), "status"), "ok") << name;
}

TEST(Doctor, Fails_with_advice_on_a_broken_configuration_key_or_database) {
  Terminal terminal;
  ASSERT_EQ(terminal.run({"onboard", "--yes"}).exit_code, 0);
  std::ofstream(terminal.instance("secrets/master.key")) << "not a key";
  std::filesystem::create_directories(terminal.instance("db"));
  std::ofstream(terminal.instance("db/paperclip.sqlite")) << std::string(8192, 'x');
  const Ran ran = terminal.run({"doctor", "--json"});
  EXPECT_EQ(ran.exit_code, 1);
  for (const char* name : {"Secrets key", "Database"}) {
    EXPECT_EQ(string_at(check_named(ran.json(), name), "status"), "fail") << ran.out;
    EXPECT_NE(string_at(check_named(ran.json(), name), "advice"), "") << name;
  }
  std::ofstream(terminal.instance("config.json")) << "{";
  const json::value report = terminal.run({"doctor", "--json"}).json();
  EXPECT_EQ(report.at("checks").as_array().size(), 1u) << "nothing below a broken configuration says anything";
  EXPECT_EQ(string_at(check_named(report, "Configuration"), "status"), "fail");
  terminal.variables["PORT"] = "seventy";
  const Ran port = terminal.run({"doctor"});
  EXPECT_EQ(port.exit_code, 1);
  EXPECT_NE(port.out.find("Invalid PORT 'seventy'"), std::string::npos) << port.out;
}

TEST(Doctor, Sees_a_running_server_and_a_port_that_is_taken) {
  Terminal terminal;
  ASSERT_EQ(terminal.run({"onboard", "--yes"}).exit_code, 0);
  os::Descriptor taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(taken.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(taken.get(), 1), 0);
  socklen_t length = sizeof address;
  ::getsockname(taken.get(), reinterpret_cast<sockaddr*>(&address), &length);
  terminal.variables["PORT"] = std::to_string(ntohs(address.sin_port));
  EXPECT_EQ(string_at(check_named(terminal.run({"doctor", "--json"}).json(), "Server port"), "status"), "warn");
  std::filesystem::create_directories(terminal.instance(""));
  const auto lock = os::FileLock::acquire(terminal.instance("server.lock"), "server");
  ASSERT_TRUE(lock.ok());
  const json::value report = terminal.run({"doctor", "--json"}).json();
  EXPECT_NE(string_at(check_named(report, "Instance lock"), "message")->find("a server is running"), std::string::npos);
  EXPECT_EQ(string_at(check_named(report, "Server port"), "status"), "ok");
}

TEST(Retention, Keeps_all_of_some_days_then_one_a_week_then_one_a_month) {
  using namespace std::chrono;
  const sys_seconds now = sys_days(year(2026) / May / 31) + 12h;  // a Sunday
  std::vector<BackupFile> files;
  for (int age = 0; age < 100; ++age) files.push_back({"day-" + std::to_string(age), now - days(age)});
  std::set<std::string> gone;
  for (const auto& path : beyond_retention(files, now, {.daily_days = 7, .weekly_weeks = 4, .monthly_months = 3}))
    gone.insert(path.string());
  std::vector<int> kept;
  for (int age = 0; age < 100; ++age)
    if (!gone.contains("day-" + std::to_string(age))) kept.push_back(age);
  // Days 0 to 7; the newest left of the weeks before (Sundays); the newest left of April and March.
  EXPECT_EQ(kept, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 14, 21, 28, 29, 31, 61}));
}

TEST_F(BackupTest, A_database_in_use_is_copied_and_the_copy_is_a_database) {
  const std::string company = found("Acme");
  terminal_.variables["PAPERCLIP_HOME"] = server_home_->path().string();
  const Ran ran = run({"db:backup", "--dir", "backups", "--json"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const std::filesystem::path file = *string_at(ran.json(), "backupFile");
  EXPECT_EQ(file.parent_path(), terminal_.path("backups"));
  EXPECT_EQ(mode(file), 0600u);
  EXPECT_EQ(ran.json().at("retentionDays"), 7);
  EXPECT_EQ(string_at(ran.json(), "connectionSource"), "embedded");
  // A server starts from it and knows the company.
  const auto restored = *os::TemporaryDirectory::create("paperclip-restored-");
  std::filesystem::create_directories(restored.path() / "instances/default/db");
  std::filesystem::copy(file, restored.path() / "instances/default/db/paperclip.sqlite");
  start_server(restored.path());
  EXPECT_EQ(text(get({"company", "get", company}), "name"), "Acme");
  server_.reset();
}

TEST(Backup, Refuses_nonsense_and_says_when_there_is_no_database) {
  Terminal terminal;
  EXPECT_EQ(terminal.run({"db:backup", "--retention-days", "0"}).exit_code, 1);
  EXPECT_EQ(terminal.run({"db:backup", "--filename-prefix", "../x"}).exit_code, 1);
  const Ran none = terminal.run({"db:backup"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_NE(none.err.find("when the server first starts"), std::string::npos) << none.err;
}

TEST(DataDirectory, Moves_home_configuration_and_context_together) {
  Terminal terminal;
  const auto elsewhere = terminal.path("elsewhere");
  ASSERT_EQ(terminal.run({"onboard", "--yes", "-d", elsewhere.string(), "-i", "second"}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(elsewhere / "instances/second/config.json"));
  EXPECT_EQ(terminal.run({"onboard", "--yes", "-d", elsewhere.string(), "-i", "no/slash"}).exit_code, 1);
  EXPECT_EQ(terminal.run({"context", "set", "-d", elsewhere.string(), "--api-base", "http://x"}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(elsewhere / "context.json"));
  EXPECT_FALSE(std::filesystem::exists(terminal.path(".paperclip")));
}

}  // namespace
}  // namespace paperclip::cli
