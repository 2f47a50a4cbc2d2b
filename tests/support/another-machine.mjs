// Another machine for the tests: an sshd of its own on loopback, with throw-away keys, a home and room for workspaces. It is
// reached the way any SSH host is; nothing of it is left once `remove` has run.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** A port of loopback that nobody listens on just now. */
export const freePort = () => new Promise((done) => {
  const probe = createServer().listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => done(port)); });
});

const children = (pid) => { try { return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number); } catch { return []; } };

/** Every process that can be seen, with its argv joined by NULs. */
export const commandLines = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => {
  try { return { pid: Number(pid), line: readFileSync(`/proc/${pid}/cmdline`, 'utf8') }; } catch { return { pid: Number(pid), line: '' }; }
});

export class AnotherMachine {
  /** Makes keys and starts the sshd; it listens once this returns. */
  static async start() {
    const machine = new AnotherMachine();
    machine.directory = mkdtempSync(join(tmpdir(), 'paperclip-machine-'));
    machine.home = join(machine.directory, 'home');
    machine.workspaces = join(machine.directory, 'workspaces');
    mkdirSync(machine.home);
    for (const name of ['host_key', 'client_key']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(machine.directory, name)]);
    writeFileSync(join(machine.directory, 'authorized_keys'), readFileSync(join(machine.directory, 'client_key.pub')), { mode: 0o600 });
    machine.privateKey = readFileSync(join(machine.directory, 'client_key'), 'utf8');
    machine.hostKey = readFileSync(join(machine.directory, 'host_key.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
    machine.port = await freePort();
    if (process.getuid() === 0) mkdirSync('/run/sshd', { recursive: true });
    await machine.configure();
    return machine;
  }

  /** Writes its configuration and starts its sshd; again once its home has moved. */
  async configure() {
    writeFileSync(join(this.directory, 'sshd_config'), `ListenAddress 127.0.0.1
Port ${this.port}
HostKey ${this.directory}/host_key
AuthorizedKeysFile ${this.directory}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
SetEnv HOME=${this.home}
LogLevel ERROR
`);
    await this.go();
  }

  /** Starts its sshd, again if it was killed. */
  async go() {
    this.sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(this.directory, 'sshd_config')], { stdio: ['ignore', 'ignore', openSync(join(this.directory, 'sshd.log'), 'a')] });
    for (const end = Date.now() + 10_000; ;) {
      const listens = await new Promise((done) => {
        const socket = connect(this.port, '127.0.0.1', () => { socket.destroy(); done(true); }).on('error', () => done(false));
      });
      if (listens) return;
      if (this.sshd.exitCode !== null || Date.now() > end) throw new Error(`sshd does not start: ${readFileSync(join(this.directory, 'sshd.log'), 'utf8')}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  /** Kills its sshd and every session's; what the sessions started lives on. */
  async killSshd() {
    const all = (pid) => [pid, ...children(pid).filter((child) => { try { return readFileSync(`/proc/${child}/comm`, 'utf8').startsWith('sshd'); } catch { return false; } }).flatMap(all)];
    const pids = all(this.sshd.pid);
    const gone = this.sshd.exitCode === null && this.sshd.signalCode === null ? once(this.sshd, 'exit') : null;
    for (const pid of pids) try { process.kill(pid, 'SIGKILL'); } catch { /* it went by itself */ }
    await gone;
  }

  /** What an environment that names it is configured with; `port` for a way that is not the direct one. */
  config(port = this.port, workspaces = this.workspaces) {
    return { host: '127.0.0.1', port, username: userInfo().username, remoteWorkspacePath: workspaces, privateKey: this.privateKey,
             knownHosts: `[127.0.0.1]:${port} ${this.hostKey}` };
  }

  /** Our ssh clients that are connected to it, by way of `port`. */
  clients(port = this.port) {
    return commandLines().filter(({ line }) => line.includes('ControlMaster=yes') && line.includes(`\0${port}\0`)).map(({ pid }) => pid);
  }

  async remove() {
    await this.killSshd();
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
