#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/http.h"

/// Outbound HTTP (libcurl): any number of requests at once on one thread.
namespace paperclip::net {

struct ClientRequest {
  std::string method = "GET";
  std::string url;  // http or https
  Headers headers;
  std::string body;
  /// For the whole exchange.
  std::chrono::milliseconds timeout{30'000};
  std::chrono::milliseconds connect_timeout{10'000};
  std::size_t max_response_bytes = 10 * 1024 * 1024;  // after decompression
  /// Redirects are answers like others unless asked for; then at most 5, http and https only.
  bool follow_redirects = false;
  /// Refuses to connect to loopback, private, link-local and other special addresses, whatever the name resolves to;
  /// goes past any proxy. For URLs that a user supplied (spec/platform.md 14, 12).
  bool public_addresses_only = false;
  /// Connects to this UNIX socket instead of the URL's host.
  std::string unix_socket;
  /// Called on the client's thread when the final headers are in. Returning false cancels.
  std::function<bool(int status, const Headers&)> on_headers;
  /// Receives the body piece by piece instead of `ClientResponse::body`; then `max_response_bytes` does not apply.
  /// Called on the client's thread. Returning false cancels.
  std::function<bool(std::string_view piece)> on_data;
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string body;
};

/// Errors: bad_request (no usable URL), bad_gateway (no connection, a broken answer), timeout, too_large (the answer),
/// forbidden (address not public), unavailable (cancelled, or the client is stopping). The message names the host,
/// never the path or query, which may hold secrets.
class HttpClient {
 public:
  using RequestId = std::uint64_t;
  using Callback = std::function<void(Result<ClientResponse>)>;

  HttpClient();
  /// Cancels what is under way; every callback has been called when it returns.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;

  /// `done` is called exactly once, on the client's thread: it must not block, and may send again.
  RequestId send(ClientRequest request, Callback done);
  /// Waits for the answer. Not from a callback.
  Result<ClientResponse> send_blocking(ClientRequest request);
  /// Ends the request with unavailable, soon; of no effect when it is done.
  void cancel(RequestId id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace paperclip::net
