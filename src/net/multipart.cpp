#include "net/multipart.h"

#include "base/text.h"

namespace paperclip::net {

namespace {

// The parameters of `type; a=b; c="d"`, one after another. Quoted values may hold escaped quotes; browsers write `%22`.
class Parameters {
 public:
  explicit Parameters(std::string_view header) : rest_(header) {
    const auto end = rest_.find(';');
    main_ = lower(trim(rest_.substr(0, end)));
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end);
  }
  const std::string& main() const { return main_; }

  /// False at the end or when what follows is no parameter.
  bool next(std::string& name, std::string& value) {
    while (rest_.starts_with(';') || rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
    const auto equals = rest_.find('=');
    if (equals == std::string_view::npos) return false;
    name = lower(trim(rest_.substr(0, equals)));
    rest_.remove_prefix(equals + 1);
    value.clear();
    if (!rest_.starts_with('"')) {
      const auto end = rest_.find(';');
      value = trim(rest_.substr(0, end));
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end);
      return true;
    }
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return true;
      }
      // A backslash escapes a quote or itself; elsewhere it is part of an old Windows path.
      if (rest_[i] == '\\' && i + 1 < rest_.size() && (rest_[i + 1] == '"' || rest_[i + 1] == '\\')) ++i;
      value += rest_[i];
    }
    return false;
  }

 private:
  std::string_view rest_;
  std::string main_;
};

std::string last_component(const std::string& filename) {
  const auto slash = filename.find_last_of("/\\");
  return slash == std::string::npos ? filename : filename.substr(slash + 1);
}

std::string form_unescaped(std::string text) {
  text = replace_all(std::move(text), "%22", "\"");
  text = replace_all(std::move(text), "%0D", "\r");
  return replace_all(std::move(text), "%0A", "\n");
}

Result<MultipartPart> parse_part_header(std::string_view header, const MultipartLimits& limits) {
  MultipartPart part;
  bool named = false;
  while (!header.empty()) {
    const auto end = header.find("\r\n");
    const auto line = header.substr(0, end);
    header.remove_prefix(end == std::string_view::npos ? header.size() : end + 2);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return bad_request("Multipart: malformed part header");
    const auto field = line.substr(0, colon), value = trim(line.substr(colon + 1));
    if (equals_ignoring_case(field, "content-type")) {
      part.content_type = Parameters(value).main();
    } else if (equals_ignoring_case(field, "content-disposition")) {
      Parameters parameters(value);
      if (parameters.main() != "form-data") return bad_request("Multipart: a part is not form-data");
      std::string parameter, text;
      bool encoded_filename = false;
      while (parameters.next(parameter, text)) {
        if (parameter == "name") {
          part.name = form_unescaped(text);
          named = true;
        } else if (parameter == "filename" && !encoded_filename) {
          part.filename = last_component(form_unescaped(text));
        } else if (parameter == "filename*" && equals_ignoring_case(text.substr(0, 7), "utf-8''")) {
          if (auto decoded = percent_decode(std::string_view(text).substr(7))) {
            part.filename = last_component(*decoded);
            encoded_filename = true;
          }
        }
      }
    }
  }
  if (!named) return bad_request("Multipart: a part has no name");
  if (part.name.size() > limits.name_bytes) return bad_request("Multipart: a part's name is too long");
  if (!valid_utf8(part.name) || (part.filename && !valid_utf8(*part.filename)))
    return bad_request("Multipart: a part's name is not UTF-8");
  return part;
}

}  // namespace

bool is_multipart(std::string_view content_type) {
  return equals_ignoring_case(trim(content_type.substr(0, content_type.find(';'))), "multipart/form-data");
}

Result<std::vector<MultipartPart>> parse_multipart(std::string_view content_type, std::string_view body,
                                                   const MultipartLimits& limits) {
  Parameters parameters(content_type);
  if (parameters.main() != "multipart/form-data")
    return bad_request("Multipart: Content-Type is not multipart/form-data");
  std::string name, value, boundary;
  while (boundary.empty() && parameters.next(name, value))
    if (name == "boundary") boundary = value;
  if (boundary.empty() || boundary.size() > 70) return bad_request("Multipart: Boundary not found");

  const std::string delimiter = "\r\n--" + boundary;
  const Error unfinished = bad_request("Multipart: Unexpected end of form");
  // The first delimiter may stand at the very beginning, without its line break; what comes before it is a preamble.
  std::size_t at;
  if (body.starts_with(std::string_view(delimiter).substr(2)))
    at = delimiter.size() - 2;
  else if (const auto first = body.find(delimiter); first != std::string_view::npos)
    at = first + delimiter.size();
  else
    return unfinished;

  std::vector<MultipartPart> parts;
  while (true) {
    if (body.substr(at, 2) == "--") return parts;
    while (at < body.size() && (body[at] == ' ' || body[at] == '\t')) ++at;  // transport padding
    if (body.substr(at, 2) != "\r\n") return unfinished;
    if (parts.size() == limits.parts) return bad_request("Multipart: Too many parts");
    at += 2;
    const auto window = body.substr(at, limits.part_header_bytes);
    std::size_t header_size, bytes_at;
    if (window.starts_with("\r\n")) return bad_request("Multipart: a part has no name");
    if (const auto end = window.find("\r\n\r\n"); end != std::string_view::npos)
      header_size = end, bytes_at = at + end + 4;
    else if (window.size() == limits.part_header_bytes)
      return bad_request("Multipart: a part's header is too long");
    else
      return unfinished;
    auto part = TRY(parse_part_header(body.substr(at, header_size), limits));
    // From the line break that ends the header on: an empty part's delimiter begins with that very break.
    const auto end = body.find(delimiter, bytes_at - 2);
    if (end == std::string_view::npos) return unfinished;
    part.bytes = body.substr(bytes_at, end < bytes_at ? 0 : end - bytes_at);
    parts.push_back(std::move(part));
    at = end + delimiter.size();
  }
}

}  // namespace paperclip::net
