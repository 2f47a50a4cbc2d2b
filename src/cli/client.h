#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/surroundings.h"
#include "net/client.h"

/// A server as the commands see it: address, credentials and company found out, errors made readable (spec/cli.md 1.5).
namespace paperclip::cli {

/// What every client command may be given.
struct ClientOptions {
  std::string config, data_dir, context, profile, api_base, api_key, company_id;
  bool as_json = false;
};

/// `path("/api/companies/{}/issues", id)`: each `{}` is the next segment, percent-encoded.
std::string path(std::string_view pattern, std::initializer_list<std::string_view> segments);

/// Query parameters; those without a value are left out.
class QueryText {
 public:
  QueryText& add(std::string_view name, std::string_view value);
  /// `path?a=1&b=2`.
  std::string after(std::string_view path) const;

 private:
  std::string text_;
};

/// `around` as `--data-dir` and `--config` change it (spec/cli.md 1.2).
Surroundings with_data_directory(const Surroundings& around, const std::string& data_dir, const std::string& config);

class Client {
 public:
  /// Fails when a file that was named cannot be used, or a default that is needed is not there.
  static Result<Client> open(const Surroundings& around, const ClientOptions& options);
  /// For a known server: what the demonstration and its agents use.
  Client(const Surroundings& around, std::string base, std::string token, std::string run_id = {});

  /// Sends one request to `<base><path>`. The answer's JSON; null for an empty one. Errors: `API error 404: Agent not
  /// found` with the kind of its status, `details` kept; bad_gateway with the hint to start the server.
  Result<json::value> get(const std::string& path);
  Result<json::value> post(const std::string& path);  // without a body
  Result<json::value> post(const std::string& path, const json::value& body);
  Result<json::value> put(const std::string& path, const json::value& body);
  Result<json::value> patch(const std::string& path, const json::value& body);
  Result<json::value> remove(const std::string& path);
  Result<json::value> send(std::string_view method, const std::string& path, const json::value* body);

  /// The chosen company's id, or an error that names the ways to choose one.
  Result<std::string> company() const;
  bool has_company() const { return !company_id_.empty(); }
  const std::string& base() const { return base_; }
  const std::string& token() const { return token_; }
  const Surroundings& around() const { return around_; }
  bool as_json() const { return as_json_; }
  /// Prints a result as the caller asked for it.
  void print(const json::value& value) const;
  void print(const json::value& list, std::initializer_list<std::string_view> columns) const;

 private:
  Surroundings around_;
  std::string base_, token_, run_id_, company_id_;
  bool as_json_ = false;
  std::unique_ptr<net::HttpClient> http_;
};

}  // namespace paperclip::cli
