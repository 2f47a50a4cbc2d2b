#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>

#include "net/http.h"
#include "net/multipart.h"
#include "net/uri.h"
#include "net/worker_pool.h"

namespace paperclip::net {
namespace {

TEST(Headers, Compare_names_without_case_and_keep_order) {
  Headers headers;
  headers.add("Set-Cookie", "a=1");
  headers.add("X-Other", "x");
  headers.add("set-cookie", "b=2");
  EXPECT_EQ(headers.find("SET-COOKIE"), "a=1");
  EXPECT_EQ(headers.count("Set-cookie"), 2u);
  EXPECT_EQ(headers.find("missing"), std::nullopt);
  std::string all;
  for (const auto& [name, value] : headers) all += std::string(name) + "=" + std::string(value) + ";";
  EXPECT_EQ(all, "Set-Cookie=a=1;X-Other=x;set-cookie=b=2;");
  headers.set("Set-Cookie", "c=3");
  EXPECT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers.find("set-cookie"), "c=3");
  headers.remove("x-other");
  EXPECT_FALSE(headers.contains("X-Other"));
}

TEST(Headers, Setting_a_field_from_its_own_value_is_safe) {
  Headers headers;
  headers.add("A", std::string(100, 'a'));
  for (int i = 0; i < 10; ++i) headers.set(headers[0].name, *headers.find("a"));
  EXPECT_EQ(headers.find("a"), std::string(100, 'a'));
  const Headers copy = headers;
  headers = Headers();
  EXPECT_EQ(copy.find("a"), std::string(100, 'a'));
}

TEST(Response, Helpers_set_type_and_body) {
  const auto response = Response::error(404, "No \"such\" thing");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, R"({"error":"No \"such\" thing"})");
  EXPECT_EQ(response.headers.find("content-type"), "application/json; charset=utf-8");
  EXPECT_EQ(Response::text(200, "x", "text/plain").headers.find("content-type"), "text/plain");
}

TEST(HttpDate, Is_in_the_one_form) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110, 5.6.7
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(Method, Is_case_sensitive_and_goes_both_ways) {
  EXPECT_EQ(method_of("DELETE"), Method::delete_);
  EXPECT_EQ(to_text(Method::delete_), "DELETE");
  EXPECT_EQ(method_of("delete"), Method::other);
}

TEST(Query, Comes_apart_in_order) {
  const QueryItems expected{{"a", "1"},   {"b", "x y"},     {"a", "2"}, {"empty", ""},    {"name only", ""},
                            {"e", "1=2"}, {"bad", "%zz z"}, {"", "v"},  {"u", "\xc3\xa9"}};
  EXPECT_EQ(parse_query("a=1&b=x+y&a=2&empty=&name%20only&&e=1=2&bad=%zz+z&=v&u=%C3%A9"), expected);
  EXPECT_TRUE(parse_query("").empty());
  EXPECT_TRUE(parse_query("&&").empty());
}

std::vector<std::string> segments(std::string_view path) {
  std::vector<std::string> out;
  const auto split = split_path(path);
  if (!split) return {"refused"};
  for (const auto& segment : *split) out.push_back(std::string(segment.raw) + ">" + segment.decoded);
  return out;
}

TEST(Path, Comes_apart_into_raw_and_decoded_segments) {
  using Segments = std::vector<std::string>;
  EXPECT_EQ(segments("/"), Segments());
  EXPECT_EQ(segments("/api/%63ompanies/a%2Fb+c/"), (Segments{"api>api", "%63ompanies>companies", "a%2Fb+c>a/b+c"}));
  for (const char* bad : {"", "api", "//", "/a//b", "/a//", "/%", "/%zz", "/%00", "/%ff", "/a%2"})
    EXPECT_EQ(segments(bad), Segments{"refused"}) << bad;
}

constexpr const char* form_type = "multipart/form-data; boundary=----Web\"Kit";

std::string form(std::initializer_list<std::pair<std::string, std::string>> parts, const std::string& boundary = "XX") {
  std::string body;
  for (const auto& [header, bytes] : parts) body += "--" + boundary + "\r\n" + header + "\r\n\r\n" + bytes + "\r\n";
  return body + "--" + boundary + "--\r\n";
}

TEST(Multipart, Fields_and_files_come_out_in_order) {
  const std::string binary("\x00\r\n--X\r\n\xff", 9);
  const std::string body = form(
      {{"Content-Disposition: form-data; name=\"namespace\"", "issues"},
       {"content-disposition: form-data; name=\"file\"; filename=\"a b.PNG\"\r\nContent-Type: image/PNG; x=y", binary},
       {"Content-Disposition: form-data; name=empty; filename=\"\"", ""}});
  const auto parts = parse_multipart("Multipart/Form-Data; boundary=XX", body);
  ASSERT_TRUE(parts.ok()) << parts.error().message;
  ASSERT_EQ(parts->size(), 3u);
  EXPECT_EQ((*parts)[0].name, "namespace");
  EXPECT_EQ((*parts)[0].filename, std::nullopt);
  EXPECT_EQ((*parts)[0].bytes, "issues");
  EXPECT_EQ((*parts)[1].filename, "a b.PNG");
  EXPECT_EQ((*parts)[1].content_type, "image/png");
  EXPECT_EQ((*parts)[1].bytes, binary);
  EXPECT_EQ((*parts)[2].filename, "");
  EXPECT_EQ((*parts)[2].bytes, "");
}

