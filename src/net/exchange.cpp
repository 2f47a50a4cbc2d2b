#include "net/exchange.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "base/text.h"
#include "net/address.h"
#include "net/response_head.h"

namespace paperclip::net {

namespace {

constexpr long most_redirects = 5;

struct Destination {
  std::string host, shown;
};

// Where a URL leads; nothing for what is no http(s) URL.
std::optional<Destination> destination_of(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parts(curl_url(), &curl_url_cleanup);
  if (curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return std::nullopt;
  const auto part = [&](CURLUPart what) {
    char* text = nullptr;
    if (curl_url_get(parts.get(), what, &text, 0) != CURLUE_OK) return std::string();
    std::string out(text);
    curl_free(text);
    return out;
  };
  const std::string scheme = part(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return std::nullopt;
  Destination out{part(CURLUPART_HOST), {}};
  const std::string port = part(CURLUPART_PORT);
  out.shown = port.empty() ? out.host : out.host + ":" + port;
  return out;
}

bool is_method(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; });
}

// Zero would mean "for ever" to curl.
long milliseconds(std::chrono::milliseconds time) { return std::max<long>(1, time.count()); }

}  // namespace

Exchange::Exchange(ClientRequest request, HttpClient::Callback done)
    : request_(std::move(request)), done_(std::move(done)) {}

Exchange::~Exchange() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(fields_);
}

template <class Value>
void Exchange::set(CURLoption option, Value value) {
  if (curl_easy_setopt(easy_, option, value) == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
}

Result<> Exchange::prepare() {
  const auto destination = destination_of(request_.url);
  if (!destination) return bad_request("Not an HTTP URL");
  shown_ = destination->shown;
  if (!is_method(request_.method)) return bad_request("Malformed HTTP method");
  if (!are_clean(request_.headers)) return bad_request("A header for " + shown_ + " holds a control character");
  easy_ = curl_easy_init();
  if (easy_ == nullptr) throw std::bad_alloc();
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, request_.follow_redirects ? 1L : 0L);
  set(CURLOPT_MAXREDIRS, most_redirects);
  set(CURLOPT_TIMEOUT_MS, milliseconds(request_.timeout));
  set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request_.connect_timeout));
  set(CURLOPT_ACCEPT_ENCODING, "");  // all that curl can undo
  set(CURLOPT_ERRORBUFFER, problem_);
  set(CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_OPENSOCKETFUNCTION, &Exchange::open_socket);
  set(CURLOPT_OPENSOCKETDATA, this);
  if (!request_.unix_socket.empty()) set(CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.c_str());
  if (request_.public_addresses_only) {
    // Neither a proxy nor a connection that another request has opened: the address that counts must be checked here.
    set(CURLOPT_FRESH_CONNECT, 1L);
    set(CURLOPT_PROXY, "");
  } else if (is_loopback_name(destination->host)) {
    set(CURLOPT_PROXY, "");
  }
  prepare_method();
  prepare_fields();
  return {};
}

void Exchange::prepare_method() {
  const std::string& method = request_.method;
  const bool has_body = !request_.body.empty();
  if (method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (method == "GET" && !has_body) {
    set(CURLOPT_HTTPGET, 1L);
  } else if (has_body || method == "POST" || method == "PUT" || method == "PATCH") {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    set(CURLOPT_POSTFIELDS, request_.body.data());
    if (method != "POST") set(CURLOPT_CUSTOMREQUEST, method.c_str());
  } else {
    set(CURLOPT_CUSTOMREQUEST, method.c_str());
  }
}

void Exchange::prepare_fields() {
  const auto add = [&](const std::string& line) { fields_ = curl_slist_append(fields_, line.c_str()); };
  // curl would claim that any body is a form, and wait for permission to send a large one.
  if (!request_.headers.contains("content-type")) add("Content-Type:");
  if (!request_.headers.contains("expect")) add("Expect:");
  if (!request_.headers.contains("user-agent")) add("User-Agent: paperclip");
  for (const auto& [name, value] : request_.headers)
    add(value.empty() ? std::string(name) + ";" : std::string(name) + ": " + std::string(value));
  set(CURLOPT_HTTPHEADER, fields_);
}

void Exchange::finish(Result<ClientResponse> result) {
  const auto done = std::exchange(done_, nullptr);
  if (!done) return;
  try {
    done(std::move(result));
  } catch (const std::exception& problem) { spdlog::error("net.client_callback_threw error={}", problem.what()); }
}

void Exchange::finish_with(CURLcode code) {
  if (code != CURLE_OK) return finish(error_for(code));
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  finish(std::move(response_));
}

Error Exchange::error_for(CURLcode code) const {
  if (stopped_by_) return *stopped_by_;
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return {ErrorKind::timeout, "No answer from " + shown_ + " in time"};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
      if (problem_[0] != '\0') return {ErrorKind::bad_gateway, "Cannot reach " + shown_ + ": " + problem_};
      break;
    default: break;  // the buffer has more to say, but may quote the URL
  }
  return {ErrorKind::bad_gateway, "Cannot reach " + shown_ + ": " + curl_easy_strerror(code)};
}

Error Exchange::cancelled() const { return {ErrorKind::unavailable, "The request to " + shown_ + " was cancelled"}; }

// Zero is what curl's callbacks return for failure.
std::size_t Exchange::stop(Error error) {
  if (!stopped_by_) stopped_by_ = std::move(error);
  return 0;
}

std::size_t Exchange::on_header(char* text, std::size_t, std::size_t size, void* self) {
  return static_cast<Exchange*>(self)->take_header(std::string_view(text, size)) ? size : 0;
}

bool Exchange::take_header(std::string_view line) {
  if (line.starts_with("HTTP/")) {
    response_.headers = Headers();  // those so far were of a redirect, or of an interim answer
    head_ended_ = false;
    return true;
  }
  line = trim(line);
  if (line.empty()) return std::exchange(head_ended_, true) || announce();
  const auto colon = line.find(':');
  if (!head_ended_ && colon != std::string_view::npos)
    response_.headers.add(line.substr(0, colon), trim(line.substr(colon + 1)));
  return true;
}

bool Exchange::announce() {
  if (!request_.on_headers) return true;
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  const bool will_follow =
      request_.follow_redirects && status >= 300 && status < 400 && response_.headers.contains("location");
  if (status < 200 || will_follow || request_.on_headers(static_cast<int>(status), response_.headers)) return true;
  stop(cancelled());
  return false;
}

std::size_t Exchange::on_body(char* bytes, std::size_t, std::size_t size, void* self) {
  return static_cast<Exchange*>(self)->take_body(std::string_view(bytes, size));
}

std::size_t Exchange::take_body(std::string_view piece) {
  if (request_.on_data) return request_.on_data(piece) ? piece.size() : stop(cancelled());
  if (piece.size() > request_.max_response_bytes - response_.body.size())
    return stop({ErrorKind::too_large, "The answer from " + shown_ + " is larger than " +
                                           std::to_string(request_.max_response_bytes) + " bytes"});
  response_.body.append(piece);
  return piece.size();
}

curl_socket_t Exchange::open_socket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& exchange = *static_cast<Exchange*>(self);
  if (exchange.request_.public_addresses_only && !is_public_address(address->addr)) {
    exchange.stop({ErrorKind::forbidden, exchange.shown_ + " has no public address"});
    return CURL_SOCKET_BAD;
  }
  // Not for the agents that this program starts.
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace paperclip::net
