#include "net/http.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/text.h"
#include "base/write_json.h"

namespace paperclip::net {

namespace {

constexpr std::array<std::pair<std::string_view, Method>, 7> methods{{{"GET", Method::get},
                                                                      {"HEAD", Method::head},
                                                                      {"POST", Method::post},
                                                                      {"PUT", Method::put},
                                                                      {"PATCH", Method::patch},
                                                                      {"DELETE", Method::delete_},
                                                                      {"OPTIONS", Method::options}}};

}  // namespace

Method method_of(std::string_view text) {
  for (const auto& [name, method] : methods)
    if (name == text) return method;
  return Method::other;
}

std::string_view to_text(Method method) {
  for (const auto& [name, value] : methods)
    if (value == method) return name;
  return {};
}

void Headers::add(std::string_view name, std::string_view value) {
  const auto at = static_cast<std::uint32_t>(text_.size());
  text_.append(name).append(value);
  fields_.push_back({at, static_cast<std::uint32_t>(name.size()), at + static_cast<std::uint32_t>(name.size()),
                     static_cast<std::uint32_t>(value.size())});
}

void Headers::set(std::string_view name, std::string_view value) {
  // The arguments may be views into our own text, so append before anything moves.
  const std::string own_name(name), own_value(value);
  remove(own_name);
  add(own_name, own_value);
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const Place& field) {
    return equals_ignoring_case(std::string_view(text_).substr(field.name_at, field.name_size), name);
  });
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  const std::string_view text = text_;
  for (const auto& field : fields_)
    if (field.name_size == name.size() && equals_ignoring_case(text.substr(field.name_at, field.name_size), name))
      return text.substr(field.value_at, field.value_size);
  return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(begin(), end(), [&](const Field& field) { return equals_ignoring_case(field.name, name); }));
}

void Headers::reserve(std::size_t fields, std::size_t text_bytes) {
  fields_.reserve(fields);
  text_.reserve(text_bytes);
}

Headers::Field Headers::operator[](std::size_t index) const {
  const Place& field = fields_[index];
  const std::string_view text = text_;
  return {text.substr(field.name_at, field.name_size), text.substr(field.value_at, field.value_size)};
}

FileBody::~FileBody() { ::close(descriptor); }

Response Response::json(int status, std::string body) {
  return text(status, std::move(body), "application/json; charset=utf-8");
}

Response Response::error(int status, std::string_view message) {
  std::string body;
  JsonObjectWriter(body).field("error", message).end();
  return json(status, std::move(body));
}

Response Response::text(int status, std::string body, std::string_view content_type) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", content_type);
  response.body = std::move(body);
  return response;
}

Result<Response> Response::file(int status, const std::filesystem::path& path, std::uint64_t offset,
                                std::optional<std::uint64_t> length) {
  // Not blocking, lest a pipe that someone put there holds the thread.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return not_found("No such file: " + path.filename().string());
    return internal_error("Cannot open " + path.string() + ": " + std::strerror(errno));
  }
  struct stat info{};
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(descriptor);
    return not_found("Not a regular file: " + path.filename().string());
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const std::uint64_t from = std::min(offset, size);
  Response response;
  response.status = status;
  response.file_body = std::make_shared<FileBody>(descriptor, from, std::min(length.value_or(size), size - from));
  return response;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Payload Too Large";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Entity";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

std::string http_date(std::int64_t seconds_since_1970) {
  // strftime would use the locale's names.
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t time = seconds_since_1970;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday], parts.tm_mday,
                months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

}  // namespace paperclip::net
