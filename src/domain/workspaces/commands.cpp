#include "domain/workspaces/commands.h"

#include <algorithm>
#include <set>

#include "base/enum.h"
#include "base/text.h"

namespace paperclip::domain {

namespace {

std::string slug_of(std::string_view text) {
  std::string out;
  for (char c : lower(text)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
    else if (!out.empty() && out.back() != '-') out += '-';
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

struct Source {
  const char* key;
  const char* kind;  // of entries that do not say; null: `kind` decides
};

void read_entries(const json::value& runtime, const Source& source, int& services, std::set<std::string>& taken, std::vector<WorkspaceCommand>& out) {
  const auto* list = member(runtime, source.key);
  if (list == nullptr || !list->is_array()) return;
  int position = 0;
  for (const auto& entry : list->get_array()) {
    ++position;
    if (!entry.is_object()) continue;
    WorkspaceCommand command;
    command.is_service = source.kind != nullptr ? std::string_view(source.kind) == "service" : text_at(entry, "kind") != "job";
    if (command.is_service) command.service_index = services++;
    for (const char* key : {"name", "label", "title"})
      if (command.name.empty()) command.name = text_at(entry, key).value_or("");
    const std::string kind = command.is_service ? "service" : "job";
    const std::string slug = slug_of(command.name);
    command.id = slug_of(text_at(entry, "id").value_or(""));
    if (command.id.empty()) command.id = kind + ":" + (slug.empty() ? std::to_string(position) : slug);
    if (command.name.empty()) command.name = (command.is_service ? "Service " : "Job ") + std::to_string(position);
    if (!taken.insert(command.id).second) {
      command.id += std::string("-") + source.key + "-" + std::to_string(position);
      taken.insert(command.id);
    }
    command.command = text_at(entry, "command");
    command.cwd = text_at(entry, "cwd").value_or(".");
    command.raw = entry.get_object();
    out.push_back(std::move(command));
  }
}

std::string_view word(DesiredState state) { return to_text(state); }

DesiredState state_of(const json::value* value, DesiredState otherwise) {
  if (value == nullptr || !value->is_string()) return otherwise;
  return parse_enum<DesiredState>(value->get_string()).value_or(otherwise);
}

}  // namespace

std::vector<WorkspaceCommand> workspace_commands(const json::value& runtime) {
  std::vector<WorkspaceCommand> out;
  std::set<std::string> taken;
  int services = 0;
  read_entries(runtime, {"commands", nullptr}, services, taken, out);
  if (!out.empty()) return out;
  read_entries(runtime, {"services", "service"}, services, taken, out);
  read_entries(runtime, {"jobs", "job"}, services, taken, out);
  return out;
}

const WorkspaceRuntimeService* matching_service(const WorkspaceCommand& command, const std::vector<WorkspaceRuntimeService>& services) {
  const WorkspaceRuntimeService* best = nullptr;
  int best_score = 0;
  for (const auto& service : services) {
    if (service.command && command.command && *service.command != *command.command) continue;
    int score = 0;
    if (service.service_name == command.name) score += 4;
    if (service.command && service.command == command.command) score += 4;
    if (service.cwd && *service.cwd == command.cwd) score += 2;
    if (score > best_score) {
      best_score = score;
      best = &service;
    }
  }
  return best;
}

ServiceStates next_states(const ServiceStates& before, const std::vector<WorkspaceCommand>& commands, std::optional<int> target, bool running) {
  const DesiredState current = state_of(&before.desired_state, DesiredState::stopped);
  json::object states;
  bool any_running = false, any_manual = false;
  for (const auto& command : commands) {
    if (!command.service_index) continue;
    const std::string key = std::to_string(*command.service_index);
    DesiredState state = state_of(member(before.service_states, key), current);
    if (state != DesiredState::manual && (!target || target == command.service_index)) state = running ? DesiredState::running : DesiredState::stopped;
    any_running |= state == DesiredState::running;
    any_manual |= state == DesiredState::manual;
    states[key] = word(state);
  }
  ServiceStates after;
  after.desired_state = word(any_running ? DesiredState::running : any_manual ? DesiredState::manual : DesiredState::stopped);
  after.service_states = std::move(states);
  return after;
}

}  // namespace paperclip::domain
