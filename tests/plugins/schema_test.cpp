#include <gtest/gtest.h>

#include "base/cron.h"
#include "domain/plugins/manifest.h"
#include "plugins/json_schema.h"
#include "plugins/npm.h"
#include "plugins/package.h"
#include "plugins/sql_guard.h"

namespace paperclip::plugins {
namespace {

json::object parsed(const char* text) { return parse_json(text)->as_object(); }

std::string said(const char* schema, const char* value) {
  std::string text;
  for (const auto& failure : validate_schema(parsed(schema), *parse_json(value))) text += failure.field + " " + failure.message + "; ";
  return text;
}

TEST(JsonSchema, Failures_are_said_in_the_words_of_the_reference) {
  const char* schema = R"({"type":"object","properties":{"name":{"type":"string","minLength":2},"level":{"type":"number","maximum":3},"kind":{"enum":["a","b"]},
    "url":{"type":"string","format":"uri"},"key":{"type":"string","format":"secret-ref"}},"required":["name"],"additionalProperties":false})";
  EXPECT_EQ(said(schema, R"({"name":"ok","level":2,"kind":"a","url":"https://x","key":"anything"})"), "");
  EXPECT_EQ(said(schema, R"({})"), "/ must have required property 'name'; ");
  EXPECT_EQ(said(schema, R"({"name":5})"), "/name must be string; ");
  EXPECT_EQ(said(schema, R"({"name":"x"})"), "/name must NOT have fewer than 2 characters; ");
  EXPECT_EQ(said(schema, R"({"name":"ok","level":4})"), "/level must be <= 3; ");
  EXPECT_EQ(said(schema, R"({"name":"ok","kind":"c"})"), "/kind must be equal to one of the allowed values; ");
  EXPECT_EQ(said(schema, R"({"name":"ok","more":1})"), "/ must NOT have additional properties; ");
  EXPECT_EQ(said(schema, R"({"name":"ok","url":"nowhere"})"), "/url must match format \"uri\"; ");
}

TEST(JsonSchema, A_schema_that_cannot_be_understood_accepts_everything) {
  EXPECT_EQ(said(R"({"type":"object","$ref":"https://example.invalid/x"})", R"({"a":1})"), "");
  EXPECT_EQ(said(R"({"type":5})", R"({"a":1})"), "");
  EXPECT_NE(said(R"({"not":{"type":"object"}})", R"({})"), "");
}

TEST(JsonSchema, Secret_fields_are_found_in_properties_and_branches) {
  const auto paths = secret_paths(parsed(R"({"type":"object","properties":{"key":{"type":"string","format":"secret-ref"},
    "deep":{"type":"object","properties":{"token":{"format":"secret-ref","type":"string"}}},"list":{"type":"array","items":{"format":"secret-ref"}}},
    "anyOf":[{"properties":{"other":{"format":"secret-ref"}}}]})"));
  EXPECT_EQ(paths, (std::vector<std::string>{"deep.token", "key", "other"}));
}

json::value manifest(const char* changes) {
  auto value = parsed(R"({"id":"a.b","apiVersion":1,"version":"1.0.0","displayName":"D","description":"d","author":"a","categories":["automation"],
    "capabilities":["jobs.schedule"],"entrypoints":{"worker":"w.js"},"unknown":1})");
  for (const auto& item : parsed(changes)) {
    if (item.value().is_null()) value.erase(item.key());
    else value[item.key()] = item.value();
  }
  return json::value(value);
}
std::string manifest_error(const char* changes) {
  const auto read = domain::read_manifest(manifest(changes));
  return read ? "" : read.error().message;
}

TEST(Manifest, A_good_one_is_kept_without_what_is_unknown) {
  const auto read = domain::read_manifest(manifest(R"({"hostVariables":["E2B_API_KEY"]})"));
  ASSERT_TRUE(read.ok()) << read.error().message;
  const auto stored = *parse_json(write_json(*read));
  EXPECT_FALSE(stored.as_object().contains("unknown"));
  EXPECT_FALSE(stored.as_object().contains("jobs"));
  EXPECT_EQ(to_string(stored.at("hostVariables")), R"(["E2B_API_KEY"])");
}

TEST(Manifest, Every_mistake_is_named) {
  EXPECT_EQ(manifest_error(R"({"apiVersion":2})"), "Invalid plugin manifest: apiVersion: Invalid literal value, expected 1");
  EXPECT_EQ(manifest_error(R"({"author":null})"), "Invalid plugin manifest: author: Required");
  EXPECT_EQ(manifest_error(R"({"capabilities":[]})"), "Invalid plugin manifest: capabilities: Array must contain at least 1 element(s)");
  EXPECT_NE(manifest_error(R"({"capabilities":["assets.read"]})"), "");
  EXPECT_EQ(manifest_error(R"({"tools":[{"name":"t","displayName":"T","description":"t","parametersSchema":{}}]})"),
            "Invalid plugin manifest: capabilities: Capability 'agent.tools.register' is required when tools are declared");
  EXPECT_EQ(manifest_error(R"({"jobs":[{"jobKey":"j","displayName":"J"},{"jobKey":"j","displayName":"K"}]})"), "Invalid plugin manifest: jobs: Duplicate job keys: j");
  EXPECT_NE(manifest_error(R"({"jobs":[{"jobKey":"j","displayName":"J","schedule":"daily"}]})"), "");
  EXPECT_NE(manifest_error(R"({"version":"v1.0.0"})"), "");
  EXPECT_NE(manifest_error(R"({"hostVariables":["a b"]})"), "");
  EXPECT_NE(manifest_error(R"({"categories":["environment"]})"), "");
}

TEST(Manifest, Versions_compare_as_semver_says) {
  using domain::compare_versions;
  EXPECT_LT(compare_versions("1.2.3", "1.10.0"), 0);
  EXPECT_LT(compare_versions("1.0.0-alpha.2", "1.0.0-alpha.10"), 0);
  EXPECT_LT(compare_versions("1.0.0-1", "1.0.0-a"), 0);
  EXPECT_LT(compare_versions("1.0.0-rc", "1.0.0"), 0);
  EXPECT_EQ(compare_versions("1.0.0+a", "1.0.0+b"), 0);
  auto needs_more = *domain::read_manifest(manifest(R"({"minimumHostVersion":"9999.0.0"})"));
  EXPECT_EQ(domain::check_manifest_for_host(needs_more, "2026.503.0").error().message, "Plugin a.b requires host version 9999.0.0 or newer, but this server is running 2026.503.0");
}

std::string next(const char* schedule, const char* after) {
  const auto cron = CronSchedule::parse(schedule);
  const auto time = cron ? cron->next_after(*parse_iso(after)) : std::nullopt;
  return time ? to_iso(*time) : "none";
}

TEST(Cron, The_next_time_is_the_first_minute_that_fits_every_field) {
  EXPECT_EQ(next("0 3 * * *", "2026-05-03T03:00:00Z"), "2026-05-04T03:00:00.000Z");
  EXPECT_EQ(next("*/15 * * * *", "2026-05-03T03:07:12Z"), "2026-05-03T03:15:00.000Z");
  EXPECT_EQ(next("0 0 13 * 5", "2026-05-03T00:00:00Z"), "2026-11-13T00:00:00.000Z");
  EXPECT_EQ(next("0 0 29 2 *", "2026-05-03T00:00:00Z"), "2028-02-29T00:00:00.000Z");
  EXPECT_EQ(next("5/20 1-2 * * *", "2026-05-03T02:46:00Z"), "2026-05-04T01:05:00.000Z");
  EXPECT_EQ(next("0 0 31 2 *", "2026-05-03T00:00:00Z"), "none");
  for (const char* bad : {"", "* * * *", "60 * * * *", "* * * * 7", "*/0 * * * *", "5-1 * * * *", "a * * * *"}) EXPECT_FALSE(CronSchedule::parse(bad)) << bad;
}

TEST(SqlGuard, The_name_of_a_schema_is_fixed_for_ever) {
  EXPECT_EQ(namespace_name("paperclipai.plugin-orchestration-smoke-example", "orchestration_smoke"), "plugin_orchestration_smoke_1e8c264c64");
  EXPECT_EQ(namespace_name("paperclip.dbtest", ""), "plugin_paperclip_dbtest_f9c12a21cb");
  EXPECT_EQ(namespace_name("acme.linear", ""), "plugin_acme_linear_e2e7242f07");
}

TEST(SqlGuard, Statements_are_cut_outside_of_quotes_and_comments) {
  EXPECT_EQ(split_statements("a ';' ; -- x;y\n b \";\" /* ; */; ; --end\n").size(), 2u);
}

TEST(SqlGuard, What_a_plugin_may_say) {
  const SqlRules rules{"mine", {"companies"}};
  for (const char* good : {"create table mine.t (id int)", "alter table mine.t add column x int references public.companies(id)", "comment on table mine.t is 'DROP it'",
                           "create index if not exists i on mine.t (id)", "create table if not exists mine.t as select * from public.companies", "create unique index u on mine.t (a, b)"})
    EXPECT_TRUE(check_migration(good, rules).ok()) << good << ": " << check_migration(good, rules).error().message;
  for (const char* bad : {"drop table mine.t", "create table t (id int)", "create table public.t (id int)", "create table \"public\".t (id int)", "create table other.t (id int)", "insert into mine.t values (1)",
                          "create function mine.f() returns int", "alter table public.companies add column x int", "create extension x", "grant all on mine.t to public",
                          "create table mine.t as select * from public . agents", "create view mine.v as select * from mine.t, public.agents", "create trigger x on mine.t", "truncate mine.t"})
    EXPECT_FALSE(check_migration(bad, rules).ok()) << bad;
  for (const char* good : {"select * from mine.t", "with x as (select 1 from mine.t) select * from x", "SELECT t.id FROM mine.t t JOIN public.companies c ON c.id = t.id", "select 'delete' as do_flag",
                           "select t.a from mine.t as t where t.a = 'public.agents'"})
    EXPECT_TRUE(check_query(good, rules).ok()) << good << ": " << check_query(good, rules).error().message;
  for (const char* bad : {"select * from public.agents", "delete from mine.t", "with x as (delete from mine.t returning *) select * from x", "select 1; select 2", "select * from pg_catalog.pg_user",
                          "do $$ begin end $$", "select * from other.t", ""})
    EXPECT_FALSE(check_query(bad, rules).ok()) << bad;
  for (const char* good : {"insert into mine.t (a) values ($1) on conflict (a) do update set a = excluded.a", "update mine.t set a = 1", "delete from mine.t where a = 1"})
    EXPECT_TRUE(check_execute(good, rules).ok()) << good << ": " << check_execute(good, rules).error().message;
  for (const char* bad : {"insert into public.companies values (1)", "insert into mine.t select * from public.companies", "update t set a = 1", "select 1", "delete from mine.t; drop table mine.t"})
    EXPECT_FALSE(check_execute(bad, rules).ok()) << bad;
}

TEST(Packages, A_version_is_split_off_a_name) {
  EXPECT_EQ(split_package_spec("@scope/name@1.2").name, "@scope/name");
  EXPECT_EQ(split_package_spec("@scope/name@1.2").version, "1.2");
  EXPECT_EQ(split_package_spec("@scope/name").name, "@scope/name");
  EXPECT_EQ(split_package_spec("name@latest").version, "latest");
}

TEST(Packages, A_path_is_inside_by_its_components) {
  EXPECT_TRUE(is_inside("/a/b/c", "/a/b"));
  EXPECT_TRUE(is_inside("/a/b", "/a/b/"));
  EXPECT_FALSE(is_inside("/a/bc", "/a/b"));
  EXPECT_FALSE(is_inside("/a", "/a/b"));
}

}  // namespace
}  // namespace paperclip::plugins