TEST(Multipart, Names_survive_every_way_clients_quote_them) {
  const auto filename = [](const std::string& parameters) {
    const std::string body = form({{"Content-Disposition: form-data; name=f; " + parameters, "x"}});
    const auto parts = parse_multipart("multipart/form-data; boundary=\"XX\"", body);
    return parts.ok() ? (*parts)[0].filename.value_or("none") : parts.error().message;
  };
  EXPECT_EQ(filename("filename=\"say %22hi%22.txt\""), "say \"hi\".txt");
  EXPECT_EQ(filename("filename=\"say \\\"hi\\\".txt\""), "say \"hi\".txt");
  EXPECT_EQ(filename("filename=\"C:\\Users\\me\\a.txt\""), "a.txt");
  EXPECT_EQ(filename("filename=\"../../etc/passwd\""), "passwd");
  EXPECT_EQ(filename("filename=\"a;b=c.txt\""), "a;b=c.txt");
  EXPECT_EQ(filename("filename=\"fallback\"; filename*=UTF-8''caf%C3%A9.txt"), "caf\xc3\xa9.txt");
  EXPECT_EQ(filename("filename*=utf-8''%2e%2e%2fx; filename=\"fallback\""), "x");
  EXPECT_EQ(filename("filename=plain.txt"), "plain.txt");
  EXPECT_EQ(filename("filename=\"\xff\""), "Multipart: a part's name is not UTF-8");
}

TEST(Multipart, A_preamble_and_a_strange_boundary_are_fine) {
  const std::string body =
      "to whom it may concern\r\n" + form({{"Content-Disposition: form-data; name=\"a\"", "1"}}, "----Web\"Kit");
  EXPECT_EQ(parse_multipart(form_type, body)->size(), 1u);
  EXPECT_EQ(parse_multipart("multipart/form-data; boundary=XX", "--XX--")->size(), 0u);
}

TEST(Multipart, What_is_broken_is_refused) {
  const std::string good = form({{"Content-Disposition: form-data; name=\"a\"", "1"}});
  const auto fails = [](std::string_view type, std::string_view body, MultipartLimits limits = {}) {
    const auto parts = parse_multipart(type, body, limits);
    return !parts.ok() && parts.error().kind == ErrorKind::bad_request;
  };
  const char* type = "multipart/form-data; boundary=XX";
  EXPECT_FALSE(fails(type, good));
  EXPECT_TRUE(fails("multipart/form-data", good));
  EXPECT_TRUE(fails("multipart/mixed; boundary=XX", good));
  EXPECT_TRUE(fails("multipart/form-data; boundary=" + std::string(80, 'x'), good));
  for (std::size_t size = 0; size < good.size() - 4; ++size) EXPECT_TRUE(fails(type, good.substr(0, size))) << size;
  EXPECT_TRUE(fails(type, form({{"Content-Type: text/plain", "no name"}})));
  EXPECT_TRUE(fails(type, form({{"Content-Disposition: attachment; name=\"a\"", "1"}})));
  EXPECT_TRUE(fails(type, form({{"no colon", "1"}})));
  EXPECT_TRUE(fails(type, "--XX\r\n\r\nno header\r\n--XX--"));
  const std::string two =
      form({{"Content-Disposition: form-data; name=a", "1"}, {"Content-Disposition: form-data; name=b", "2"}});
  EXPECT_TRUE(fails(type, two, {.parts = 1}));
  EXPECT_FALSE(fails(type, two, {.parts = 2}));
  EXPECT_TRUE(fails(type, good, {.part_header_bytes = 20}));
  EXPECT_TRUE(fails(type, form({{"Content-Disposition: form-data; name=" + std::string(300, 'n'), "1"}})));
}

TEST(WorkerPool, Runs_what_was_posted_before_it_stops_and_nothing_after) {
  std::atomic<int> ran{0};
  WorkerPool pool(3);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(pool.post([&] { ++ran; }));
  pool.stop();
  EXPECT_EQ(ran, 200);
  EXPECT_FALSE(pool.post([&] { ++ran; }));
  pool.stop();
  EXPECT_EQ(ran, 200);
}

TEST(WorkerPool, A_full_queue_refuses_and_a_job_that_throws_hurts_nobody) {
  std::promise<void> started, release;
  WorkerPool pool(1, 2);
  ASSERT_TRUE(pool.post([&] {
    started.set_value();
    release.get_future().wait();
    throw std::runtime_error("a bug");
  }));
  started.get_future().wait();
  std::atomic<int> ran{0};
  EXPECT_TRUE(pool.post([&] { ++ran; }));
  EXPECT_TRUE(pool.post([&] { ++ran; }));
  EXPECT_FALSE(pool.post([&] { ++ran; }));
  EXPECT_EQ(pool.waiting(), 2u);
  release.set_value();
  pool.stop();
  EXPECT_EQ(ran, 2);
}

}  // namespace
}  // namespace paperclip::net
