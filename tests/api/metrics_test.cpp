#include <set>

#include "api_server.h"
#include "base/text.h"

/// GET /metrics (OURS).
namespace paperclip::api {
namespace {

using Metrics = test::ApiServer;

TEST_F(Metrics, Every_line_is_a_comment_or_a_sample_of_a_family_that_was_announced) {
  const auto answer = send("GET", "/metrics", "", domain::local_board());
  ASSERT_EQ(answer.status, 200) << answer.text;
  ASSERT_TRUE(answer.text.ends_with("\n"));
  std::set<std::string> families;
  int samples = 0;
  for (const auto& line : split(answer.text.substr(0, answer.text.size() - 1), '\n')) {
    if (line.starts_with("# TYPE ")) {
      const auto words = split(line, ' ');
      ASSERT_EQ(words.size(), 4u) << line;
      EXPECT_TRUE(families.insert(std::string(words[2])).second) << "announced twice: " << line;
    }
    if (line.starts_with("#")) continue;
    ++samples;
    const auto name_end = line.find_first_of("{ ");
    ASSERT_NE(name_end, std::string_view::npos) << line;
    EXPECT_TRUE(families.contains(std::string(line.substr(0, name_end)))) << line;
    const std::string value(line.substr(line.rfind(' ') + 1));
    char* end = nullptr;
    (void)std::strtod(value.c_str(), &end);
    EXPECT_EQ(*end, '\0') << line;
  }
  EXPECT_GT(samples, 10);
}

TEST_F(Metrics, They_say_what_is_in_the_database) {
  const auto company = send("POST", "/api/companies", R"({"name":"Acme"})", domain::local_board());
  const auto agent = send("POST", "/api/companies/" + company.at("id") + "/agents", R"({"name":"Bee","adapterType":"process","adapterConfig":{"command":"true"}})", domain::local_board());
  ASSERT_EQ(agent.status, 201) << agent.text;
  const auto before = send("GET", "/metrics", "", domain::local_board()).text;
  EXPECT_NE(before.find("\npaperclip_runs{status=\"queued\"} 0\n"), std::string::npos) << before;
  ASSERT_EQ(send("POST", "/api/agents/" + agent.at("id") + "/wakeup", "{}", domain::local_board()).status, 202);
  const auto after = send("GET", "/metrics", "", domain::local_board()).text;
  EXPECT_NE(after.find("\npaperclip_runs{status=\"queued\"} 1\n"), std::string::npos) << after;
  EXPECT_NE(after.find("\npaperclip_wakeups{status=\"queued\"} 1\n"), std::string::npos) << after;
  EXPECT_EQ(after.find("paperclip_events_total 0\n"), std::string::npos);
}

TEST_F(Metrics, They_are_for_whoever_runs_the_instance) {
  domain::Actor agent;
  agent.kind = domain::ActorKind::agent;
  agent.source = domain::ActorSource::agent_key;
  EXPECT_EQ(send("GET", "/metrics", "", agent).status, 403);
  EXPECT_EQ(send("GET", "/metrics", "", domain::Actor()).status, 401);
}

}  // namespace
}  // namespace paperclip::api
