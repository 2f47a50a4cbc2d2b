#include "control_group.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace paperclip::providers {
namespace {

using sdk::Descriptor;

bool write_text(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool has_word(const std::string& text, const std::string& word) {
  std::istringstream words(text);
  for (std::string each; words >> each;)
    if (each == word) return true;
  return false;
}

/// Of /proc/self/mounts: where a hierarchy is, by type and, for version 1, controller.
std::string mount_point(const std::string& type, const std::string& controller) {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream parts(line);
    std::string device, place, kind, options;
    parts >> device >> place >> kind >> options;
    if (kind != type) continue;
    if (controller.empty() || ("," + options + ",").find("," + controller + ",") != std::string::npos) return place;
  }
  return {};
}

/// Our group in a hierarchy, as /proc/self/cgroup has it: `id:controllers:path`.
std::string own_group(const std::string& controller) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? names.empty() : ("," + names + ",").find("," + controller + ",") != std::string::npos) return line.substr(second + 1);
  }
  return {};
}

bool make_directory(const std::string& path) { return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST; }

/// The group above those of sandboxes, which goes with the last of them.
bool make_parent(const std::string& path, bool unified) {
  return make_directory(path) && (!unified || write_text(path + "/cgroup.subtree_control", "+memory +pids"));
}

/// Version 2: the controllers must be given on, which the kernel refuses to a group that has processes of its own.
bool find_unified(ControlGroupPlace& place) {
  const std::string mount = mount_point("cgroup2", "");
  if (mount.empty()) return false;
  const std::string own = mount + own_group("");
  const std::string controllers = read_text(own + "/cgroup.controllers");
  if (!has_word(controllers, "memory") || !has_word(controllers, "pids")) return false;
  const std::string given_on = own + "/cgroup.subtree_control";
  if (!has_word(read_text(given_on), "memory") && !write_text(given_on, "+memory +pids")) {
    place.why_not = errno == EBUSY ? "the server's control group holds the server itself; with systemd: Delegate=yes and DelegateSubgroup=server"
                                   : std::string("the server's control group is not delegated to it: ") + ::strerror(errno);
    return false;
  }
  const std::string parent = own + "/paperclip-sandboxes";
  if (!make_parent(parent, true)) {
    place.why_not = std::string("no control group can be made: ") + ::strerror(errno);
    return false;
  }
  place.parents = {parent};
  place.unified = true;
  return true;
}

bool find_split(ControlGroupPlace& place) {
  std::vector<std::string> parents;
  for (const char* controller : {"memory", "pids"}) {
    const std::string mount = mount_point("cgroup", controller);
    if (mount.empty()) return false;
    const std::string parent = mount + own_group(controller) + "/paperclip-sandboxes";
    if (!make_parent(parent, false)) {
      place.why_not = std::string("no control group can be made: ") + ::strerror(errno);
      return false;
    }
    parents.push_back(parent);
  }
  place.parents = parents;
  return true;
}

ControlGroupPlace look_around() {
  ControlGroupPlace place;
  if (find_unified(place) || find_split(place)) place.why_not.clear();
  else if (place.why_not.empty()) place.why_not = "there is no hierarchy with memory and pids that the server may use";
  for (const std::string& parent : place.parents) ::rmdir(parent.c_str());  // it could be made: enough for now
  return place;
}

}  // namespace

const ControlGroupPlace& ControlGroupPlace::look() {
  static const ControlGroupPlace place = look_around();
  return place;
}

std::unique_ptr<ControlGroup> ControlGroup::make(const std::string& name, std::uint64_t memory_bytes, std::uint64_t processes) {
  const ControlGroupPlace& place = ControlGroupPlace::look();
  if (place.parents.empty() || (memory_bytes == 0 && processes == 0)) return nullptr;
  auto group = std::unique_ptr<ControlGroup>(new ControlGroup);
  for (const std::string& parent : place.parents) {
    const std::string directory = parent + "/" + name;
    ::rmdir(directory.c_str());  // of a worker that was killed
    // Another worker may just have taken the parent away.
    for (int tries = 0; tries < 10 && make_parent(parent, place.unified) && ::mkdir(directory.c_str(), 0755) != 0 && errno == ENOENT; ++tries) {
    }
    if (::access(directory.c_str(), F_OK) != 0) return nullptr;
    group->directories_.push_back(directory);
    const char* memory = place.unified ? "/memory.max" : "/memory.limit_in_bytes";
    if (memory_bytes > 0 && ::access((directory + memory).c_str(), F_OK) == 0) {
      if (!write_text(directory + memory, std::to_string(memory_bytes))) return nullptr;
      // Swap would only be a longer memory; where it is not accounted for, there is no such file.
      if (place.unified) write_text(directory + "/memory.swap.max", "0");
      else write_text(directory + "/memory.memsw.limit_in_bytes", std::to_string(memory_bytes));
    }
    if (processes > 0 && ::access((directory + "/pids.max").c_str(), F_OK) == 0 && !write_text(directory + "/pids.max", std::to_string(processes))) return nullptr;
    Descriptor door(::open((directory + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!door) return nullptr;
    group->doors_.push_back(std::move(door));
  }
  return group;
}

std::vector<int> ControlGroup::doors() const {
  std::vector<int> descriptors;
  for (const Descriptor& door : doors_) descriptors.push_back(door.get());
  return descriptors;
}

ControlGroup::~ControlGroup() {
  doors_.clear();
  for (const std::string& directory : directories_) {
    // What has just ended may still be on its way out.
    for (int tries = 0; ::rmdir(directory.c_str()) != 0 && errno == EBUSY && tries < 500; ++tries) ::poll(nullptr, 0, 2);
    ::rmdir(directory.substr(0, directory.rfind('/')).c_str());
  }
}

}  // namespace paperclip::providers
