#pragma once

#include <stdexcept>
#include <string>

namespace paperclip::sdk {

/// The codes of JSON-RPC errors between host and worker (spec/plugins.md 7).
enum class ErrorCode : int {
  parse_error = -32700,
  method_not_found = -32601,
  internal_error = -32603,     // the host's handler failed
  worker_unavailable = -32000,
  capability_denied = -32001,  // the manifest does not ask for what this call needs
  worker_error = -32002,       // a handler of this worker failed
  timeout = -32003,
  not_implemented = -32004,
};

/// What a handler throws to answer a request with an error, and what a call to the host throws when that failed. Any
/// other exception of a handler is answered as `worker_error` with its text. The message goes to people: no secrets.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ErrorCode code = ErrorCode::worker_error)
      : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace paperclip::sdk
