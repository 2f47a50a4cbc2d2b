#include "environments/place_files.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include "base/text.h"
#include "os/child_environment.h"
#include "os/process.h"

namespace paperclip::environments {
namespace {

std::string first_line(std::string_view text) {
  text = trim(text);
  return std::string(text.substr(0, std::min<std::size_t>(text.find('\n'), 300)));
}

Result<std::vector<std::string>> tar_words(const std::filesystem::path& directory) {
  return std::vector<std::string>{"tar", "-c", "-h", "-f", "-", "--exclude=._*", "-C", directory.string(), "."};
}

os::Environment tar_environment(const os::Environment& host) {
  return {{"PATH", std::string(os::value_in(host, "PATH").empty() ? os::default_path : os::value_in(host, "PATH"))}, {"COPYFILE_DISABLE", "1"}};
}

std::string unpack_script(const std::string& remote_path, UploadMode mode) {
  const std::string path = shell_word(remote_path);
  return std::string("set -e\n") + (mode == UploadMode::replace ? "rm -rf -- " + path + "\n" : "") + "mkdir -p -- " + path + "\n";
}

Result<void> check(const os::CommandOutput& output, const std::string& remote_path, const Place& place) {
  if (output.ok()) return success();
  return Error(ErrorKind::bad_gateway, "Cannot bring files to " + remote_path + " on " + place.description().label + ": " +
                                           (trim(output.stderr_text).empty() ? "exit code " + std::to_string(output.exit_code) : first_line(output.stderr_text)));
}

/// Where a place has one-shot commands only, and no runner: the archive as a file, then unpacked.
Result<void> upload_in_one_shot(Place& place, const os::Environment& host, const std::filesystem::path& directory, const std::string& remote_path,
                                UploadMode mode, Deadline deadline) {
  os::Command tar;
  tar.argv = TRY(tar_words(directory));
  tar.environment = tar_environment(host);
  tar.output_limit = 256 * 1024 * 1024;
  const auto packed = TRY(os::run_command(tar, deadline));
  if (!packed.ok() || packed.truncated) return internal_error("Cannot pack " + directory.string() + ": " + first_line(packed.stderr_text));
  const std::string archive = remote_path + ".upload.tar";
  TRY(place.write_file(archive, packed.stdout_text, 0600, deadline));
  PlaceCommand unpack;
  unpack.argv = {"sh", "-c", unpack_script(remote_path, mode) + "tar -x -f " + shell_word(archive) + " -C " + shell_word(remote_path) + "\nrm -f -- " + shell_word(archive)};
  unpack.cwd = "/";
  return check(TRY(place.run_command(unpack, deadline)), remote_path, place);
}

}  // namespace

std::string shell_word(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += "'\"'\"'";
    else out += c;
  }
  return out + "'";
}

Result<void> upload_directory(Place& place, const std::filesystem::path& directory, const std::string& remote_path, UploadMode mode,
                              const os::Environment& host, Deadline deadline) {
  PlaceCommand unpack;
  unpack.argv = {"sh", "-c", unpack_script(remote_path, mode) + "exec tar -x -f - -C " + shell_word(remote_path)};
  unpack.cwd = "/";
  auto stream = place.open_stream(unpack, deadline);
  if (!stream) {
    if (stream.error().kind == ErrorKind::unprocessable) return upload_in_one_shot(place, host, directory, remote_path, mode, deadline);
    return stream.error();
  }
  os::SpawnRequest tar;
  tar.environment = tar_environment(host);
  tar.executable = TRY(os::resolve_command("tar", "/", os::value_in(tar.environment, "PATH")));
  tar.argv = TRY(tar_words(directory));
  tar.descriptors = {{(*stream)->socket(), 1}};
  const pid_t packer = TRY(os::spawn(tar));
  int status = 0;
  ::waitpid(packer, &status, 0);  // it ends when the other side takes no more
  ::shutdown((*stream)->socket(), SHUT_WR);
  TRY(check(TRY((*stream)->finish(deadline)), remote_path, place));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return internal_error("Cannot pack " + directory.string() + " for " + place.description().label);
  return success();
}

}  // namespace paperclip::environments
