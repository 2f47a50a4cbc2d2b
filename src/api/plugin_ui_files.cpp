#include <sys/stat.h>

#include <map>
#include <regex>

#include "api/all_routes.h"
#include "api/plugin_calls.h"
#include "api/services.h"
#include "base/crypto.h"
#include "base/text.h"
#include "os/files.h"
#include "plugins/host.h"
#include "plugins/package.h"

/// The files of a plugin's user interface: `/_plugins/:pluginId/ui/*`, for anyone (spec/plugins.md 20.3).
namespace paperclip::api {

namespace {

namespace fs = std::filesystem;

std::string content_type(const fs::path& file) {
  static const std::map<std::string, std::string> types{
      {".js", "application/javascript; charset=utf-8"}, {".mjs", "application/javascript; charset=utf-8"}, {".css", "text/css; charset=utf-8"},
      {".json", "application/json; charset=utf-8"}, {".map", "application/json; charset=utf-8"}, {".html", "text/html; charset=utf-8"},
      {".svg", "image/svg+xml"}, {".png", "image/png"}, {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"}, {".gif", "image/gif"}, {".webp", "image/webp"},
      {".woff", "font/woff"}, {".woff2", "font/woff2"}, {".ttf", "font/ttf"}, {".eot", "application/vnd.ms-fontobject"}, {".ico", "image/x-icon"},
      {".txt", "text/plain; charset=utf-8"}};
  const auto at = types.find(lower(file.extension().string()));
  return at == types.end() ? "application/octet-stream" : at->second;
}

Result<Answer> serve_file(Call& call) {
  const auto plugin = TRY(plugin_in_path(call));
  if (plugin.status != domain::PluginStatus::ready) return forbidden("Plugin UI is not available (status: " + std::string(to_text(plugin.status)) + ")");
  auto* host = TRY(plugin_host(call));
  const auto manifest = TRY(domain::stored_manifest(plugin));
  if (!manifest.entrypoints.ui) return not_found("Plugin does not declare a UI bundle");
  const fs::path directory = TRY(plugins::find_ui_directory(plugin, manifest, host->options().plugin_directory));
  const auto relative = percent_decode(call.param("rest"));
  if (!relative || relative->empty()) return bad_request("File path is required");
  std::error_code ec;
  const fs::path real = fs::canonical(directory / *relative, ec);
  if (ec) return not_found("File not found");
  // After every link was followed it still has to be one of the plugin's files.
  if (!plugins::is_inside(real, directory)) return forbidden("Access denied");
  struct stat there {};
  if (::stat(real.c_str(), &there) != 0 || !S_ISREG(there.st_mode)) return not_found("File not found");

  Answer out;
  out.content_type = content_type(real);
  out.headers.emplace_back("Access-Control-Allow-Origin", "*");
  static const std::regex hashed(R"(.*[.-][0-9a-fA-F]{8,}\.\w+)");
  if (std::regex_match(real.filename().string(), hashed)) {
    out.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
  } else {
    const std::string etag = "\"" + sha256_hex("v2:" + std::to_string(there.st_size) + "-" + std::to_string(there.st_mtim.tv_sec) + "." + std::to_string(there.st_mtim.tv_nsec)).substr(0, 16) + "\"";
    out.headers.emplace_back("Cache-Control", "public, max-age=0, must-revalidate");
    out.headers.emplace_back("ETag", etag);
    if (call.request.headers.find("if-none-match") == etag) {
      out.status = 304;
      return out;
    }
  }
  out.body = TRY(os::read_file(real, 256u * 1024 * 1024));
  return out;
}

}  // namespace

void add_plugin_ui_routes(Routes& routes) { routes.get("/_plugins/{pluginId}/ui/{*rest}", serve_file).callers(anyone).raw_body(); }

}  // namespace paperclip::api
