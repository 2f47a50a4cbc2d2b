#pragma once

#include <string>
#include <string_view>

#include "net/http.h"

/// Private to this room.
namespace paperclip::net {

struct HeadContext {
  bool keep_alive = true;
  bool http_1_0 = false;
  std::string_view date;
};

/// How many bytes of body the response has.
std::uint64_t body_size(const Response& response);
/// 204 and 304 have none, whatever the response holds.
bool may_have_body(int status);
/// True when no header could end its line early.
bool are_clean(const Headers& headers);
/// True when the headers are clean and the status is one that can be sent.
bool is_sendable(const Response& response);
/// Appends status line and headers, through the empty line. `Date`, `Content-Length` and `Connection` are ours: fields
/// of those names, and `Transfer-Encoding`, are left out.
void append_head(std::string& out, const Response& response, const HeadContext& context);

}  // namespace paperclip::net
