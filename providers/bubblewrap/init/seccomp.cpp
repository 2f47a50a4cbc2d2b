#include "seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <vector>

namespace paperclip::sandbox {
namespace {

#if defined(__x86_64__)
constexpr unsigned architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned architecture = AUDIT_ARCH_AARCH64;
#else
#error "name the architecture of system calls here"
#endif

constexpr long refused[] = {SYS_add_key,         SYS_keyctl,         SYS_request_key,    SYS_syslog,         SYS_bpf,
                            SYS_perf_event_open, SYS_userfaultfd,    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
                            SYS_kexec_load,      SYS_kexec_file_load, SYS_open_by_handle_at, SYS_quotactl,   SYS_acct};

constexpr unsigned families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

constexpr unsigned refuse_with(unsigned error) { return SECCOMP_RET_ERRNO | (error & SECCOMP_RET_DATA); }

}  // namespace

bool restrict_system_calls() {
  std::vector<sock_filter> program;
  const auto add = [&](unsigned code, unsigned k, unsigned yes = 0, unsigned no = 0) {
    program.push_back({static_cast<unsigned short>(code), static_cast<unsigned char>(yes), static_cast<unsigned char>(no), k});
  };
  constexpr unsigned load = BPF_LD | BPF_W | BPF_ABS, equal = BPF_JMP | BPF_JEQ | BPF_K, at_least = BPF_JMP | BPF_JGE | BPF_K, leave = BPF_RET | BPF_K;
  // Other architectures of the same machine number their calls differently: none of them.
  add(load, offsetof(seccomp_data, arch));
  add(equal, architecture, 1, 0);
  add(leave, refuse_with(ENOSYS));
  add(load, offsetof(seccomp_data, nr));
#if defined(__x86_64__)
  constexpr unsigned x32_bit = 0x40000000;
  add(at_least, x32_bit, 0, 1);
  add(leave, refuse_with(ENOSYS));
#else
  (void)at_least;
#endif
  for (const long number : refused) {
    add(equal, static_cast<unsigned>(number), 0, 1);
    add(leave, refuse_with(EPERM));
  }
  add(equal, SYS_socket, 1, 0);
  add(leave, SECCOMP_RET_ALLOW);
  add(load, offsetof(seccomp_data, args));  // the lower half of the first argument: little-endian
  for (const unsigned family : families) {
    add(equal, family, 0, 1);
    add(leave, SECCOMP_RET_ALLOW);
  }
  add(leave, refuse_with(EAFNOSUPPORT));

  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace paperclip::sandbox
