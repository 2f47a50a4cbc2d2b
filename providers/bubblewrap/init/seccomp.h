#pragma once

namespace paperclip::sandbox {

/// Takes from this process and all that come from it the system calls that reach around namespaces: kernel keyrings, the
/// kernel's log, sockets of families without a namespace (AF_VSOCK leads to the machine's hypervisor), and kernel
/// interfaces that agents do not need and that had holes (bpf, io_uring, perf, userfaultfd). False where the kernel has no
/// seccomp filters.
bool restrict_system_calls();

}  // namespace paperclip::sandbox
