#pragma once

namespace paperclip::runner {

/// A command whose stdin and stdout stay open although the place has one-shot commands only: `hold` starts it in the
/// background, with a directory of its own for the socket at which it is asked, and says `held`. It ends with its command,
/// or once nobody has asked for two minutes. argv[0] is searched in PATH.
int hold(const char* directory, char** argv);

/// Carries bytes to a held command and back, once: stdin is base64 for its stdin (`end_input`: the last of it). Returns when
/// the command said something and a moment has passed, when `wait_ms` are over, or at a bound of its size. Prints a line
/// `more`, or `end` and the exit status once all has been said and it is over; then a line of its stdout in base64; after the
/// end also one of its stderr. 1 if nobody is there. `drop`: ends the command instead.
int carry(const char* directory, bool end_input, bool drop, int wait_ms);

}  // namespace paperclip::runner
