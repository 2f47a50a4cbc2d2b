#pragma once

namespace paperclip::runner {

/// Runs one small command: reads a StartMessage from stdin, and gives the command the rest of stdin, our stdout and our
/// stderr. So nothing of it is in an argv but its own. Ends its whole tree when nobody is left to read its stdout, or its
/// time is up. Returns the command's exit code, 128 + signal, or 126/127 with a word on stderr if it could not be started.
int execute_command();

}  // namespace paperclip::runner
