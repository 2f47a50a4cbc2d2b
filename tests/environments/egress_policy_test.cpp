#include "environments/egress_policy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace paperclip::environments {
namespace {

EgressPolicy policy(const std::vector<std::string>& entries) {
  auto parsed = EgressPolicy::parse(entries);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return std::move(parsed).value();
}

bool leads_to(const EgressPolicy& policy, const char* host, const char* address, std::uint16_t port) {
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  if (::inet_pton(AF_INET6, address, &six.sin6_addr) == 1) return !policy.refusal(host, reinterpret_cast<const sockaddr&>(six), port);
  sockaddr_in four{};
  four.sin_family = AF_INET;
  EXPECT_EQ(::inet_pton(AF_INET, address, &four.sin_addr), 1);
  return !policy.refusal(host, reinterpret_cast<const sockaddr&>(four), port);
}

// Names are compared whole, without regard to case, with ports.
TEST(EgressPolicy, Allows_what_is_named_and_nothing_else) {
  const EgressPolicy list = policy({"api.example.com", "*.example.org:443", "Deep.Example.net:8080,8081"});
  for (const auto& [host, port] : {std::pair("api.example.com", 443), {"API.Example.com", 80}, {"api.example.com.", 443}, {"a.example.org", 443},
                                   {"a.b.example.org", 443}, {"deep.example.net", 8081}})
    EXPECT_FALSE(list.refusal(host, static_cast<std::uint16_t>(port))) << host << ":" << port;
  for (const auto& [host, port] : {std::pair("example.com", 443), {"xapi.example.com", 443}, {"api.example.com.evil.net", 443}, {"api.example.com", 8443},
                                   {"example.org", 443}, {"evilexample.org", 443}, {"a.example.org", 80}, {"deep.example.net", 443},
                                   {"1.2.3.4", 443}, {"", 443}, {".", 443}, {"api.example.com/", 443}, {"api..example.com", 443}, {"*.example.org", 443}, {"user@api.example.com", 443}})
    EXPECT_TRUE(list.refusal(host, static_cast<std::uint16_t>(port))) << host << ":" << port;
}

// Whatever some resolver takes for an address is one; an address has to be named as such.
TEST(EgressPolicy, Refuses_addresses_that_are_not_entries) {
  const EgressPolicy list = policy({"*.example.org", "10.1.2.3:8080", "[::1]:9"});
  EXPECT_FALSE(list.refusal("10.1.2.3", 8080));
  EXPECT_FALSE(list.refusal("0:0:0:0:0:0:0:1", 9));
  for (const char* host : {"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "10.1.2.4", "::ffff:10.1.2.3", "::", "1.1.1.1"})
    EXPECT_TRUE(list.refusal(host, 8080)) << host;
}

// A name on the list that leads inside the network is refused, unless the address is on it too.
TEST(EgressPolicy, Refuses_names_that_lead_to_addresses_that_are_not_public) {
  const EgressPolicy list = policy({"api.example.com", "127.0.0.1:443", "localhost:80"});
  EXPECT_TRUE(leads_to(list, "api.example.com", "93.184.216.34", 443));
  EXPECT_TRUE(leads_to(list, "api.example.com", "127.0.0.1", 443));
  EXPECT_FALSE(leads_to(list, "api.example.com", "127.0.0.1", 80));
  for (const char* address : {"10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"})
    EXPECT_FALSE(leads_to(list, "api.example.com", address, 443)) << address;
  EXPECT_TRUE(leads_to(list, "localhost", "127.0.0.1", 80));
  EXPECT_TRUE(leads_to(list, "localhost", "::1", 80));
  EXPECT_FALSE(leads_to(list, "localhost", "10.0.0.1", 80));
}

TEST(EgressPolicy, Says_which_entry_makes_no_sense) {
  for (const char* entry : {"", "*", "*.", "http://x", "x:", "x:0", "x:70000", "x:80,", "a b", ".x", "x..y", "x/", "[::1", "[::1]x", "1.2.3", "*.*.x", "0x7f000001"}) {
    const auto parsed = EgressPolicy::parse({"fine.example.com", entry});
    ASSERT_FALSE(parsed) << entry;
    EXPECT_EQ(parsed.error().message.find("\"" + std::string(entry) + "\" is no host to allow"), 0u);
  }
}

TEST(EgressTerms, Come_from_lease_metadata) {
  using Mode = EgressTerms::Mode;
  EXPECT_EQ(egress_terms({}).mode, Mode::unsaid);
  EXPECT_EQ(egress_terms({{"egress", {{"mode", "none"}}}}).mode, Mode::none);
  EXPECT_EQ(egress_terms({{"egress", {{"mode", "full"}}}}).mode, Mode::full);
  EXPECT_EQ(egress_terms({{"egress", {{"mode", "some new word"}}}}).mode, Mode::none);
  const EgressTerms terms = egress_terms({{"egress", {{"mode", "allow-list"}, {"allow", {"a.example.com", 7, "b.example.com"}}}}});
  EXPECT_EQ(terms.mode, Mode::allow_list);
  EXPECT_EQ(terms.allow, (std::vector<std::string>{"a.example.com", "b.example.com"}));
}

}  // namespace
}  // namespace paperclip::environments
