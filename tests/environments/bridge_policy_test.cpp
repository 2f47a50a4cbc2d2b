// Which calls pass the bridge, and what of them.
#include <gtest/gtest.h>

#include "base/random.h"
#include "environments/bridge.h"

namespace paperclip::environments {
namespace {

bool passes(BridgeAllowList list, std::string_view method, std::string_view path) {
  const auto segments = canonical_segments(path);
  return segments && allows(list, method, *segments);
}
bool strict(std::string_view method, std::string_view path) { return passes(BridgeAllowList::strict, method, path); }
bool extended(std::string_view method, std::string_view path) { return passes(BridgeAllowList::extended, method, path); }

TEST(BridgePolicyTest, The_strict_list_is_the_references) {
  for (const auto& [method, path] : std::vector<std::pair<const char*, const char*>>{
           {"GET", "/api/agents/me"}, {"GET", "/api/issues/PAP-1/heartbeat-context"}, {"GET", "/api/issues/x/comments"},
           {"GET", "/api/issues/x/comments/y"}, {"GET", "/api/issues/x/documents"}, {"GET", "/api/issues/x/documents/plan"},
           {"POST", "/api/issues/x/checkout"}, {"POST", "/api/issues/x/comments"}, {"POST", "/api/issues/x/interactions"},
           {"POST", "/api/issues/x/interactions/y"}, {"PATCH", "/api/issues/x"}}) {
    EXPECT_TRUE(strict(method, path)) << method << ' ' << path;
    EXPECT_TRUE(extended(method, path)) << method << ' ' << path;
  }
}

TEST(BridgePolicyTest, The_extended_list_has_what_the_skill_teaches_and_the_strict_one_has_not) {
  for (const auto& [method, path] : std::vector<std::pair<const char*, const char*>>{
           {"GET", "/api/agents/me/inbox-lite"}, {"GET", "/api/issues/x"}, {"GET", "/api/companies/c/issues"},
           {"POST", "/api/companies/c/issues"}, {"PUT", "/api/issues/x/documents/plan"}, {"POST", "/api/issues/x/release"},
           {"POST", "/api/issues/x/interactions/y/accept"}, {"POST", "/api/issues/x/interactions/y/reject"},
           {"POST", "/api/issues/x/interactions/y/respond"}, {"GET", "/api/companies/c/agents"}, {"GET", "/api/approvals/a"},
           {"GET", "/api/approvals/a/issues"}}) {
    EXPECT_TRUE(extended(method, path)) << method << ' ' << path;
    EXPECT_FALSE(strict(method, path)) << method << ' ' << path;
  }
}

TEST(BridgePolicyTest, Deletion_secrets_environments_and_keys_stay_out) {
  for (const auto& [method, path] : std::vector<std::pair<const char*, const char*>>{
           {"DELETE", "/api/secrets"}, {"GET", "/api/secrets"}, {"DELETE", "/api/issues/x"}, {"GET", "/api/companies/c/secrets"},
           {"POST", "/api/companies/c/secrets"}, {"GET", "/api/environments/e"}, {"POST", "/api/companies/c/environments"},
           {"POST", "/api/agents/a/keys"}, {"GET", "/api/agents/a/keys"}, {"HEAD", "/api/agents/me"}, {"GET", "/api/companies"},
           {"PATCH", "/api/agents/me"}, {"PUT", "/api/issues/x"}, {"GET", "/"}, {"GET", "/api"}, {"GET", "/API/agents/me"},
           {"get", "/api/agents/me"}, {"POST", "/api/agents/me"}}) {
    EXPECT_FALSE(extended(method, path)) << method << ' ' << path;
    EXPECT_FALSE(strict(method, path)) << method << ' ' << path;
  }
}

TEST(BridgePolicyTest, A_path_that_could_mean_another_is_none) {
  for (const std::string path :
       {"", "/", "api/agents/me", "/api//agents/me", "//api/agents/me", "/api/agents/me/", "/api/issues/../comments",
        "/api/issues/./comments", "/api/issues/%2e%2e/comments", "/api/issues/%2E%2e/comments", "/api/issues/.%2e/comments",
        "/api/issues/%2e/comments", "/api/issues/x%2fy/comments", "/api/issues/x%2Fy/comments", "/api/issues/x%5cy/comments",
        "/api/issues/x/comments/..\\..\\..\\companies\\C\\secrets", "/api/issues/x\\y", "/api/issues/%252e%252e/comments",
        "/api/issues/%25/comments", "/api/issues/%zz/comments", "/api/issues/%/comments", "/api/issues/%4/comments",
        "/api/issues/%00/comments", "/api/issues/x%0a/comments", "/api/issues/x%7f/comments", "/api/issues/\xc3\xa4/comments",
        "/api/issues/%c3%a4/comments", "/api/issues/%c0%ae%c0%ae/comments", "/api/issues/x?y/comments", "/api/issues/x#y",
        "/api/issues/%3f/comments", "/api/issues/%23/comments", "/api/issues/x y/comments", "http://host/api/agents/me"})
    EXPECT_FALSE(canonical_segments(path)) << path;
  EXPECT_FALSE(canonical_segments("/api/" + std::string(3000, 'x')));
}

TEST(BridgePolicyTest, A_path_is_decoded_once_and_written_anew) {
  const auto segments = canonical_segments("/api/%69ssues/a%20b~c/comments");
  ASSERT_TRUE(segments);
  EXPECT_EQ(path_of(*segments), "/api/issues/a%20b~c/comments");
  EXPECT_TRUE(allows(BridgeAllowList::strict, "GET", *segments));
}

TEST(BridgePolicyTest, An_environment_chooses_its_list) {
  EXPECT_EQ(bridge_policy(json::value(nullptr)).allow_list, BridgeAllowList::extended);
  EXPECT_EQ(bridge_policy(parse_json(R"({"callbackBridge":{}})").value()).allow_list, BridgeAllowList::extended);
  const auto policy = bridge_policy(parse_json(R"({"callbackBridge":{"allowList":"strict","local":true,"maxBodyBytes":1000}})").value());
  EXPECT_EQ(policy.allow_list, BridgeAllowList::strict);
  EXPECT_TRUE(policy.enabled);
  EXPECT_EQ(policy.max_body_bytes, 1000u);
  EXPECT_EQ(bridge_policy(parse_json(R"({"callbackBridge":{"allowList":"extendd"}})").value()).allow_list, BridgeAllowList::strict);
  EXPECT_EQ(bridge_policy(parse_json(R"({"callbackBridge":{"maxBodyBytes":-4}})").value()).max_body_bytes, 256u * 1024);
}

runner::CallbackRequest request(std::string method, std::string path) {
  runner::CallbackRequest made;
  made.id = 7;
  made.method = std::move(method);
  made.path = std::move(path);
  return made;
}

TEST(BridgePolicyTest, Of_a_requests_fields_four_go_on) {
  auto asked = request(" get ", "/api/agents/me");
  asked.query = "view=compact&x=a+b%26c&y";
  asked.headers = {{"accept", " application/json "}, {"if-none-match", "W/\"1\""}, {"cookie", "a=b"}, {"authorization", "Bearer x"},
                   {"x-paperclip-run-id", "forged"}, {"x-forwarded-for", "1.2.3.4"}, {"host", "elsewhere"}};
  asked.body = "a GET has none";
  const auto checked = check_callback({}, asked);
  ASSERT_FALSE(checked.refusal);
  EXPECT_EQ(checked.request.method, net::Method::get);
  EXPECT_EQ(checked.request.query, "view=compact&x=a%20b%26c&y=");
  EXPECT_EQ(checked.request.headers.size(), 2u);
  EXPECT_EQ(checked.request.headers.find("accept"), "application/json");
  EXPECT_EQ(checked.request.headers.find("if-none-match"), "W/\"1\"");
  EXPECT_TRUE(checked.request.body.empty());
}

TEST(BridgePolicyTest, A_forged_request_is_refused_whatever_it_holds) {
  const auto status_of = [](runner::CallbackRequest asked, BridgePolicy policy = {}) {
    const auto checked = check_callback(policy, asked);
    return checked.refusal ? checked.refusal->status : 0;
  };
  auto post = request("POST", "/api/issues/x/comments");
  post.headers = {{"content-type", "application/json"}};
  post.body = R"({"body":"x"})";
  EXPECT_EQ(status_of(post), 0);
  auto forged = post;
  forged.body = "{\"body\":";
  EXPECT_EQ(status_of(forged), 400);
  forged.body = std::string("{\"body\":\"\0\"}", 12);
  EXPECT_EQ(status_of(forged), 400);
  forged.body = "\"" + std::string(300'000, 'x') + "\"";
  EXPECT_EQ(status_of(forged), 502);
  forged = post;
  forged.headers = {{"content-type", "text/plain"}};
  EXPECT_EQ(status_of(forged), 415);
  forged.headers = {};
  EXPECT_EQ(status_of(forged), 415);
  forged.headers = {{"content-type", "application/json\r\nx: y"}};
  EXPECT_EQ(status_of(forged), 400);
  forged.headers = {{"content-type", "application/json"}, {"accept", std::string(5000, 'x')}};
  EXPECT_EQ(status_of(forged), 400);
  forged = post;
  forged.query = "a b";
  EXPECT_EQ(status_of(forged), 400);
  forged.query = "a\r\nb";
  EXPECT_EQ(status_of(forged), 400);
  EXPECT_EQ(status_of(request("GET\r\nX: y", "/api/agents/me")), 403);
  EXPECT_EQ(status_of(request("", "/api/agents/me")), 403);
  const auto refusal = check_callback({}, request("DELETE", "/api/secrets")).refusal;
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 403);
  EXPECT_EQ(refusal->body, R"({"error":"Route not allowed: DELETE /api/secrets"})");
  EXPECT_EQ(refusal->headers, (std::vector<runner::HeaderField>{{"content-type", "application/json"}}));
}

TEST(BridgePolicyTest, Of_an_answer_three_fields_and_a_bounded_body_go_back) {
  net::Response response = net::Response::json(200, std::string(64, 'x'));
  response.headers.set("ETag", " W/\"1\" ");
  response.headers.set("Set-Cookie", "a=b");
  response.headers.set("Last-Modified", "");
  const auto answer = filtered_answer({}, 3, response);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers, (std::vector<runner::HeaderField>{{"content-type", "application/json; charset=utf-8"}, {"etag", "W/\"1\""}}));
  EXPECT_EQ(answer.body.size(), 64u);
  const auto long_one = filtered_answer({.max_body_bytes = 32}, 3, response);
  EXPECT_EQ(long_one.status, 502);
  EXPECT_EQ(long_one.body, R"({"error":"Bridge response body exceeded the configured size limit of 32 bytes."})");
}

TEST(BridgePolicyTest, A_token_belongs_to_one_run) {
  const auto one = Random::system().id<RunId>(), other = Random::system().id<RunId>();
  EXPECT_EQ(bridge_token("secret", one).expose().size(), 32u);
  EXPECT_EQ(bridge_token("secret", one).expose(), bridge_token("secret", one).expose());
  EXPECT_NE(bridge_token("secret", one).expose(), bridge_token("secret", other).expose());
  EXPECT_NE(bridge_token("secret", one).expose(), bridge_token("another", one).expose());
}

}  // namespace
}  // namespace paperclip::environments
