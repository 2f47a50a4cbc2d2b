// Tries to get out: each test does what an agent would do that means harm or is only curious.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <fstream>

#include "bubblewrap_fixture.h"
#include "os/descriptor.h"

namespace paperclip {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing_support::Bubblewrap;

struct BubblewrapEscape : Bubblewrap {
  json::object lease;
  void SetUp() override {
    Bubblewrap::SetUp();
    lease = acquire();
  }
  void TearDown() override {
    if (!lease.empty()) release(lease);
    Bubblewrap::TearDown();
  }
  std::string python(const std::string& program) { return say(lease, "cat > /tmp/p.py; python3 /tmp/p.py 2>&1", {{"stdin", program}}); }
};

TEST_F(BubblewrapEscape, no_file_of_the_machine_but_the_system_is_there) {
  std::ofstream(root + "/host-canary") << "canary-of-the-host";
  ::chmod((root + "/host-canary").c_str(), 0644);
  const std::string seen = say(lease, "cat " + root + "/host-canary /etc/shadow /root/.bashrc /proc/1/root" + root + "/host-canary 2>/dev/null; ls / /home /tmp /root /var /run 2>&1; ls -A /tmp");
  EXPECT_THAT(seen, Not(HasSubstr("canary-of-the-host")));
  EXPECT_THAT(seen, Not(HasSubstr("root:$")));
  EXPECT_THAT(seen, Not(HasSubstr("bubblewrap-test")));
  EXPECT_EQ(say(lease, "ls /etc | tr '\\n' ' ' | grep -c -e shadow -e ssh/ -e sudoers -e machine-id"), "0\n");
  EXPECT_EQ(say(lease, "ls -A /home"), "agent\n");
}

TEST_F(BubblewrapEscape, the_system_cannot_be_written_to) {
  EXPECT_EQ(say(lease, "for f in /usr/x /etc/x /x /bin/x /run/x /dev/x /var/x /etc/passwd /run/sandbox-init; do (echo bad >> $f) 2>/dev/null && echo $f; done; mount -o remount,rw /usr 2>/dev/null && echo mounted; umount /workspace 2>/dev/null && echo unmounted; echo done"), "done\n");
}

TEST_F(BubblewrapEscape, no_process_of_the_machine_is_seen_or_reached) {
  // Only the sandbox's own: init, the leader of this command, the shell and what it starts.
  const int seen = std::stoi(say(lease, "ls /proc | grep -c '^[0-9]'"));
  EXPECT_LE(seen, 6);
  EXPECT_THAT(say(lease, "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"), Not(HasSubstr("providers_tests")));
  EXPECT_EQ(say(lease, "kill -9 " + std::to_string(::getpid()) + " 2>/dev/null || echo no"), "no\n");
  EXPECT_EQ(say(lease, "cat /proc/1/environ /proc/1/maps /proc/1/mem 2>/dev/null | wc -c; ls /proc/1/fd 2>/dev/null | wc -l"), "0\n0\n");
  // Not even its own first process can be stopped.
  EXPECT_EQ(say(lease, "kill -9 1; kill -STOP 1; echo still here"), "still here\n");
  EXPECT_EQ(say(lease, "echo and here"), "and here\n");
}

TEST_F(BubblewrapEscape, no_variable_of_the_worker_or_of_others_is_seen) {
  const std::string own = say(lease, "env | sort; cat /proc/self/environ | tr '\\0' '\\n'", {{"env", {{"GIVEN", "by-the-host"}}}});
  EXPECT_THAT(own, HasSubstr("GIVEN=by-the-host"));
  EXPECT_THAT(own, Not(HasSubstr("PAPERCLIP_PLUGIN_ID")));
  EXPECT_THAT(own, Not(HasSubstr("NODE_")));
  // What one command got is in no argument list, here or outside, and not in the sandbox of somebody else.
  const auto id = worker.begin("environmentExecute", execution(lease, "echo up; read wait", {{"executionId", "x1"}, {"streamOutput", true}, {"openStdin", true}, {"env", {{"KEY", "canary-54321"}}}}));
  ASSERT_TRUE(worker.wait_for_output("x1", "stdout", [](const std::string& text) { return text == "up\n"; }));
  EXPECT_EQ(testing_support::processes_with("canary-54321"), 0);
  const json::object other = acquire();
  EXPECT_EQ(say(other, "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | grep -c [c]anary-54321"), "0\n");
  EXPECT_EQ(say(other, "ls -A /workspace /tmp /home/agent | grep -v :"), "\n\n");
  release(other);
  worker.call("environmentWriteStdin", {{"driverKey", "bubblewrap"}, {"executionId", "x1"}, {"data", ""}, {"end", true}});
  worker.wait(id);
}

TEST_F(BubblewrapEscape, another_sandbox_and_its_files_belong_to_another_user) {
  if (::geteuid() != 0) GTEST_SKIP() << "an ordinary user has but one user number";
  const json::object other = acquire();
  struct stat mine {}, theirs {};
  ASSERT_EQ(::stat((directory_of(lease) / "home").c_str(), &mine), 0);
  ASSERT_EQ(::stat((directory_of(other) / "home").c_str(), &theirs), 0);
  EXPECT_NE(mine.st_uid, 0u);
  EXPECT_NE(mine.st_uid, theirs.st_uid);
  EXPECT_EQ(mine.st_mode & 0777, 0700u);
  release(other);
}

TEST_F(BubblewrapEscape, there_is_no_network_and_no_way_around_it) {
  os::Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 5), 0);
  socklen_t size = sizeof address;
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const std::string port = std::to_string(ntohs(address.sin_port));

  os::Descriptor abstract(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string hidden = "paperclip-escape-" + port;
  hidden.copy(name.sun_path + 1, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(abstract.get(), reinterpret_cast<sockaddr*>(&name), static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + hidden.size())), 0);
  ASSERT_EQ(::listen(abstract.get(), 5), 0);

  const std::string tried = python(
      "import socket, errno\n"
      "def attempt(name, family, address):\n"
      "    try:\n"
      "        s = socket.socket(family, socket.SOCK_STREAM); s.settimeout(5); s.connect(address); print(name, 'REACHED')\n"
      "    except OSError as e: print(name, errno.errorcode.get(e.errno, e))\n"
      "attempt('loopback', socket.AF_INET, ('127.0.0.1', " + port + "))\n"
      "attempt('elsewhere', socket.AF_INET, ('1.1.1.1', 443))\n"
      "attempt('six', socket.AF_INET6, ('2606:4700::1111', 443))\n"
      "attempt('abstract', socket.AF_UNIX, '\\0" + hidden + "')\n"
      "attempt('hypervisor', 40, (2, 2024))\n"
      "for family in (40, 38, 17, 16):\n"
      "    try: socket.socket(family, socket.SOCK_RAW if family in (16, 17) else socket.SOCK_STREAM); print(family, 'MADE')\n"
      "    except OSError as e: print(family, errno.errorcode.get(e.errno, e))\n");
  EXPECT_THAT(tried, Not(HasSubstr("REACHED")));
  EXPECT_THAT(tried, HasSubstr("loopback ECONNREFUSED"));
  EXPECT_THAT(tried, HasSubstr("elsewhere ENETUNREACH"));
  EXPECT_THAT(tried, HasSubstr("abstract ECONNREFUSED"));
  EXPECT_THAT(tried, HasSubstr("hypervisor EAFNOSUPPORT"));  // no namespace holds AF_VSOCK back
  EXPECT_THAT(tried, HasSubstr("38 EAFNOSUPPORT"));          // AF_ALG: the kernel's own crypto
  EXPECT_THAT(tried, HasSubstr("17 EAFNOSUPPORT"));          // AF_PACKET
  EXPECT_EQ(say(lease, "getent hosts example.com || echo unknown"), "unknown\n");
}

