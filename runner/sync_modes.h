#pragma once

namespace paperclip::sync {

/// `paperclip-runner manifest|pack|unpack DIRECTORY [--exclude=NAME]…` over stdin and stdout: a workspace's side in a
/// place (runner/README.md). The exit code is 0, or 1 with a reason on stderr.
int run_mode(int argc, char** argv);

}  // namespace paperclip::sync
