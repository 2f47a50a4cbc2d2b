#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/routes.h"

namespace paperclip::api {

/// Finds the route of a request. Fixed segments compare without case and undecoded, parameters are decoded; a
/// trailing slash is tolerated, a doubled one is not (spec/platform.md 1.1). Fixed segments win over parameters. A last
/// segment `{*name}` takes all further segments, at least one, as they stand; it is looked at last.
class Router {
 public:
  explicit Router(const Routes& routes);

  struct Match {
    const Route* route = nullptr;
    std::map<std::string, std::string, std::less<>> params;
  };
  /// An empty match when no route fits. HEAD finds GET's route.
  Match find(net::Method method, std::string_view path) const;

 private:
  struct Segment {
    std::string text;   // lower case, or the parameter's name
    bool is_param = false;
  };
  struct Entry {
    const Route* route;
    std::vector<Segment> segments;
  };
  // By method and number of segments, most specific first.
  std::map<std::pair<net::Method, std::size_t>, std::vector<Entry>> entries_;
  std::map<net::Method, std::vector<Entry>> open_ended_;  // the last segment is the rest's name
};

}  // namespace paperclip::api