TEST_F(BubblewrapEscape, kernel_interfaces_that_reach_around_namespaces_are_closed) {
  const std::string tried = python(
      "import ctypes, platform, errno\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "numbers = {'x86_64': {'add_key': 248, 'keyctl': 250, 'syslog': 103, 'bpf': 321, 'io_uring_setup': 425, 'userfaultfd': 323, 'perf_event_open': 298},\n"
      "           'aarch64': {'add_key': 217, 'keyctl': 219, 'syslog': 116, 'bpf': 280, 'io_uring_setup': 425, 'userfaultfd': 282, 'perf_event_open': 241}}[platform.machine()]\n"
      "for name, number in numbers.items():\n"
      "    ctypes.set_errno(0); libc.syscall(number, 0, 0, 0, 0, 0); print(name, errno.errorcode.get(ctypes.get_errno(), 0))\n");
  for (const char* name : {"add_key", "keyctl", "syslog", "bpf", "io_uring_setup", "userfaultfd", "perf_event_open"})
    EXPECT_THAT(tried, HasSubstr(std::string(name) + " EPERM"));
  EXPECT_EQ(say(lease, "unshare -Ur true 2>/dev/null || echo no; unshare -n true 2>/dev/null || echo no; grep -e CapEff -e CapBnd /proc/self/status | grep -vc 0000000000000000; grep -c 'NoNewPrivs:.1' /proc/self/status"), "no\nno\n0\n1\n");
}

TEST_F(BubblewrapEscape, limits_hold) {
  const json::object config{{"processes", 40}, {"openFiles", 64}, {"fileSizeMb", 1}, {"cpuSeconds", 1}, {"memoryMb", 100}};
  const json::object narrow = acquire(config);
  const auto tell = [&](const std::string& script) { return say(narrow, script, {{"config", config}}); };
  EXPECT_EQ(tell("ulimit -n; ulimit -c"), "64\n0\n");
  EXPECT_EQ(tell("head -c 3000000 /dev/zero > big 2>/dev/null; stat -c %s big"), "1048576\n");
  // With a control group the kernel ends who takes too much; without, that process is told that there is no more.
  const bool grouped = worker.call("environmentProbe", base()).at("metadata").at("controlGroup").as_bool();
  EXPECT_EQ(tell("python3 -c \"x = bytearray(300*1024*1024)\" 2>&1 | tail -1; echo end"), grouped ? "end\n" : "MemoryError\nend\n");
  if (grouped) {
    EXPECT_EQ(tell("for i in 1 2 3; do python3 -c \"x = bytearray(60*1024*1024); import time; time.sleep(2); print('survived')\" & done 2>/dev/null; wait; echo end").find("survived\nsurvived\nsurvived\n"), std::string::npos);
  }
  const json::object spin = run(narrow, "while :; do :; done", {{"config", config}});
  EXPECT_EQ(spin.at("signal"), "SIGKILL");
  // A fork bomb runs against its wall, and the machine outside and the next sandbox do not notice.
  const std::string bomb = tell("python3 - <<'P'\nimport os, time\nn = 0\ntry:\n    for i in range(1000):\n        if os.fork() == 0: time.sleep(1000); os._exit(0)\n        n += 1\nexcept OSError: print('stopped', n < 40)\nP");
  EXPECT_EQ(bomb, "stopped True\n");
  EXPECT_EQ(say(lease, "echo fine"), "fine\n");
  release(narrow);
}

TEST_F(BubblewrapEscape, a_bomb_that_flees_is_gone_with_its_lease) {
  const json::object doomed = acquire();
  run(doomed, "for i in 1 2 3 4 5; do (setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 0.01; (exec setsid sleep 6543.5 </dev/null >/dev/null 2>&1 &); done' </dev/null >/dev/null 2>&1 &); done; sleep 0.3");
  EXPECT_GT(testing_support::processes_with("6543.5"), 0);
  release(doomed);
  EXPECT_TRUE(testing_support::all_gone("6543.5"));
  EXPECT_TRUE(directory_of(doomed).empty());
  const std::string id(doomed.at("providerLeaseId").as_string());
  for (const auto& group : {"/sys/fs/cgroup/memory/paperclip-sandboxes/", "/sys/fs/cgroup/pids/paperclip-sandboxes/", "/sys/fs/cgroup/paperclip-sandboxes/"})
    EXPECT_FALSE(std::filesystem::exists(group + id));
}

}  // namespace
}  // namespace paperclip
