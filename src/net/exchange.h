#pragma once

#include <curl/curl.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "net/client.h"

/// Private to this room.
namespace paperclip::net {

/// One outbound request on its way: a curl handle, its settings, and what has come back so far.
class Exchange {
 public:
  Exchange(ClientRequest request, HttpClient::Callback done);
  ~Exchange();
  Exchange(const Exchange&) = delete;

  /// Makes the handle ready, or says what is wrong with the request.
  Result<> prepare();
  CURL* easy() { return easy_; }
  /// Calls back, the first time.
  void finish(Result<ClientResponse> result);
  void finish_with(CURLcode code);

 private:
  template <class Value>
  void set(CURLoption option, Value value);
  void prepare_method();
  void prepare_fields();
  Error error_for(CURLcode code) const;
  Error cancelled() const;
  bool announce();
  bool take_header(std::string_view line);
  std::size_t take_body(std::string_view piece);
  std::size_t stop(Error error);
  static std::size_t on_header(char* text, std::size_t one, std::size_t size, void* self);
  static std::size_t on_body(char* bytes, std::size_t one, std::size_t size, void* self);
  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);

  ClientRequest request_;
  HttpClient::Callback done_;
  std::string shown_;  // host and port: all of the URL that an error may tell
  CURL* easy_ = nullptr;
  curl_slist* fields_ = nullptr;
  ClientResponse response_;
  bool head_ended_ = false;  // what looks like a header from now on is a trailer
  std::optional<Error> stopped_by_;
  char problem_[CURL_ERROR_SIZE] = {};
};

}  // namespace paperclip::net
