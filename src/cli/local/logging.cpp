#include "cli/local/logging.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "os/files.h"

namespace paperclip::cli {

namespace {

void use(std::vector<spdlog::sink_ptr> sinks) {
  auto logger = std::make_shared<spdlog::logger>("", sinks.begin(), sinks.end());
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

Result<spdlog::sink_ptr> file_sink(const std::filesystem::path& file) {
  TRY(os::make_directories(file.parent_path()));
  try {
    return spdlog::sink_ptr(std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string()));
  } catch (const spdlog::spdlog_ex& problem) {
    return internal_error("Cannot open the log " + file.string() + ": " + problem.what() +
                          ". Set PAPERCLIP_LOG_DIR to a directory this user may write.");
  }
}

}  // namespace

Result<> log_to_file(const std::filesystem::path& file) {
  use({TRY(file_sink(file))});
  return {};
}

Result<> log_to_file_and_terminal(const std::filesystem::path& file, bool use_stderr) {
  spdlog::sink_ptr terminal;
  if (use_stderr)
    terminal = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  else
    terminal = std::make_shared<spdlog::sinks::stdout_color_sink_mt>();
  use({TRY(file_sink(file)), std::move(terminal)});
  return {};
}

void log_nowhere() { use({std::make_shared<spdlog::sinks::null_sink_mt>()}); }

}  // namespace paperclip::cli
